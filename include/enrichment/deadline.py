"""The deadline of a pass: somebody is told while it hangs, before its timeout stops it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (  # type: ignore[attr-defined]  # its stub has not got them
    DeadlineAlert,
    DeadlineReference,
    SyncCallback,
)

from include.enrichment import settings as settings_module
from include.enrichment.errors import safe_text
from include.enrichment.slo import HANGING_PASS, Level

if TYPE_CHECKING:
    from include.enrichment.settings import ParseSettings, Settings

log = logging.getLogger(__name__)


def pass_deadline(settings: ParseSettings) -> DeadlineAlert:
    """What Airflow watches for: a pass that takes so much longer than ten earlier ones that succeeded.

    Not ``DAGRUN_QUEUED_AT``: with it no task of the DAG run can be cleared (apache/airflow#70368). Not
    ``DAGRUN_LOGICAL_DATE``: a pass that was triggered has none.

    A synchronous callback: it runs where tasks run, so that a deployment needs no triggerer for it. It takes notifiers
    and their connections from the environment only, see :func:`_settings`.
    """
    return DeadlineAlert(
        reference=DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1),
        interval=timedelta(minutes=settings.deadline),
        callback=SyncCallback(tell_of_hanging_pass, {"deadline_minutes": settings.deadline}),
    )


def tell_of_hanging_pass(*, deadline_minutes: float, context: dict[str, Any] | None = None) -> None:
    """Tell of a pass that has missed its deadline, as alerts are told; called by Airflow.

    Airflow calls for one that has failed as well, however short it was: of that its red DAG run tells.

    :param context: Airflow's, with the DAG run as its REST API shows it
    """
    from include.enrichment.alerts import Alert, Event
    from include.enrichment.notifications import NotificationError, Telling, tell, write_to_log

    dag_run = (context or {}).get("dag_run") or {}
    since = _moment(dag_run.get("queued_at")) or datetime.now(UTC) - timedelta(minutes=deadline_minutes)
    minutes = ((_moment(dag_run.get("end_date")) or datetime.now(UTC)) - since) / timedelta(minutes=1)
    if minutes < deadline_minutes:
        log.info("The pass %s has ended in time, or was cleared and began anew", dag_run.get("dag_run_id", ""))
        return
    settings = _settings()
    objective = replace(
        HANGING_PASS, name=f"Pass {dag_run.get('dag_run_id', '')} takes too long", critical_above=deadline_minutes
    )
    alert = Alert(
        objective,
        Event.STARTED,
        Level.CRITICAL,
        minutes,
        since.replace(tzinfo=None),
        settings.notifiers,
        runbook=settings.runbook,
    )
    telling = Telling()
    write_to_log([alert])
    tell([alert], context or {}, telling)
    if telling.problems:
        raise NotificationError(telling.problems)


def _moment(value: Any) -> datetime | None:
    """A time of Airflow's, as its REST API or Python has it, in UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return None if found is None else found.astimezone(UTC)


def _settings() -> Settings:
    """The settings, or those of the environment alone.

    Airflow 3.3 refuses the Variables to a deadline's callback (its token is not exchanged, apache/airflow#66141).
    """
    try:
        return settings_module.current()
    except settings_module.ConfigurationError:
        raise
    except Exception as error:
        log.warning("Airflow's Variables cannot be read here, the environment counts: %s", safe_text(error))
        return settings_module.parse()
