"""The bill of the model follows Snowflake's rules, and docs/cost.md shows what the code computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cost import Assumptions, Warehouse, assumptions, markdown, package, poller

COST = Path(__file__).parents[2] / "docs" / "cost.md"
SMALL = Warehouse()
GIVEN = Assumptions()


def test_the_document_shows_what_the_code_computes() -> None:
    text = COST.read_text()
    assert markdown() in text
    assert assumptions() in text


@pytest.mark.parametrize(
    ("busy", "billed"),
    [
        pytest.param([], [], id="nothing runs, nothing is billed"),
        pytest.param([(0, 1)], [61], id="one query keeps it up until it suspends itself"),
        pytest.param([(0, 1), (61, 62)], [122], id="what comes before it suspends does not resume it"),
        pytest.param([(0, 1), (300, 301)], [61, 61], id="what comes afterwards does"),
        pytest.param([(300, 301), (0, 100)], [160, 61], id="in any order"),
        pytest.param([(0, 100), (10, 20)], [160], id="two at once are billed once"),
    ],
)
def test_a_warehouse_is_billed_from_its_resume_until_it_suspends(
    busy: list[tuple[float, float]], billed: list[float]
) -> None:
    assert SMALL.billed(busy) == billed


def test_each_resume_is_billed_a_minute_at_least() -> None:
    assert Warehouse(auto_suspend_seconds=1).billed([(0, 1), (300, 301)]) == [60, 60]


def test_a_day_without_runs_resumes_the_warehouse_for_the_cleanup_alone() -> None:
    day = package(0, 5, SMALL, GIVEN)
    assert day.resumes == 1
    assert day.statements == 2 * 24 * 12 + GIVEN.cleanup_statements


def test_a_poller_on_an_idle_queue_costs_what_its_resumes_do() -> None:
    assert poller(0, SMALL, GIVEN).credits == pytest.approx(4.8, abs=0.1)
    assert poller(0, Warehouse(auto_suspend_seconds=600), GIVEN).credits == pytest.approx(24)


@pytest.mark.parametrize("runs", [1, 50, 500])
def test_a_pass_less_often_is_never_dearer(runs: int) -> None:
    assert package(runs, 30, SMALL, GIVEN).seconds <= package(runs, 5, SMALL, GIVEN).seconds
