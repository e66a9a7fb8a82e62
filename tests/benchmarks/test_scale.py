"""The document of scale says what the code computes, and the arithmetic behind it holds."""

from __future__ import annotations

from datetime import date

import pytest

from benchmarks import scale
from benchmarks.scale import Assumptions, Capacity, Load, tasks_per_run
from include.enrichment.pool import SLOTS
from include.enrichment.settings import Settings

MAX_MAP_LENGTH = 1024


def test_the_document_holds_the_tables_that_the_code_computes() -> None:
    text = scale.DOCUMENT.read_text()
    assert text == scale.with_tables(text), "run `python -m benchmarks.scale --write` and commit the difference"


def test_tasks_per_run_follow_the_catalogue_and_its_end_of_billing() -> None:
    assert tasks_per_run() == 3
    assert tasks_per_run(date(2026, 2, 28)) == 4  # of hybrid tables, the credits too


def test_twice_the_hours_need_half_the_rate() -> None:
    day, half = (Load(5_000, hours, Assumptions()) for hours in (24, 12))
    assert half.tries_per_second == pytest.approx(2 * day.tries_per_second)
    assert half.tries_per_interval(5) == pytest.approx(half.tries_per_day / 144)


@pytest.mark.parametrize(
    ("slots", "try_seconds", "limit"),
    [(SLOTS, 10, "slots"), (16, 8.1, "slots"), (16, 7.9, "the lock of the tasks' table")],
)
def test_slots_limit_a_queue_until_the_lock_does(slots: int, try_seconds: float, limit: str) -> None:
    capacity = Capacity(Assumptions(try_seconds=try_seconds), slots)
    assert capacity.limit == limit
    assert capacity.tries_per_second <= min(capacity.by_slots, capacity.by_lock, capacity.by_machine)


def test_one_try_takes_its_time_however_many_slots_are_free() -> None:
    assumed = Assumptions()
    assert Capacity(assumed, 16).seconds_of_passes(1, 100) == assumed.pass_seconds + assumed.try_seconds


def test_no_statement_finds_as_many_waiters_as_snowflake_refuses() -> None:
    assert scale.most_slots() + scale.OTHER_WRITERS <= scale.LOCK_WAITERS
    assert scale.most_slots() >= 2 * SLOTS  # two deployments with the default pool on one queue


def test_the_largest_batch_can_be_mapped() -> None:
    assert scale.most_batch() == Settings(batch_size=scale.most_batch()).batch_size < MAX_MAP_LENGTH
