"""The log of operation: what setup, doctor, retry, backfill, cleanup and alerts did, in ENRICHMENT_OPERATIONS."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import NAMESPACE_URL, uuid5

from include.enrichment.snowflake import STEP, rows_as_mappings, step_name
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from snowflake.connector.cursor import SnowflakeCursor

    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

Answer = Callable[[Mapping[str, list[dict[str, Any]]]], dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """One operation.

    :param name: ``setup``, ``doctor``, ``retry``, ``backfill``, ``cleanup``, ``rollback`` or ``alert``
    :param performed_by: ``<dag_id>/<run_id>``, or the command of a shell
    :param started_at: naive UTC
    """

    name: str
    performed_by: str
    started_at: datetime

    @classmethod
    def of_try(cls, name: str, ti: Any, started_at: datetime) -> Self:
        """One that a task instance performs; when it is cleared, what it does then is a record of its own.

        :param ti: Airflow's
        """
        again = f" try {ti.try_number}" if ti.try_number > 1 else ""
        return cls(name, f"{ti.dag_id}/{ti.run_id}{again}", started_at)

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

    def carry_out(
        self, hook: DbApiHook, settings: Settings, template: str, parameters: Mapping[str, Any], answer: Answer
    ) -> dict[str, Any]:
        """Run a template that queues something and records the operation in the same transaction.

        A task that Airflow tries again after the commit answers what the first try did.

        :param template: its steps ``-- step: <name>`` return rows, ``queue/record_operation.sql`` follows them
        :param answer: makes the answer of the rows by step; what it raises takes the transaction back
        """
        known = hook.get_first(
            render("queue/operation_details.sql", settings), parameters={"operation_id": self.operation_id}
        )
        if known:
            log.info("This DAG run has done it before; trigger a new one to do it again")
            return dict(json.loads(known[0]))
        steps: dict[str, list[dict[str, Any]]] = {}
        answers: list[dict[str, Any]] = []
        binds = {**parameters, **self.parameters("SUCCEEDED", {})}
        text = render(template, settings)
        last_step = STEP.findall(text)[-1]

        def observe(cursor: SnowflakeCursor) -> None:
            step = step_name(cursor)
            if step is None:
                return
            steps[step] = rows_as_mappings(cursor)
            if step == last_step:
                answers.append(answer(steps))
                binds["details"] = json.dumps(answers[0], default=str)

        hook.run(text, autocommit=True, parameters=binds, handler=observe, return_last=False)
        return answers[0]
