"""A mixture of rows of the view, inverted exactly: what the merged percentiles of the product are held against.

Written from ``docs/percentiles.md`` on nothing of the product: the exact normal distribution instead of an
approximation, bisection instead of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

_NORMAL = NormalDist()
_TIE = 1e-6
"""A share of the calls; what is missing to a percentile by less is not missing."""

_NOTHING = math.log(0.5) - 1e-9
"""The logarithm of no time, and a little less."""

DIVISORS = {"MEDIAN": 2, "P90": 10, "P95": 20, "P99": 100, "P999": 1000}
"""One call in so many lies above the percentile."""

POINTS = (2, 10, 100, 1000)
"""Those that the view has between the smallest and the largest value."""


@dataclass(frozen=True)
class RowOfView:
    """One row.

    :param values: min, median, p90, p99, p99.9, max
    """

    calls: int
    values: Sequence[float]

    @property
    def rising(self) -> tuple[float, ...]:
        """Each value at least as large as the one before; none below zero."""
        kept: list[float] = []
        for value in self.values:
            kept.append(max(value, kept[-1] if kept else 0.0))
        return tuple(kept)


class Mixture:
    """Rows of the view as one distribution."""

    def __init__(self, rows: Sequence[RowOfView]) -> None:
        self.rows = rows
        self.calls = sum(row.calls for row in rows)
        self._curves = [(row.calls, Curve(row)) for row in rows]

    def estimate(self, quantile: str) -> float:
        """The value below which the quantile's share of the calls lies, ms; between the bounds."""
        low, high = self.bounds(quantile)
        return min(max(self.value(1 - 1 / DIVISORS[quantile] - _TIE), low), high)

    def bounds(self, quantile: str) -> tuple[float, float]:
        """Between which the percentile lies, however the calls lie between the points, ms."""
        return self.range_of(self.calls - math.ceil((self.calls - 1) / DIVISORS[quantile]))

    def value(self, share: float) -> float:
        """The smallest time up to which this share of the calls lies, ms."""
        goal = self.calls * share
        below, above = _NOTHING, max(curve.x[-1] for _, curve in self._curves)
        while below < (middle := (below + above) / 2) < above:
            if sum(calls * curve.share(middle) for calls, curve in self._curves) >= goal:
                above = middle
            else:
                below = middle
        return math.exp(above) - 0.5

    def range_of(self, place: int) -> tuple[float, float]:
        """Between which the call at this place, or the next, lies if all calls are put in order, ms."""
        most: list[tuple[float, int]] = []
        fewest: list[tuple[float, int]] = []
        for row in self.rows:
            known = [1, *(row.calls - math.ceil((row.calls - 1) / point) for point in POINTS), row.calls]
            for number, value in enumerate(row.rising):
                fewest.append((value, known[number] - (known[number - 1] if number else 0)))
                here = min(known[min(number + 1, 5)], row.calls - (number < 5))
                before = min(known[number], row.calls - 1) if number else 0
                most.append((value, here - before))
        return _reaches(most, place), _reaches(fewest, min(place + 1, self.calls))


def _reaches(steps: list[tuple[float, int]], rank: int) -> float:
    counted = 0
    for value, calls in sorted(steps):
        counted += calls
        if counted >= rank:
            return value
    raise ValueError("more than there are")


class Curve:
    """The share of a row's calls up to a value; the value as LN(value + 0.5)."""

    def __init__(self, row: RowOfView) -> None:
        calls, rising = row.calls, row.rising
        end = min(math.log(2), calls / 2)
        below = [end]
        for point in POINTS:
            larger = calls // point
            below.append(calls - end if larger == 0 else end if larger == calls - 1 else calls - larger - 0.5)
        below.append(calls - end)
        values = [
            rising[5] if share == below[5] else rising[0] if share == below[0] else rising[number]
            for number, share in enumerate(below)
        ]
        self.x = [math.log(value + 0.5) for value in values]
        self.z = [_normal_quantile(share, calls) for share in below]
        steps = list(zip(self.x, self.x[1:], self.z, self.z[1:], strict=False))
        slopes = [(z1 - z0) / (x1 - x0) if x1 > x0 else None for x0, x1, z0, z1 in steps]
        self.at = [
            None if before is None or after is None or number == 3 else 2 * before * after / (before + after)
            for number, (before, after) in enumerate(pairwise(slopes))
        ]
        self.slopes = slopes

    def share(self, x: float) -> float:
        if x < self.x[0]:
            return 0.0
        if x >= self.x[-1]:
            return 1.0
        piece = max(number for number in range(5) if self.x[number] <= x)
        slope = self.slopes[piece]
        assert slope is not None
        width = self.x[piece + 1] - self.x[piece]
        rise = self.z[piece + 1] - self.z[piece]
        left = self.at[piece - 1] if piece > 0 else None
        right = self.at[piece] if piece < 4 else None
        m0, m1 = (width * (slope if bend is None else bend) for bend in (left, right))
        u = (x - self.x[piece]) / width
        z = self.z[piece] + u * (m0 + u * (3 * rise - 2 * m0 - m1 + u * (m0 + m1 - 2 * rise)))
        return _NORMAL.cdf(z)


def _normal_quantile(below: float, calls: int) -> float:
    tail = max(min(below, calls - below) / calls, 1e-15)
    return _NORMAL.inv_cdf(tail) * (-1 if 2 * below > calls else 1)
