"""AGGREGATE: what the rows of AGGREGATE_QUERY_HISTORY add up to, for a pattern and for the run (SPEC §5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.mixture import DIVISORS, Mixture, RowOfView
from tests.faults.oracle.belonging import Run, Tables, is_measured
from tests.faults.oracle.values import Row, element, elements, identity, number, text, total, utc, whole, within

METRICS = {"EXEC": "EXECUTION_TIME", "COMPILE": "COMPILATION_TIME", "ELAPSED": "TOTAL_ELAPSED_TIME"}
POINTS = ("min", "median", "p90", "p99", "p99.9", "max")
OWN_POINTS = {
    "MEDIAN": ("median", "median"),
    "P90": ("p90", "p90"),
    "P95": ("p90", "p99"),
    "P99": ("p99", "p99"),
    "P999": ("p99.9", "p99.9"),
}
"""Between which points of its own the percentile of a single row lies."""

FEW_CALLS = 1000
"""Fewer have no 99.9th percentile but their maximum."""


@dataclass(frozen=True)
class Patterns:
    """What the view says about the run.

    :param rows: of AGGREGATE_QUERY_METRICS
    :param summary: the type's columns of RUN_ENRICHMENT_SUMMARY
    :param calls: of all rows
    """

    rows: list[Row]
    summary: Row
    calls: int


def find_patterns(tables: Tables, run: Run) -> Patterns:
    """The patterns of a run: one row per hash, NULL being one."""
    seen: dict[str, Row] = {}
    for row in tables["AGGREGATE_QUERY_HISTORY"]:
        if within(row.get("INTERVAL_START_TIME"), run.start, run.end) and run.tag_of(row) and is_measured(row):
            seen.setdefault(identity(row), row)
    counted = [row for row in seen.values() if (row.get("CALLS") or 0) > 0]
    hashes = {row.get("QUERY_PARAMETERIZED_HASH") for row in counted}
    groups = {name: [row for row in counted if row.get("QUERY_PARAMETERIZED_HASH") == name] for name in hashes}
    rows = [_pattern(name, group, run) for name, group in groups.items()]
    calls = sum(row["CALLS"] for row in counted)
    summary = {
        "QUERY_PATTERN_COUNT": len(rows),
        "QUERY_COUNT": calls,
        "ERRORS_COUNT": _error_count(counted),
        "THROTTLED_QUERY_COUNT": total(row.get("HYBRID_TABLE_REQUESTS_THROTTLED_COUNT") for row in counted),
        **_times(counted),
        **_queues(counted),
    }
    return Patterns(rows, summary, calls)


def _pattern(name: str | None, group: Sequence[Row], run: Run) -> Row:
    tags = {run.tag_of(row) for row in group}
    calls = sum(row["CALLS"] for row in group)
    volumes: Row = {}
    for target in ("BYTES_SCANNED", "ROWS_PRODUCED"):
        amount = _all_known(_statistic(group, target, "sum"), sum)
        volumes[f"{target}_SUM"] = amount
        volumes[f"{target}_AVG"] = None if amount is None else amount / calls
        volumes[f"{target}_MAX"] = _all_known(_statistic(group, target, "max"), max)
    queues = _queues(group)
    for target in ("QUEUED_OVERLOAD", "QUEUED_PROVISIONING"):
        waited = queues[f"{target}_SUM_MS"]
        queues[f"{target}_AVG_MS"] = None if waited is None else waited / calls
    return {
        "QUERY_PARAMETERIZED_HASH": name,
        "QUERY_TAG": next(iter(tags)) if len(tags) == 1 else None,
        "INTERVAL_START": min(utc(row["INTERVAL_START_TIME"]) for row in group),
        "INTERVAL_END": max((utc(end) for row in group if (end := row.get("INTERVAL_END_TIME"))), default=None),
        "INTERVAL_COUNT": len({utc(row["INTERVAL_START_TIME"]) for row in group}),
        "QUERY_COUNT": calls,
        "ERRORS_COUNT": _error_count(group),
        "ERRORS_BREAKDOWN": _errors(group),
        "HYBRID_REQUESTS_THROTTLED_COUNT": total(row.get("HYBRID_TABLE_REQUESTS_THROTTLED_COUNT") for row in group),
        **_times(group),
        **queues,
        **volumes,
    }


def _times(group: Sequence[Row]) -> Row:
    values: Row = {}
    for metric, column in METRICS.items():
        values |= {f"{metric}_{name}_MS": value for name, value in _moments(group, column).items()}
        values |= {f"{metric}_{name}_MS": value for name, value in _quantiles(group, column).items()}
    method = None if not group else "EXACT" if len(group) == 1 else "MIXTURE"
    few = sum(row["CALLS"] for row in group) < FEW_CALLS if group else None
    return values | {"PERCENTILE_METHOD": method, "P999_IS_MAX": few}


def _moments(group: Sequence[Row], column: str) -> Row:
    """Sum, mean, pooled sample deviation, extremes; a value that one row lacks is unknown for all."""
    calls = [row["CALLS"] for row in group]
    sums = [
        stated if stated is not None else None if mean is None else mean * n
        for stated, mean, n in zip(
            _statistic(group, column, "sum"), _statistic(group, column, "avg"), calls, strict=True
        )
    ]
    whole_sum = _all_known(sums, sum)
    mean_of_all = None if whole_sum is None else whole_sum / sum(calls)
    within_rows = [
        0.0 if n == 1 else None if deviation is None else (n - 1) * deviation**2
        for deviation, n in zip(_statistic(group, column, "stddev"), calls, strict=True)
    ]
    variation, deviation_of_all = _all_known(within_rows, sum), None
    if variation is not None and mean_of_all is not None and sum(calls) > 1:
        between = sum(
            n * (part / n - mean_of_all) ** 2 for part, n in zip(sums, calls, strict=True) if part is not None
        )
        deviation_of_all = math.sqrt((variation + between) / (sum(calls) - 1))
    return {
        "SUM": whole_sum,
        "AVG": mean_of_all,
        "STDDEV": deviation_of_all,
        "MIN": _all_known(_statistic(group, column, "min"), min),
        "MAX": _all_known(_statistic(group, column, "max"), max),
    }


def _quantiles(group: Sequence[Row], column: str) -> Row:
    """Percentiles and their bounds. Those of one row are the row's own, but for the 95th, which no row has."""
    calls = [row["CALLS"] for row in group]
    points = {key: _statistic(group, column, key) for key in POINTS}
    rows = [RowOfView(n, known) for n, *known in zip(calls, *points.values(), strict=True) if None not in known]
    mixture = Mixture(rows) if len(rows) == len(group) and group else None
    few = sum(calls) < FEW_CALLS
    values: Row = {}
    for quantile in DIVISORS:
        low, high = mixture.bounds(quantile) if mixture else (None, None)
        if len(group) == 1:
            low, high = (points[key][0] for key in OWN_POINTS[quantile])
            high = points["max"][0] if quantile == "P999" and few else high
        value = None
        if quantile == "P999" and few and (mixture or len(group) == 1):
            value = points["max"][0] if len(group) == 1 else max(row.rising[-1] for row in rows)
        if value is None and low is not None and high is not None:
            value = low if low == high else min(max(mixture.estimate(quantile), low), high) if mixture else None
        values |= {quantile: value, f"{quantile}_LOW": low, f"{quantile}_HIGH": high}
    return values


def _queues(group: Sequence[Row]) -> Row:
    return {
        f"{name}_{key.upper()}_MS": _all_known(_statistic(group, f"{name}_TIME", key), merge)
        for name in ("QUEUED_OVERLOAD", "QUEUED_PROVISIONING")
        for key, merge in (("sum", sum), ("max", max))
    }


def _statistic(group: Sequence[Row], column: str, key: str) -> list[float | None]:
    return [number(element(row.get(column), key)) for row in group]


def _all_known(values: Sequence[float | None], merge: Callable[[Any], float]) -> float | None:
    return None if not values or None in values else merge(values)


def _error_count(group: Sequence[Row]) -> int:
    return sum(_count(item) or 0 for row in group for item in elements(row.get("ERRORS")))


def _count(error: Row) -> int | None:
    return whole(error.get("count"), digits=18)


def _errors(group: Sequence[Row]) -> list[Row]:
    """By code: the smallest message and the sum of the counts; what is unknown has no key."""
    by_code: dict[str | None, list[Row]] = {}
    for row in group:
        for item in elements(row.get("ERRORS")):
            by_code.setdefault(text(item.get("code")), []).append(item)
    merged = []
    for code, items in by_code.items():
        message = min((said for item in items if (said := text(item.get("message"))) is not None), default=None)
        entry = {"code": code, "message": message, "count": total(_count(item) for item in items)}
        merged.append({key: value for key, value in entry.items() if value is not None})
    return merged
