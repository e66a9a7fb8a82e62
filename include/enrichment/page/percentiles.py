"""Percentiles as they are stored: an estimate between two bounds (docs/percentiles.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from include.enrichment.page.rows import Row, number

STORED = {"p50": "MEDIAN", "p90": "P90", "p95": "P95", "p99": "P99", "p99.9": "P999"}
"""Name of a percentile to that of its columns."""


@dataclass(frozen=True)
class Percentile:
    """One percentile, ms.

    :param value: None: not known, or not yet
    :param low: it is no smaller
    :param high: it is no larger; equal bounds: the value is exact
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    is_estimated: bool

    @classmethod
    def read(cls, row: Row, name: str, prefix: str) -> Self:
        """From the columns ``<prefix>_<quantile>_MS``, ``..._LOW_MS`` and ``..._HIGH_MS``."""
        column = f"{prefix}_{STORED[name]}"
        value, low, high = (number(row[f"{column}{end}"]) for end in ("_MS", "_LOW_MS", "_HIGH_MS"))
        is_exact = low is not None and low == high
        return cls(name, value, low, high, value is not None and not is_exact)


@dataclass(frozen=True)
class Distribution:
    """How long the calls took, ms: compilation, execution, or all of it (``elapsed``)."""

    avg: float | None
    min: float | None
    max: float | None
    percentiles: tuple[Percentile, ...]

    @classmethod
    def read(cls, row: Row, metric: str) -> Self:
        """From the columns of a metric.

        :param metric: ``EXEC``, ``COMPILE`` or ``ELAPSED``
        """
        avg, least, most = (number(row[f"{metric}_{value}_MS"]) for value in ("AVG", "MIN", "MAX"))
        return cls(avg, least, most, tuple(Percentile.read(row, name, metric) for name in STORED))

    def percentile(self, name: str) -> Percentile:
        """One of :data:`STORED`.

        :raises KeyError: it is none of them
        """
        return {item.name: item for item in self.percentiles}[name]
