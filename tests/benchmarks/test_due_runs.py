"""The runs of the load benchmark are what it says they are, or its figures mean something else."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from benchmarks.due_runs import KINDS, MOST_RUNS, due_runs
from local.sample.belonging import window
from local.sample_account import SampleRun, truth

NOW = datetime(2026, 11, 21, 12, 34, tzinfo=UTC)


def runs(count: int, accounts: int) -> list[SampleRun]:
    return [run for account in islice(due_runs(NOW, count), accounts) for run in account.runs]


@pytest.mark.parametrize("count", [len(KINDS), 3 * len(KINDS) + 1])
def test_every_task_of_every_run_is_due(count: int) -> None:
    found = runs(count, accounts=1)
    assert len({run.run_id for run in found}) == count
    assert {run.table_type.upper() for run in found} == {"HYBRID", "UNISTORE", "STANDARD", "INTERACTIVE", "DYNAMIC"}
    for run in found:
        expected = truth.expected(run, NOW)
        assert expected.job_status == "COMPLETED", run.name
        assert {task.status for task in expected.tasks.values()} <= {"COMPLETED", "NOT_APPLICABLE"}, run.name


def test_runs_that_share_a_tag_do_not_meet_however_many_there_are() -> None:
    dynamic = [run for run in runs(MOST_RUNS, accounts=2) if run.name == "dynamic-settled"]
    assert len(dynamic) > 5
    for run in dynamic:
        span = window(run, NOW)
        assert span is not None
        others = [query for other in dynamic if other is not run for query in (*other.queries, *other.intruders)]
        tagged = [query for query in others if query.tag and query.tag.startswith("nightly-dynamic-bench")]
        assert tagged
        assert not [query for query in tagged if span.holds(query.started_at)]


def test_more_runs_than_lie_far_enough_apart_are_refused() -> None:
    with pytest.raises(ValueError, match=str(MOST_RUNS)):
        next(due_runs(NOW, MOST_RUNS + 1))


def test_runs_that_are_made_in_parts_are_those_of_the_whole() -> None:
    whole = {run.run_id for account in due_runs(NOW, 20) for run in account.runs}
    parts = [list(due_runs(NOW, 20, first=first, last=last)) for first, last in ((0, 7), (7, 20))]
    ids = [{run.run_id for account in part for run in account.runs} for part in parts]
    assert ids[0] | ids[1] == whole
    assert [len(part) for part in ids] == [7, 13]
    assert [bool(account.background) for part in parts for account in part] == [True, False]
