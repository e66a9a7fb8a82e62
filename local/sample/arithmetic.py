"""Exact arithmetic for the truth: sums, averages, deviations and percentiles of whole milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

QUANTILES = {
    "MEDIAN": Fraction(1, 2),
    "P90": Fraction(9, 10),
    "P95": Fraction(19, 20),
    "P99": Fraction(99, 100),
    "P999": Fraction(999, 1000),
}
SOURCE_POINTS = {"MEDIAN": ("MEDIAN",) * 2, "P90": ("P90",) * 2, "P95": ("P90", "P99"), "P99": ("P99",) * 2}
SOURCE_POINTS["P999"] = ("P999",) * 2
"""Known points of the view at or around each quantile: below, above. The view has no P95."""


FEW_CALLS = 1000
"""Fewer have no 99.9th percentile; their maximum stands for it."""


@dataclass(frozen=True)
class Between:
    """What the truth says about an estimate: no more than where it lies."""

    low: Decimal
    high: Decimal

    def holds(self, value: Decimal) -> bool:
        return self.low <= value <= self.high


def rounded(value: Fraction | int, places: int = 3) -> Decimal:
    """A value as ``NUMBER(38, places)``; Snowflake rounds halves away from zero."""
    exact = Fraction(value)
    with localcontext() as context:
        context.prec = 60
        quotient = Decimal(exact.numerator) / Decimal(exact.denominator)
        return quotient.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def average(values: Sequence[int]) -> Fraction:
    """Arithmetic mean; all calls of all rows, so SUM(sum) / SUM(CALLS)."""
    return Fraction(sum(values), len(values))


def deviation(values: Sequence[int]) -> Decimal | None:
    """Sample standard deviation to three places; None for a single value."""
    if len(values) < 2:
        return None
    mean = average(values)
    variance = sum(((value - mean) ** 2 for value in values), Fraction(0)) / (len(values) - 1)
    with localcontext() as context:
        context.prec = 60
        root = (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()
        return root.quantize(Decimal("0.001"), rounding=ROUND_HALF_UP)


def percentile(values: Iterable[int], share: Fraction) -> Fraction:
    """Percentile by linear interpolation between the ordered values."""
    ordered = sorted(values)
    whole, rest = divmod(share * (len(ordered) - 1), 1)
    low = ordered[whole]
    return low + rest * (ordered[min(whole + 1, len(ordered) - 1)] - low)
