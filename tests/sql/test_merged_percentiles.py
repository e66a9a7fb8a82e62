"""Percentiles merged by the product's SQL, held against the raw calls and against an exact inversion of the mixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.mixture import Mixture, RowOfView
from benchmarks.percentiles import Estimate, naive
from benchmarks.workload_shapes import MINUTES, PERCENTILES, Shape, shapes
from include.enrichment.settings import Settings
from tests.sql.account import Account, Row
from tests.sql.cases import Moment, load_claimed_task, run_try

GRID = 0.006
"""Buckets in which the SQL looks for a percentile; in proportion to the time + 0.5 ms."""

_POINTS = ("min", "median", "p90", "p99", "p99.9", "max")
_METRICS = {"EXEC": "EXECUTION_TIME", "COMPILE": "COMPILATION_TIME", "ELAPSED": "TOTAL_ELAPSED_TIME"}


def view_rows(made: list[Shape]) -> Iterator[Row]:
    """Each shape a pattern; minute by minute."""
    for shape in made:
        for minute, row in enumerate(shape.view_rows()):
            points = {key: row[key] for key in _POINTS}
            yield {
                "QUERY_PARAMETERIZED_HASH": shape.name,
                "CALLS": row["calls"],
                "INTERVAL_START_TIME": f"-{300 - minute}m",
                "INTERVAL_END_TIME": f"-{299 - minute}m",
                **dict.fromkeys(_METRICS.values(), points),
            }


@pytest.fixture
def made() -> list[Shape]:
    return shapes(seed=1)


@pytest.fixture
def stored(made: list[Shape], account: Account, settings: Settings) -> dict[str, Row]:
    """What a look at the view stores: by pattern, and '' for the run."""
    moment = Moment.current()
    ended = {"START_TIME": "-301m", "END_TIME": f"-{300 - MINUTES}m"}
    runs = [{"TEST_ID": "run-1", **ended}, {"TEST_ID": "child-1", **ended}]
    given = {"TEST_RESULTS": runs, "AGGREGATE_QUERY_HISTORY": list(view_rows(made))}
    outcome = run_try(load_claimed_task(account, moment.resolve(given), moment, "AGGREGATE"), settings)
    assert outcome.error is None, outcome.message
    patterns = {row["QUERY_PARAMETERIZED_HASH"]: row for row in account.table("AGGREGATE_QUERY_METRICS")}
    (run,) = account.table("RUN_ENRICHMENT_SUMMARY")
    return {**patterns, "": run}


def test_every_percentile_is_within_its_bar_and_the_truth_within_the_bounds(
    made: list[Shape], stored: dict[str, Row]
) -> None:
    found = [
        Estimate(
            shape,
            name,
            shape.percentile(name),
            *(float(stored[shape.name][f"EXEC_{name}{suffix}_MS"]) for suffix in ("", "_LOW", "_HIGH")),
            naive(shape.view_rows(), name),
        )
        for shape in made
        for name in PERCENTILES
    ]
    assert [item for item in found if item.has_bar and not item.holds] == []
    assert [item for item in found if not item.is_in_bounds] == []
    # few calls have no 99.9th percentile, no curve knows the gap between two modes: everything else has a bar
    assert sum(not item.has_bar for item in found) == 2


def test_patterns_and_run_are_the_mixture_of_their_rows(made: list[Shape], stored: dict[str, Row]) -> None:
    rows = {
        shape.name: [RowOfView(row["calls"], [row[key] for key in _POINTS]) for row in shape.view_rows()]
        for shape in made
    }
    rows[""] = [row for pattern in list(rows.values()) for row in pattern]
    for name, group in rows.items():
        mixture = Mixture(group)
        for metric in _METRICS:
            for percentile in PERCENTILES:
                value, low, high = (
                    stored[name][f"{metric}_{percentile}{suffix}_MS"] for suffix in ("", "_LOW", "_HIGH")
                )
                assert (low, high) == mixture.bounds(percentile), (name, percentile)
                exact = mixture.estimate(percentile)
                assert float(value) == pytest.approx(exact, abs=GRID * (exact + 0.5)), (name, percentile)
