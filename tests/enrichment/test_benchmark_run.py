"""A benchmark run as a try finds it: finished or not, its window, its tags."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.enrichment.benchmark_run import BenchmarkRun, read_run
from include.enrichment.error_numbers import ErrorClass
from include.enrichment.errors import EnrichmentError

NOW = datetime(2026, 11, 21, 12)
ROW: dict[str, Any] = {
    "NOW_AT": NOW,
    "PARENT_COUNT": 1,
    "RUN_STATUS": "COMPLETED",
    "RUN_PHASE": "COMPLETED",
    "TABLE_TYPE": "STANDARD",
    "STARTED_AT": datetime(2026, 11, 21, 10, 7, 59, 999999),
    "ENDED_AT": datetime(2026, 11, 21, 10, 30, 15),
    "SUCCESSFUL_OPERATIONS": 100,
    "CHILD_IDS": json.dumps(["b", "a"]),
    "TAG_COUNT": 1,
    "TAGS": json.dumps([{"tag": "flakebench:test_id=a", "test_id": "a"}]),
}


def read(*, ignore_processing: bool = False, **changes: Any) -> BenchmarkRun | None:
    return read_run("run-1", "AGGREGATE", {**ROW, **changes}, ignore_processing=ignore_processing)


def refused(**changes: Any) -> EnrichmentError:
    with pytest.raises(EnrichmentError) as raised:
        read(**changes)
    assert raised.value.error_class is ErrorClass.PERMANENT
    assert str(raised.value).startswith("Run run-1 AGGREGATE: ")
    return raised.value


def tags(*names: str) -> str:
    return json.dumps([{"tag": name} for name in names])


def test_the_window_starts_with_the_minute_and_ends_5_minutes_later() -> None:
    run = read()
    assert run is not None
    assert run.window_start == datetime(2026, 11, 21, 10, 7)
    assert run.window_end == datetime(2026, 11, 21, 10, 35, 15)
    assert run.child_ids == ("a", "b")


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "PREPARED", None])
def test_a_run_that_is_not_terminal_is_not_finished(status: str | None) -> None:
    assert read(RUN_STATUS=status) is None


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_terminal_run_is_finished(status: str) -> None:
    assert read(RUN_STATUS=status) is not None


def test_a_run_in_processing_is_not_finished_unless_it_is_stuck() -> None:
    assert read(RUN_PHASE="PROCESSING") is None
    assert read(RUN_PHASE="PROCESSING", ignore_processing=True) is not None
    assert read(RUN_STATUS="RUNNING", RUN_PHASE="PROCESSING", ignore_processing=True) is None


def test_a_deleted_run_is_refused() -> None:
    assert refused(PARENT_COUNT=0, RUN_STATUS=None).reason_code == "RUN_NOT_FOUND"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"STARTED_AT": None}, id="no start"),
        pytest.param({"ENDED_AT": None}, id="no end"),
        pytest.param({"ENDED_AT": ROW["STARTED_AT"] - timedelta(microseconds=1)}, id="inverted"),
        pytest.param({"ENDED_AT": NOW + timedelta(minutes=5, microseconds=1)}, id="more than 5 minutes ahead"),
    ],
)
def test_an_unusable_window_is_refused_and_says_how_to_repair_it(changes: dict[str, Any]) -> None:
    error = refused(**changes)
    assert error.reason_code == "BAD_WINDOW"
    assert "Correct START_TIME and END_TIME" in str(error)


@pytest.mark.parametrize("ended_at", [ROW["STARTED_AT"], NOW + timedelta(minutes=5)])
def test_a_window_at_the_limit_is_usable(ended_at: datetime) -> None:
    assert read(ENDED_AT=ended_at) is not None


@pytest.mark.parametrize(("count", "cause"), [(0, "none of its rows"), (2, "name neither the run nor a test of it")])
def test_a_run_without_a_usable_tag_is_refused_with_the_cause(count: int, cause: str) -> None:
    error = refused(TAGS=None, TAG_COUNT=count)
    assert error.reason_code == "NO_QUERY_TAG"
    assert cause in str(error)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["t"], ["t"]),
        (["t", "t:x"], ["t"]),
        (["t:x", "t:y"], ["t:x", "t:y"]),
        (["t:x:y", "t:x", "u"], ["u", "t:x"]),
        (["t", "tx"], ["t", "tx"]),  # a prefix without the colon is another tag
        (["t", "t"], ["t"]),
    ],
)
def test_no_tag_extends_another_so_that_a_statement_matches_once(given: list[str], kept: list[str]) -> None:
    run = read(TAGS=tags(*given))
    assert run is not None
    assert [item.tag for item in run.tags] == kept


@pytest.mark.parametrize(("longer", "named"), [("a", "a"), ("b", None), (None, None)])
def test_a_tag_names_a_child_only_if_all_that_it_stands_for_do(longer: str | None, named: str | None) -> None:
    run = read(TAGS=json.dumps([{"tag": "t", "test_id": "a"}, {"tag": "t:x", "test_id": longer}]))
    assert run is not None
    assert [(item.tag, item.test_id) for item in run.tags] == [("t", named)]


def test_unknown_operations_stay_unknown() -> None:
    run = read(SUCCESSFUL_OPERATIONS=None, CHILD_IDS=None)
    assert run is not None
    assert run.successful_operations is None
    assert run.child_ids == ()
