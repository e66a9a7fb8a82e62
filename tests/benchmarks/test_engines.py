"""What the benchmark of executors reports: ratios per task, and no loss that goes unsaid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.engines import CELERY, LOCAL, Drained, Measured, rows, whole_account
from benchmarks.passes import Pass, Span

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def drained(executor: str, jobs: int, tasks: int, seconds: float, repeated: int = 0, killed: int = 0) -> Drained:
    span = Span(START, START + timedelta(seconds=seconds))
    one = Pass("a pass", span.started_at, span.ended_at, tasks, (), repeated, span, span, span)
    return Drained(executor, jobs, (one,), seconds, tasks * 9, seconds / 2 if killed else None, killed)


def measured(executor: str, *found: Drained, wrong: tuple[str, ...] = ()) -> Measured:
    runs = sum(one.jobs for one in found)
    return Measured(executor, list(found), list(wrong), runs - len(wrong), runs, 600.0)


def test_an_executor_is_compared_per_task_with_the_backlog_of_its_size() -> None:
    local = measured(LOCAL, drained(LOCAL, 8, 20, 10), drained(LOCAL, 34, 100, 40))
    celery = measured(CELERY, drained(CELERY, 8, 10, 10), drained(CELERY, 34, 100, 60))
    compared = {row.measured: row.compared for row in rows(local, celery)}
    assert "seconds per task 2.00 x those of LocalExecutor, 8 jobs" in compared["CeleryExecutor, 8 jobs"]
    assert "seconds per task 1.50 x those of LocalExecutor, 34 jobs" in compared["CeleryExecutor, 34 jobs"]


def test_a_killed_worker_is_reported_with_what_it_ran_and_what_was_repeated() -> None:
    celery = measured(CELERY, drained(CELERY, 34, 100, 90, repeated=3, killed=3))
    (row,) = [
        row for row in rows(measured(LOCAL, drained(LOCAL, 34, 100, 40)), celery) if "from the kill" in row.measured
    ]
    assert row.value == "45 s"
    assert row.compared.startswith("3 tasks ran on it, 3 tries repeated")


@pytest.mark.parametrize("executor", [LOCAL, CELERY])
def test_anything_wrong_misses_the_bar(executor: str) -> None:
    found = {name: measured(name, drained(name, 34, 100, 40)) for name in (LOCAL, CELERY)}
    found[executor] = measured(executor, drained(executor, 34, 100, 40), wrong=("a task is FAILED",))
    missed = [row.measured for row in rows(found[LOCAL], found[CELERY]) if row.holds is False]
    assert len(missed) == 2
    assert all(name.startswith(executor) for name in missed)


def test_the_backlogs_together_hold_each_run_once() -> None:
    account = whole_account(START, 48)
    assert len({run.run_id for run in account.runs}) == len(account.runs) == 48
    assert account.background
