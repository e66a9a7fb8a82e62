"""One look of ``enrichment_monitor``: ask, measure, tell, remember."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable
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

MEMORY = "flakebench_enrichment_open_alerts"
"""Airflow Variable that holds what has been told; without it every alert starts anew.

No XCom of the last look: which is the last is not to be had reliably, since Airflow orders those of earlier runs by a
logical date that a run triggered by hand need not have.
"""


def look(conn_id: str, settings: Settings, context: Mapping[str, Any]) -> dict[str, float | None]:
    """Measure everything once and tell what has changed.

    :returns: key of each objective to its value, for the XCom
    :raises AirflowFailException: a notifier failed; everything else was told and is remembered
    """
    ti, now = context["ti"], datetime.now(UTC).replace(tzinfo=None)
    memory: Memory = Variable.get(MEMORY, default={}, deserialize_json=True)
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
    """Remember, then tell: who is killed between the two tells nobody twice. A notifier that failed has the next look.

    :param is_partial: alerts of what was not measured go on
    """
    alerts, kept = evaluate(
        measurements, memory, now, reminder=timedelta(hours=settings.reminder_hours), runbook=settings.runbook
    )
    remembered = {**memory, **kept} if is_partial else kept
    if remembered != memory:
        _remember(remembered)
    try:
        tell(alerts, settings.notifiers, context)
    except NotificationError as error:
        untold = {key: {**remembered[key], "untold": names} for key, names in error.untold.items() if key in remembered}
        _remember({**remembered, **untold})
        raise AirflowFailException(str(error)) from None


def _remember(memory: Memory) -> None:
    Variable.set(MEMORY, memory, description="What enrichment_monitor has told.", serialize_json=True)
