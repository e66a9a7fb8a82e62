"""The deadline of a pass: somebody is told while it hangs, before its timeout stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (  # type: ignore[attr-defined]  # its stub has not got them
    DeadlineAlert,
    DeadlineReference,
    SyncCallback,
)

from include.enrichment.slo import HANGING_PASS, Level

if TYPE_CHECKING:
    from include.enrichment.settings import ParseSettings


def pass_deadline(settings: ParseSettings) -> DeadlineAlert:
    """What Airflow watches for.

    A synchronous callback: it runs where tasks run, so that a deployment needs no triggerer for it.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=settings.deadline),
        callback=SyncCallback(tell_of_hanging_pass, {"deadline_minutes": settings.deadline}),
    )


def tell_of_hanging_pass(*, deadline_minutes: float, context: dict[str, Any] | None = None) -> None:
    """Tell of a pass that has missed its deadline, as alerts are told; called by Airflow.

    :param context: Airflow's, with the DAG run as its REST API shows it
    """
    from include.enrichment import settings as settings_module
    from include.enrichment.alerts import Alert, Event
    from include.enrichment.notifications import tell

    dag_run = (context or {}).get("dag_run") or {}
    queued_at = dag_run.get("queued_at")
    since = datetime.fromisoformat(queued_at) if isinstance(queued_at, str) else queued_at
    if since is None:
        since = datetime.now(UTC) - timedelta(minutes=deadline_minutes)
    now = datetime.now(UTC)
    objective = replace(
        HANGING_PASS, name=f"Pass {dag_run.get('dag_run_id', '')} has not ended", critical_above=deadline_minutes
    )
    alert = Alert(
        objective,
        Event.STARTED,
        Level.CRITICAL,
        (now - since.astimezone(UTC)) / timedelta(minutes=1),
        since.astimezone(UTC).replace(tzinfo=None),
    )
    tell([alert], settings_module.current().notifiers, context or {})
