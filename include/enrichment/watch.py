"""One look of ``enrichment_monitor``: ask, measure, tell, remember."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from include.enrichment import metrics, monitor
from include.enrichment.alerts import Alert, Memory, after_telling, evaluate
from include.enrichment.errors import safe_text
from include.enrichment.notifications import NotificationError, Telling, tell, write_to_log
from include.enrichment.operations import Operation
from include.enrichment.snowflake import open_hook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.monitor import Measurement
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

MEMORY = "flakebench_enrichment_open_alerts"
"""Airflow Variable that holds what has been told; without it every alert starts anew.

No XCom of the last look: which is the last is not to be had reliably, since Airflow orders those of earlier runs by a
logical date that a run triggered by hand need not have.
"""


def look(conn_id: str, settings: Settings, context: Mapping[str, Any]) -> dict[str, float | None]:
    """Measure everything once and tell what has changed.

    :returns: key of each objective to its value, for the XCom
    :raises AirflowFailException: a notifier failed; the others have told, and the next look tries it again
    """
    ti, now = context["ti"], datetime.now(UTC).replace(tzinfo=None)
    memory: Memory = Variable.get(MEMORY, default={}, deserialize_json=True)
    try:
        hook = open_hook(conn_id, settings)
        buckets = monitor.read_buckets(hook, settings)
    except (Exception, AirflowTaskTimeout):
        if ti.try_number > (ti.max_tries or 0):  # not for what Airflow's own retry mends
            no_answer = monitor.unreadable(settings)
            metrics.measured([no_answer])
            alerts, kept = _evaluate([no_answer], memory, now, settings)
            write_to_log(alerts)
            _tell(alerts, memory, {**memory, **kept}, context)  # alerts of what was not measured go on
        raise
    figures = monitor.Figures.of_now(buckets, settings, now)
    measurements = monitor.measure(figures, settings)
    metrics.measured(measurements, figures.due_backfill_jobs()[0])
    for measurement in measurements:
        log.info("%s: %s %s", measurement.objective.name, measurement.value, measurement.level)
    alerts, kept = _evaluate(measurements, memory, now, settings)
    write_to_log(alerts)
    _record(alerts, Operation.of_try("alert", ti, now), hook, settings)
    if problems := _tell(alerts, memory, kept, context):
        raise AirflowFailException(f"{NotificationError(problems)} The next look tries again.")
    return {measurement.objective.key: measurement.value for measurement in measurements}


def _evaluate(
    measurements: Iterable[Measurement], memory: Memory, now: datetime, settings: Settings
) -> tuple[list[Alert], Memory]:
    return evaluate(
        measurements,
        memory,
        now,
        reminder=timedelta(hours=settings.reminder_hours),
        notifiers=settings.notifiers,
        runbook=settings.runbook,
    )


def _tell(alerts: Sequence[Alert], before: Memory, kept: Memory, context: Mapping[str, Any]) -> list[str]:
    """Remember, tell, and remember who has heard: a look that is stopped in between tells again, instead of never.

    :returns: a line for each notifier that failed
    """
    if kept != before:
        _remember(kept)
    telling = Telling()
    try:
        tell(alerts, context, telling)
    finally:
        if (afterwards := after_telling(kept, alerts, telling.heard)) != kept:
            _remember(afterwards)
    return telling.problems


def _remember(memory: Memory) -> None:
    Variable.set(MEMORY, memory, description="What enrichment_monitor has told.", serialize_json=True)


def _record(alerts: Iterable[Alert], operation: Operation, hook: DbApiHook, settings: Settings) -> None:
    """Write what is new to ENRICHMENT_OPERATIONS; that it cannot be written is logged, not raised."""
    news = [alert.as_json() for alert in alerts if alert.is_news]
    if not news:
        return
    try:
        operation.record(hook, settings, "SUCCEEDED", {"alerts": news})
    except Exception as error:
        log.warning("The alerts cannot be written to ENRICHMENT_OPERATIONS: %s", safe_text(error))
