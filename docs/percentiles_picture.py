"""The picture of ``docs/percentiles.md``: three minutes, their mixture, and its bounds."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from statistics import NormalDist

from benchmarks.mixture import Curve, Mixture, RowOfView
from benchmarks.workload_shapes import percentile

WIDTH, HEIGHT, LEFT, TOP = 760, 440, 64, 24
RIGHT, BOTTOM = WIDTH - 24, HEIGHT - 48
SHORTEST, LONGEST = 5.0, 2000.0
LOWEST, HIGHEST = 0.002, 0.9998
TIMES = (10, 20, 50, 100, 200, 500, 1000)
SHARES = (0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999)
MINUTES = ((1000, 20.0), (1000, 40.0), (500, 300.0))
"""Calls and median, ms."""

_NORMAL = NormalDist()


def picture() -> str:
    """``docs/percentiles.svg``; the same calls each time."""
    chance = random.Random(5)
    calls = [[round(chance.lognormvariate(math.log(median), 0.4)) for _ in range(n)] for n, median in MINUTES]
    rows = [_row(sorted(minute)) for minute in calls]
    mixture = Mixture(rows)
    every = sorted(call for minute in calls for call in minute)
    return "\n".join([*_frame(), *_envelope(mixture), *_rows(rows), *_mixture(mixture, every), "</svg>", ""])


def _row(ordered: list[int]) -> RowOfView:
    points = [percentile(ordered, divisor) for divisor in (2, 10, 100, 1000)]
    return RowOfView(len(ordered), [ordered[0], *points, ordered[-1]])


def _x(time: float) -> float:
    return LEFT + (RIGHT - LEFT) * math.log(max(time, SHORTEST) / SHORTEST) / math.log(LONGEST / SHORTEST)


def _y(share: float) -> float:
    bottom, top = _NORMAL.inv_cdf(LOWEST), _NORMAL.inv_cdf(HIGHEST)
    return BOTTOM - (BOTTOM - TOP) * (_NORMAL.inv_cdf(min(max(share, LOWEST), HIGHEST)) - bottom) / (top - bottom)


def _shares() -> Iterable[float]:
    low, high = _NORMAL.inv_cdf(LOWEST), _NORMAL.inv_cdf(HIGHEST)
    return (_NORMAL.cdf(low + (high - low) * step / 240) for step in range(241))


def _frame() -> list[str]:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for time in TIMES:
        lines.append(f'<path d="M{_x(time):.1f} {TOP}V{BOTTOM}" stroke="#e4e4e4"/>')
        lines.append(f'<text x="{_x(time):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{time:,}</text>')
    for share in SHARES:
        lines.append(f'<path d="M{LEFT} {_y(share):.1f}H{RIGHT}" stroke="#e4e4e4"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.1%}</text>')
    lines.append(f'<text x="{RIGHT}" y="{BOTTOM + 36}" text-anchor="end">ms, logarithmic</text>')
    return lines


def _envelope(mixture: Mixture) -> list[str]:
    ranges = [(share, mixture.range_of(math.floor(share * (mixture.calls - 1)) + 1)) for share in _shares()]
    left = [f"{_x(low):.1f} {_y(share):.1f}" for share, (low, _) in ranges]
    right = [f"{_x(high):.1f} {_y(share):.1f}" for share, (_, high) in reversed(ranges)]
    return [f'<path d="M{"L".join([*left, *right])}Z" fill="#dce9f7"/>']


def _rows(rows: Iterable[RowOfView]) -> list[str]:
    lines = []
    for row in rows:
        curve = Curve(row)
        steps = [curve.x[0] + (curve.x[-1] - curve.x[0]) * step / 120 for step in range(120)]
        line = "L".join(f"{_x(math.exp(x) - 0.5):.1f} {_y(curve.share(x)):.1f}" for x in steps)
        lines.append(f'<path d="M{line}" fill="none" stroke="#8a8a8a"/>')
        lines += [
            f'<circle cx="{_x(math.exp(x) - 0.5):.1f}" cy="{_y(_NORMAL.cdf(z)):.1f}" r="3.5" fill="#8a8a8a"/>'
            for x, z in zip(curve.x, curve.z, strict=True)
        ]
    return lines


def _mixture(mixture: Mixture, every: list[int]) -> list[str]:
    line = "L".join(f"{_x(mixture.value(share)):.1f} {_y(share):.1f}" for share in _shares())
    low, high = mixture.bounds("P95")
    value, y = mixture.estimate("P95"), _y(0.95)
    truth = percentile(every, 20)
    return [
        f'<path d="M{line}" fill="none" stroke="#0b5cad" stroke-width="2.5"/>',
        f'<path d="M{_x(low):.1f} {y - 6:.1f}v12m0 -6H{_x(high):.1f}m0 -6v12" stroke="#c2410c" stroke-width="1.5"/>',
        f'<circle cx="{_x(value):.1f}" cy="{y:.1f}" r="5" fill="#c2410c"/>',
        f'<text x="{RIGHT - 8}" y="{_y(0.3):.1f}" text-anchor="end" fill="#c2410c">p95: {value:.0f} ms</text>',
        f'<text x="{RIGHT - 8}" y="{_y(0.3) + 16:.1f}" text-anchor="end" fill="#c2410c">{low:.0f} to {high:.0f} ms; '
        f"raw truth {truth} ms</text>",
    ]
