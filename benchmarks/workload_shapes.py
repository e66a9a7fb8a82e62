"""Workloads of known latency: each call's milliseconds, and what AGGREGATE_QUERY_HISTORY would say about them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MINUTES = 30
CALLS = 3000
"""In a minute, unless the shape says otherwise."""

PERCENTILES = {"MEDIAN": 2, "P90": 10, "P95": 20, "P99": 100, "P999": 1000}
"""One call in so many is larger."""

Latency = Callable[[random.Random, int], float]
"""``latency(source of chance, minute)``: one call, ms."""


@dataclass(frozen=True)
class Shape:
    """A workload.

    :param minutes: latencies of each minute, whole ms as the database measures them
    """

    name: str
    minutes: tuple[tuple[int, ...], ...]

    @property
    def calls(self) -> int:
        return sum(map(len, self.minutes))

    def percentile(self, name: str) -> int:
        """The raw truth, ms: the discrete percentile of all calls."""
        return percentile(sorted(latency for minute in self.minutes for latency in minute), PERCENTILES[name])

    def view_rows(self) -> list[dict[str, int]]:
        """What the view says: a row per minute with the keys of its OBJECT columns, and ``calls``."""
        return [_view_row(sorted(minute)) for minute in self.minutes]


def percentile(ordered: Sequence[int], divisor: int) -> int:
    """The smallest value that all but one in ``divisor`` values do not exceed."""
    return ordered[len(ordered) - len(ordered) // divisor - 1]


def _view_row(ordered: Sequence[int]) -> dict[str, int]:
    points = {"median": 2, "p90": 10, "p99": 100, "p99.9": 1000}
    known = {name: percentile(ordered, divisor) for name, divisor in points.items()}
    return {"calls": len(ordered), "min": ordered[0], **known, "max": ordered[-1]}


def shapes(seed: int) -> list[Shape]:
    """The workloads; the same seed gives the same calls."""
    return [
        _shape("steady", seed, lambda chance, _: _lognormal(chance, 40, 0.4)),
        _shape(
            "x10 load for 10 minutes", seed, lambda chance, minute: _lognormal(chance, 400 if minute >= 20 else 40, 0.4)
        ),
        _shape("drift to the fourfold", seed, lambda chance, minute: _lognormal(chance, 20 * (1 + minute / 10), 0.5)),
        _shape("bimodal 98/2", seed, _bimodal),
        _shape("one bad minute", seed, lambda chance, minute: _lognormal(chance, 800 if minute == 17 else 40, 0.4)),
        _shape("Pareto tail", seed, lambda chance, _: 10 * chance.paretovariate(2.5)),
        _shape("40 calls a minute", seed, lambda chance, _: _lognormal(chance, 40, 0.5), calls=40),
        _shape("constant", seed, lambda *_: 25),
        _shape("zeros", seed, lambda chance, _: 0 if chance.random() < 0.7 else _lognormal(chance, 5, 1.0)),
        _shape("exponential", seed, lambda chance, _: chance.expovariate(1 / 50)),
    ]


def _shape(name: str, seed: int, latency: Latency, *, calls: int = CALLS) -> Shape:
    chance = random.Random(f"{name} {seed}")
    return Shape(
        name, tuple(tuple(math.floor(latency(chance, minute) + 0.5) for _ in range(calls)) for minute in range(MINUTES))
    )


def _lognormal(chance: random.Random, median: float, sigma: float) -> float:
    return chance.lognormvariate(math.log(median), sigma)


def _bimodal(chance: random.Random, _: int) -> float:
    return _lognormal(chance, 20, 0.3) if chance.random() < 0.98 else _lognormal(chance, 800, 0.2)
