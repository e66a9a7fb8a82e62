"""The package's metrics, through Airflow's own Stats: StatsD or OpenTelemetry, whichever the deployment has configured.

Names begin with :data:`~include.enrichment.slo.METRIC_PREFIX`; what tells apart is a tag, never a part of the name. A
metric that cannot be sent is no reason to fail a task: Airflow's clients swallow their errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from include.enrichment.slo import METRIC_PREFIX

if TYPE_CHECKING:
    from include.enrichment.monitor import Measurement

COUNTERS = {
    "tasks_claimed": "Tasks that passes have claimed.",
    "tasks_ended": "Tries that ended, by `type`, `outcome` (completed, snoozed, skipped, failed, lost) and `reason`.",
    "rows_written": "Rows written, by `type`.",
}
TIMERS = {"try_duration": "How long a try took, by `type` and `outcome`."}
GAUGES = {
    "tasks_left": "Due tasks for which the last batch had no room.",
    "due_backfill_jobs": "Backfill that is due.",
    "looked_at": "When the monitor last looked, in seconds since 1970 (UTC), with or without an answer.",
}
"""Besides one per objective; see :data:`include.enrichment.slo.OBJECTIVES`."""


def claimed(tasks: int, tasks_left: int) -> None:
    """What a pass has claimed, and what its batch had no room for."""
    stats = _stats()
    stats.incr(f"{METRIC_PREFIX}.tasks_claimed", tasks)
    stats.gauge(f"{METRIC_PREFIX}.tasks_left", tasks_left)


def ended(
    enrichment_type: str, outcome: str, reason_code: str | None, duration: timedelta, rows_written: int = 0
) -> None:
    """How a try of a task ended.

    :param outcome: ``completed``, ``snoozed``, ``skipped``, ``failed`` or ``lost``
    """
    stats = _stats()
    tags = {"type": enrichment_type, "outcome": outcome}
    stats.incr(f"{METRIC_PREFIX}.tasks_ended", tags={**tags, "reason": reason_code or "none"})
    stats.timing(f"{METRIC_PREFIX}.try_duration", duration, tags=tags)
    if rows_written:
        stats.incr(f"{METRIC_PREFIX}.rows_written", rows_written, tags={"type": enrichment_type})


def measured(measurements: Iterable[Measurement], due_backfill_jobs: float | None = None) -> None:
    """Figures of the monitor as gauges, and when it looked.

    Where there is nothing to measure 0 is sent: an exporter shows the last value for ever, and an alert on it would
    never end.

    :param due_backfill_jobs: None: not known
    """
    stats = _stats()
    for measurement in measurements:
        stats.gauge(measurement.objective.gauge, measurement.value or 0)
    if due_backfill_jobs is not None:
        stats.gauge(f"{METRIC_PREFIX}.due_backfill_jobs", due_backfill_jobs)
    stats.gauge(f"{METRIC_PREFIX}.looked_at", time.time())


def _stats() -> Any:
    """Airflow's Stats, a module or, before Airflow 3.2, a class; imported late: DAG files are parsed without it."""
    try:
        return import_module("airflow.sdk.observability.stats")
    except ImportError:
        return import_module("airflow.stats").Stats
