"""Merged percentiles on the embedded Snowflake: how far from the raw truth, inside their bounds, and how fast?

The shapes are made from raw latencies; the SQL is the product's, on rows as AGGREGATE_QUERY_HISTORY would have them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from rich.console import Console
from rich.table import Table

from benchmarks.embedded import embedded
from benchmarks.report import Row, publish
from benchmarks.workload_shapes import PERCENTILES, Shape, shapes
from include.enrichment.settings import Settings
from include.enrichment.templates import statements
from local.connection import LocalConnection
from local.environment import QUIET
from local.processes import StoppedError, stop_on_signals

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

SEEDS = (1, 2, 3, 4, 5)
BAR = {"MEDIAN": 1.5, "P90": 5.5, "P95": 6.0, "P99": 5.5, "P999": 5.0}
"""Largest error allowed, percent of the truth, or 1 ms if that is more."""

FEW_CALLS = 10_000
"""From here on the bar holds for the 99.9th percentile."""

_POINTS = {"MIN": "min", "MEDIAN": "median", "P90": "p90", "P99": "p99", "P999": "p99.9", "MAX": "max"}
_METRICS = ("EXEC", "COMPILE", "ELAPSED")
_MERGE = "enrich/_merged_percentiles.sql"
_ROWS_AT_ONCE = 20_000

SourceRow = tuple[str, int, dict[str, float]]
"""Pattern, calls, and the points of the view's OBJECT."""


@dataclass(frozen=True)
class Estimate:
    """One percentile of one shape, ms.

    :param naive: by the three methods of :func:`naive`
    """

    shape: Shape
    percentile: str
    truth: int
    value: float
    low: float
    high: float
    naive: dict[str, float]

    @property
    def error(self) -> float:
        """Percent of the truth."""
        return _percent(self.value, self.truth)

    @property
    def is_in_bounds(self) -> bool:
        return self.low <= self.truth <= self.high

    @property
    def has_bar(self) -> bool:
        """No bar: the 95th percentile of two modes lies in the gap between them, and few calls have no 99.9th."""
        if self.percentile == "P95" and self.shape.name.startswith("bimodal"):
            return False
        return self.percentile != "P999" or self.shape.calls >= FEW_CALLS

    @property
    def holds(self) -> bool:
        """Whether the error is below the bar."""
        return abs(self.value - self.truth) <= max(1.0, BAR[self.percentile] / 100 * self.truth)


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when an error is above its bar or the truth is outside the bounds
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.percentiles", description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000, help="of the merge that is timed")
    options = parser.parse_args(arguments)
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            embedded(Path(folder)) as server,
            closing(connect(server.connection)) as s,
        ):
            found = [estimate for seed in SEEDS for estimate in estimates(s, shapes(seed))]
            seconds = timed_merge(s, server.connection, options.rows)
    except StoppedError:
        return 128 + signal.SIGINT
    show(found)
    return 0 if publish("percentiles", [*accuracy(found), timing(options.rows, seconds)]) else 1


def connect(local: LocalConnection) -> SnowflakeConnection:
    """A session on it."""
    import snowflake.connector

    return snowflake.connector.connect(**local.connector_kwargs(TIMEZONE="UTC", QUERY_TAG="benchmark"))


def merge(session: SnowflakeConnection, rows: Iterable[SourceRow]) -> dict[str, dict[str, Any]]:
    """The product's merge of these rows, the same for each of the three times.

    :returns: by pattern, the columns of ENRICHMENT_PERCENTILES
    """
    load_source(session, [(pattern, calls, [points] * len(_METRICS)) for pattern, calls, points in rows])
    cursor = session.cursor()
    for statement in statements(_MERGE, Settings()):
        cursor.execute(statement)
    cursor.execute("SELECT * FROM ENRICHMENT_PERCENTILES WHERE SCOPE > 0")
    names = [column.name for column in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row["QUERY_PARAMETERIZED_HASH"]: row for row in found}


def load_source(session: SnowflakeConnection, rows: Sequence[tuple[str, int, Sequence[dict[str, float]]]]) -> None:
    """The session's ENRICHMENT_SOURCE, as far as the merge reads it.

    :param rows: pattern, calls, and the points of each time
    """
    names = [f"{metric}_{name}" for metric in _METRICS for name in _POINTS]
    values = ", ".join(f"f.VALUE[{place}]::FLOAT AS {name}" for place, name in enumerate(names, start=2))
    select = f"SELECT f.VALUE[0]::VARCHAR AS QUERY_PARAMETERIZED_HASH, f.VALUE[1]::NUMBER AS CALLS, {values}"
    into = "CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_SOURCE AS"
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = [
            [pattern, calls, *(points[key] for points in times for key in _POINTS.values())]
            for pattern, calls, times in rows[start : start + _ROWS_AT_ONCE]
        ]
        sql = f"{into} {select} FROM TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) AS f"
        session.cursor().execute(sql, (json.dumps(part),))
        into = "INSERT INTO ENRICHMENT_SOURCE"


def estimates(session: SnowflakeConnection, made: Sequence[Shape]) -> list[Estimate]:
    """Each percentile of each shape, every shape a pattern."""
    merged = merge(session, [(s.name, row["calls"], dict(row)) for s in made for row in s.view_rows()])
    return [
        Estimate(
            shape,
            name,
            shape.percentile(name),
            merged[shape.name][f"EXEC_{name}"],
            merged[shape.name][f"EXEC_{name}_LOW"],
            merged[shape.name][f"EXEC_{name}_HIGH"],
            naive(shape.view_rows(), name),
        )
        for shape in made
        for name in PERCENTILES
    ]


def naive(rows: Sequence[dict[str, int]], percentile: str) -> dict[str, float]:
    """What a dashboard would do; with the middle of p90 and p99 for the 95th."""
    values = [(row["p90"] + row["p99"]) / 2 if percentile == "P95" else float(row[_POINTS[percentile]]) for row in rows]
    calls = [row["calls"] for row in rows]
    return {
        "weighted mean": sum(n * value for n, value in zip(calls, values, strict=True)) / sum(calls),
        "MAX": max(values),
        "mean": statistics.fmean(values),
    }


def timed_merge(session: SnowflakeConnection, local: LocalConnection, rows: int) -> float:
    """Seconds inside the server for a run of 100 sessions and 10 patterns, three different times."""
    load_source(session, [(f"pattern-{n % 10}", 200 + n % 1800, list(_three_times(n))) for n in range(rows)])
    auth = (local.user, local.password)

    def log(since: int) -> Any:
        url = f"{local.url}/statements"
        return requests.get(url, params={"since": since}, auth=auth, verify=local.ca_file, timeout=30).json()

    before = log(0)["last"]
    for statement in statements(_MERGE, Settings()):
        session.cursor().execute(statement)
    return float(sum(item["milliseconds"] for item in log(before)["statements"]) / 1000)


def _three_times(number: int) -> Iterator[dict[str, float]]:
    """Points of a lognormal row, with some noise."""
    chance = random.Random(number)
    for factor in (1.0, 0.2, 1.3):
        median = factor * 10 * 1.6 ** (number % 10)
        sizes = [0.25, 1.0, 1.9, 3.2, 4.7, 6.0]
        yield {
            key: float(round(median * size * chance.uniform(0.95, 1.05)))
            for key, size in zip(_POINTS.values(), sizes, strict=True)
        }


def show(found: Sequence[Estimate]) -> None:
    """The table of shapes and percentiles: the worst error of all seeds, and of the naive methods beside it."""
    table = Table(title=f"Worst error of {len(SEEDS)} draws in percent of the truth: ours (weighted mean, MAX, mean)")
    table.add_column("shape")
    for name in PERCENTILES:
        table.add_column(f"{name} (bar {BAR[name]})")
    for shape in dict.fromkeys(item.shape.name for item in found):
        table.add_row(
            shape, *(_cell([i for i in found if (i.shape.name, i.percentile) == (shape, n)]) for n in PERCENTILES)
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(items: Sequence[Estimate]) -> str:
    worst = max(items, key=lambda item: abs(item.error))
    others = [max(abs(_percent(item.naive[name], item.truth)) for item in items) for name in worst.naive]
    mark = "" if worst.has_bar else " no bar"
    near = " within 1 ms" if abs(worst.value - worst.truth) <= 1 else ""
    return f"{abs(worst.error):.1f}{near}{mark} ({', '.join(f'{value:,.0f}' for value in others)})"


def accuracy(found: Sequence[Estimate]) -> list[Row]:
    """A figure per percentile, over all shapes, and one for the bounds."""
    rows = []
    for name in PERCENTILES:
        ours = [item for item in found if item.percentile == name and item.has_bar]
        far = [abs(item.error) for item in ours if abs(item.value - item.truth) > 1]
        worst = [max(abs(_percent(i.naive[method], i.truth)) for i in ours) for method in ours[0].naive]
        compared = f"weighted mean {worst[0]:,.0f} %, MAX {worst[1]:,.0f} %, mean {worst[2]:,.0f} %"
        value, holds = f"{max(far, default=0.0):.1f} %", all(item.holds for item in ours)
        rows.append(Row(f"{name}: worst error, where above 1 ms", value, compared, f"<= {BAR[name]} %", holds))
    inside = sum(item.is_in_bounds for item in found)
    draws = (
        f"{len(SEEDS)} draws of {len(found) // (len(SEEDS) * len(PERCENTILES))} shapes, {len(PERCENTILES)} percentiles"
    )
    return [*rows, Row("truth inside the bounds", f"{inside} of {len(found)}", draws, "all", inside == len(found))]


def timing(rows: int, seconds: float) -> Row:
    """The figure of the large merge."""
    merged = f"merge of {rows:,} rows, 3 times, 10 patterns and the run"
    timeout = Settings().statement_timeout_seconds
    share = f"{100 * seconds / timeout:.0f} % of the timeout of one statement"
    return Row(merged, f"{seconds:.1f} s in the server", share, f"<= {timeout} s", seconds <= timeout)


def _percent(value: float, truth: int) -> float:
    return 100 * (value - truth) / max(truth, 1)


if __name__ == "__main__":
    sys.exit(main())
