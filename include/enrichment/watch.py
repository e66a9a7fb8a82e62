"""One look of ``enrichment_monitor``: ask, measure, tell, remember."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from include.enrichment import metrics, monitor
from include.enrichment.alerts import Memory, evaluate
from include.enrichment.notifications import NotificationError, tell
from include.enrichment.snowflake import open_hook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.enrichment.monitor import Measurement
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

MEMORY = "open_alerts"
"""Key of the XCom that holds what has been told; the next look reads that of the newest look before it."""


def look(conn_id: str, settings: Settings, context: Mapping[str, Any]) -> dict[str, float | None]:
    """Measure everything once and tell what has changed.

    :returns: key of each objective to its value, for the XCom
    :raises AirflowFailException: a notifier failed; everything else was told and is remembered
    """
    ti, now = context["ti"], datetime.now(UTC).replace(tzinfo=None)
    memory: Memory = ti.xcom_pull(task_ids=ti.task_id, key=MEMORY, include_prior_dates=True) or {}
    try:
        buckets = monitor.read_buckets(open_hook(conn_id, settings), settings)
    except Exception:
        if ti.try_number > (ti.max_tries or 0):  # not for what Airflow's own retry mends
            _tell([monitor.unreadable(settings)], memory, now, settings, context, is_partial=True)
        raise
    measurements = monitor.measure(buckets, settings, now)
    figures = monitor.Figures(tuple(buckets), now, timedelta(days=settings.look_back_days))
    metrics.measured(measurements, figures.due_backfill_jobs()[0])
    for measurement in measurements:
        log.info("%s: %s %s", measurement.objective.name, measurement.value, measurement.level)
    _tell(measurements, memory, now, settings, context)
    return {measurement.objective.key: measurement.value for measurement in measurements}


def _tell(
    measurements: Iterable[Measurement],
    memory: Memory,
    now: datetime,
    settings: Settings,
    context: Mapping[str, Any],
    *,
    is_partial: bool = False,
) -> None:
    """Remember, then tell: Airflow drops a try's XComs when it is repeated, so a notifier's failure is not retried.

    :param is_partial: alerts of what was not measured go on
    """
    alerts, kept = evaluate(measurements, memory, now, reminder=timedelta(hours=settings.reminder_hours))
    context["ti"].xcom_push(key=MEMORY, value={**memory, **kept} if is_partial else kept)
    try:
        tell(alerts, settings.notifiers, context)
    except NotificationError as error:
        raise AirflowFailException(str(error)) from None
