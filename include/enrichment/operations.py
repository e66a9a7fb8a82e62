"""The log of maintenance: what setup, doctor, retry, backfill and cleanup did, in ENRICHMENT_OPERATIONS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.settings import Settings


@dataclass(frozen=True)
class Operation:
    """One operation.

    :param name: ``setup``, ``doctor``, ``retry``, ``backfill``, ``cleanup`` or ``rollback``
    :param performed_by: ``<dag_id>/<run_id>``, or the command of a shell
    :param started_at: naive UTC
    """

    name: str
    performed_by: str
    started_at: datetime

    @property
    def operation_id(self) -> str:
        """Derived from who performs it, so that a task that is tried again records nothing twice."""
        return str(uuid5(NAMESPACE_URL, f"{self.name}:{self.performed_by}"))

    def parameters(self, status: str, details: Mapping[str, Any]) -> dict[str, Any]:
        """Bind parameters of ``queue/record_operation.sql``.

        :param status: ``SUCCEEDED`` or ``FAILED``
        """
        return {
            "operation_id": self.operation_id,
            "operation": self.name.upper(),
            "status": status,
            "started_at": self.started_at.isoformat(sep=" "),
            "performed_by": self.performed_by[:500],
            "details": json.dumps(details, default=str),
        }

    def record(self, hook: DbApiHook, settings: Settings, status: str, details: Mapping[str, Any]) -> None:
        """Write it down."""
        hook.run(
            render("queue/record_operation.sql", settings),
            autocommit=True,
            parameters=self.parameters(status, details),
        )
