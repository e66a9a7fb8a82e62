"""The service levels of the enrichment: what is measured, and from which value on somebody has to look.

The one table of thresholds: the monitor, the health page, Grafana's dashboard and the rules for Prometheus are made
from it. The numbers are those of the original plan; ``FLAKEBENCH_ENRICHMENT_THRESHOLDS`` overrides them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

RUNBOOK = "docs/operate.md"
METRIC_PREFIX = "flakebench_enrichment"

Overrides = Mapping[str, Mapping[Literal["warning", "critical"], float | None]]
"""Key of an objective to its thresholds of this deployment; None switches a level off."""


class Level(StrEnum):
    """How a measure stands."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    UNKNOWN = "UNKNOWN"

    @property
    def rank(self) -> int:
        """Higher is worse; what is unknown is no reason to call anybody."""
        return {Level.WARNING: 1, Level.CRITICAL: 2}.get(self, 0)


@dataclass(frozen=True)
class Objective:
    """From which value on a measure is a warning, and from which it is critical.

    :param key: its name in the setting, in metrics and in the link to the runbook
    :param unit: of all three values
    :param warning_above: None: it is never a warning
    :param critical_above: None: it is never critical
    """

    key: str
    name: str
    unit: str
    warning_above: float | None
    critical_above: float | None

    def level(self, value: float | None) -> Level:
        """How a value stands; None: nothing was there to measure, which is neither good nor bad."""
        if value is None:
            return Level.UNKNOWN
        if self.critical_above is not None and value > self.critical_above:
            return Level.CRITICAL
        return Level.WARNING if self.warning_above is not None and value > self.warning_above else Level.OK

    def threshold(self, level: Level) -> float | None:
        """The value above which it has this level."""
        return self.critical_above if level is Level.CRITICAL else self.warning_above

    @property
    def anchor(self) -> str:
        """The heading of its entry in the runbook, and the link to it."""
        return self.key.replace("_", "-")

    @property
    def gauge(self) -> str:
        """Name of the gauge, as StatsD gets it from Airflow behind its prefix."""
        return f"{METRIC_PREFIX}.{self.key}"


DUE_JOBS = Objective("due_jobs", "Jobs that are due", "jobs", 50, 200)
BACKLOG = Objective("backlog", "Backlog of jobs that are due", "jobs", 100, None)
OLDEST_PENDING = Objective("oldest_pending", "Oldest pending type", "minutes", 6 * 60, 12 * 60)
FAILURE_RATE = Objective("failure_rate", "Failed of what settled in 24 hours", "percent", 5, 15)
FAILED_JOBS = Objective("failed_jobs", "Jobs with a failed type in 24 hours", "jobs", 10, None)
COMPLETION_LATENCY = Objective(
    "completion_latency", "Slowest completion after it was due, in 24 hours", "minutes", 30, 60
)
LATE_JOBS = Objective("late_jobs", "Jobs not done 4 hours after their test ended", "percent", None, 5)
SLOW_JOBS = Objective("slow_jobs", "Jobs not done 3.5 hours after their test ended", "percent", 5, None)
STALE_LEASES = Objective("stale_leases", "Types whose worker is gone", "types", 1, 5)
AVERAGE_ATTEMPTS = Objective("average_attempts", "Attempts per job that settled in 24 hours", "attempts", 2, None)
MISSED_RUNS = Objective("missed_runs", "Finished runs that left the look-back without a job", "runs", 0, None)
UNREADABLE = Objective("unreadable", "Looks of the monitor without an answer of Snowflake", "looks", 0, None)
HANGING_PASS = Objective("hanging_pass", "Pass that has not ended", "minutes", None, None)
"""Not the monitor's: Airflow watches the deadline of a pass, and a setting is its threshold."""

OBJECTIVES: tuple[Objective, ...] = (
    DUE_JOBS,
    BACKLOG,
    OLDEST_PENDING,
    FAILURE_RATE,
    FAILED_JOBS,
    COMPLETION_LATENCY,
    LATE_JOBS,
    SLOW_JOBS,
    STALE_LEASES,
    AVERAGE_ATTEMPTS,
    MISSED_RUNS,
    UNREADABLE,
)

RUNBOOK_ANCHORS: tuple[str, ...] = tuple(objective.anchor for objective in (*OBJECTIVES, HANGING_PASS))
"""What the runbook has an entry for, under exactly this heading."""


def objectives(overrides: Overrides) -> dict[str, Objective]:
    """The table with the thresholds of this deployment.

    :param overrides: key to ``warning`` or ``critical`` or both
    :raises ValueError: naming a key that no objective has, or a warning above its critical threshold
    """
    known = {objective.key: objective for objective in OBJECTIVES}
    if unknown := sorted(set(overrides) - set(known)):
        raise ValueError(f"unknown objectives {unknown}; known are {sorted(known)}")
    return {key: _overridden(objective, overrides.get(key, {})) for key, objective in known.items()}


def _overridden(objective: Objective, levels: Mapping[Literal["warning", "critical"], float | None]) -> Objective:
    if unknown := sorted(set(levels) - {"warning", "critical"}):
        raise ValueError(f"{objective.key} has no level {unknown}; it has 'warning' and 'critical'")
    warning = levels.get("warning", objective.warning_above)
    critical = levels.get("critical", objective.critical_above)
    if warning is not None and critical is not None and warning > critical:
        raise ValueError(f"{objective.key}: warning {warning:g} is above critical {critical:g}")
    return replace(objective, warning_above=warning, critical_above=critical)
