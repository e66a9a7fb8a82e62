"""The service levels of the enrichment: what is measured, and from which value on somebody has to look.

The numbers are those of the original plan; the queries that measure them are in ``include/sql/monitor``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a measure stands."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Objective:
    """From which value on a measure is a warning, and from which it is critical.

    :param unit: of all three values
    """

    name: str
    unit: str
    warning_above: float
    critical_above: float

    def level(self, value: float | None) -> Level:
        """How a value stands; None: nothing was there to measure, which is neither good nor bad."""
        if value is None:
            return Level.UNKNOWN
        if value > self.critical_above:
            return Level.CRITICAL
        return Level.WARNING if value > self.warning_above else Level.OK


DUE_JOBS = Objective("Jobs that are due", "jobs", 50, 200)
OLDEST_PENDING = Objective("Oldest pending type", "minutes", 6 * 60, 12 * 60)
FAILURE_RATE = Objective("Failed of what settled in 24 hours", "percent", 5, 15)
COMPLETION_LATENCY = Objective("Slowest completion after it was due, in 24 hours", "minutes", 30, 60)
STALE_LEASES = Objective("Types whose worker is gone", "types", 1, 5)
