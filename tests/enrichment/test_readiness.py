"""One look at a view decides what becomes of a task (SPEC §7, readiness and not ready)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.enrichment.catalogue import CATALOGUE, enrichment_type
from include.enrichment.readiness import Decision, Look, judge, judge_again, needs_second_look, never_waits

NOW = datetime(2026, 11, 21, 12)
WINDOW_END = NOW - timedelta(hours=5)
PASSED, NOT_PASSED = WINDOW_END + timedelta(seconds=1), WINDOW_END
LOOK = Look(
    now=NOW,
    window_end=WINDOW_END,
    due_at=NOW - timedelta(hours=1),
    found_rows=3,
    stored_rows=0,
    found_calls=None,
    stored_calls=None,
    found_count=100,
    expected_count=100,
    newest_at=PASSED,
    previous_found_count=None,
)
HORIZON = NOW - timedelta(hours=12)


def decide(name: str = "QUERY_HISTORY", table_type: str | None = "STANDARD", **changes: Any) -> Decision:
    return judge(enrichment_type(name), table_type, replace(LOOK, **changes), threshold=0.99)


@pytest.mark.parametrize(
    ("changes", "status", "reason", "complete"),
    [
        pytest.param({}, "COMPLETED", None, True, id="all found and passed"),
        pytest.param({"newest_at": None}, "COMPLETED", None, True, id="all found whatever the newest row"),
        pytest.param({"found_count": 200, "newest_at": None}, "COMPLETED", None, True, id="more found than expected"),
        pytest.param({"found_count": 99}, "COMPLETED", None, True, id="threshold reached and passed"),
        pytest.param({"found_count": 98}, "PENDING", "NOT_READY", False, id="below the threshold"),
        pytest.param(
            {"found_count": 99, "newest_at": NOT_PASSED}, "PENDING", "NOT_READY", True, id="threshold, not passed"
        ),
        pytest.param({"expected_count": None}, "COMPLETED", None, True, id="unknown expectation: freshness decides"),
        pytest.param(
            {"expected_count": None, "newest_at": NOT_PASSED}, "PENDING", "NOT_READY", False, id="unknown, not passed"
        ),
        pytest.param(
            {"expected_count": None, "newest_at": None}, "PENDING", "NOT_READY", False, id="unknown, view empty"
        ),
        pytest.param(
            {"found_count": 60, "previous_found_count": 60}, "COMPLETED", "COVERAGE_LOW", False, id="same twice, passed"
        ),
        pytest.param(
            {"found_count": 60, "previous_found_count": 60, "newest_at": NOT_PASSED},
            "PENDING",
            "NOT_READY",
            False,
            id="same twice, not passed",
        ),
        pytest.param(
            {"found_count": 80, "previous_found_count": 60}, "PENDING", "NOT_READY", False, id="more than before"
        ),
        pytest.param({"found_count": 60, "due_at": HORIZON}, "COMPLETED", "HORIZON", False, id="horizon"),
        pytest.param(
            {"found_count": 60, "due_at": HORIZON + timedelta(seconds=1)},
            "PENDING",
            "NOT_READY",
            False,
            id="a second before the horizon",
        ),
        pytest.param(
            {"found_count": 99, "due_at": HORIZON, "newest_at": None},
            "COMPLETED",
            "HORIZON",
            True,
            id="horizon, enough",
        ),
        pytest.param(
            {"found_rows": 0, "found_count": 0}, "PENDING", "NOT_READY", False, id="nothing yet, though passed"
        ),
        pytest.param(
            {"found_rows": 0, "found_count": 0, "previous_found_count": 0},
            "SKIPPED",
            "NO_DATA",
            False,
            id="nothing twice, passed",
        ),
        pytest.param(
            {"found_rows": 0, "found_count": 0, "due_at": HORIZON},
            "SKIPPED",
            "NO_DATA",
            False,
            id="nothing at the horizon",
        ),
    ],
)
def test_counting_types_wait_for_the_count_and_the_view(
    changes: dict[str, Any], status: str, reason: str | None, complete: bool | None
) -> None:
    decision = decide(**changes)
    assert (decision.status, decision.reason_code, decision.data_complete) == (status, reason, complete)
    assert decision.is_snoozed is (status == "PENDING")


@pytest.mark.parametrize(
    ("found", "expected", "coverage"),
    [(0, 100, 0.0), (60, 100, 0.6), (100, 100, 1.0), (250, 100, 1.0), (5, None, None), (0, None, None)],
)
def test_coverage_is_found_of_expected_capped_at_one_and_null_when_unknown(
    found: int, expected: int | None, coverage: float | None
) -> None:
    assert decide(found_count=found, expected_count=expected).coverage == coverage


@pytest.mark.parametrize("newest_at", [None, PASSED])
def test_an_empty_aggregate_of_a_run_without_expectation_is_no_data_only_once_the_view_has_passed(
    newest_at: datetime | None,
) -> None:
    decision = decide("AGGREGATE", found_rows=0, found_count=0, expected_count=None, newest_at=newest_at)
    expected = ("SKIPPED", "NO_DATA") if newest_at else ("PENDING", "NOT_READY")
    assert (decision.status, decision.reason_code) == expected
    assert decision.replace is False


@pytest.mark.parametrize("table_type", ["HYBRID", "UNISTORE"])
@pytest.mark.parametrize("found", [0, 1, 100])
def test_query_history_of_a_hybrid_run_never_waits(table_type: str, found: int) -> None:
    decision = decide(table_type=table_type, found_rows=found, found_count=found, newest_at=None)
    assert (decision.status, decision.reason_code, decision.data_complete) == ("COMPLETED", None, None)


def test_other_types_of_a_hybrid_run_wait() -> None:
    assert [entry.name for entry in CATALOGUE if never_waits(entry, "HYBRID")] == ["QUERY_HISTORY"]
    assert decide("AGGREGATE", "HYBRID", found_count=10).is_snoozed
    assert not never_waits(enrichment_type("QUERY_HISTORY"), None)


@pytest.mark.parametrize("name", ["LOCK_CONTENTION", "QUERY_INSIGHTS"])
def test_event_types_wait_for_query_history_and_zero_rows_are_complete(name: str) -> None:
    empty: dict[str, Any] = {"found_rows": 0, "found_count": 0, "expected_count": None}
    assert decide(name, **empty).status == "COMPLETED"
    assert decide(name, **empty).replace is True
    waiting = decide(name, **empty, newest_at=NOT_PASSED)
    assert (waiting.status, waiting.replace) == ("PENDING", False)
    assert decide(name, **empty, newest_at=NOT_PASSED, due_at=HORIZON).reason_code == "NO_DATA"


@pytest.mark.parametrize(("rows", "status", "reason"), [(0, "SKIPPED", "NO_DATA"), (1, "COMPLETED", None)])
def test_credits_never_wait_and_none_is_no_data(rows: int, status: str, reason: str | None) -> None:
    decision = decide("HYBRID_CREDITS", found_rows=rows, found_count=rows, expected_count=None, newest_at=None)
    assert (decision.status, decision.reason_code) == (status, reason)


@pytest.mark.parametrize("rows", [0, 1])
def test_credits_that_are_not_due_yet_are_neither_missing_nor_final(rows: int) -> None:
    """A retry can come before they are due, and a job be queued while the run is going on."""
    early = {"found_rows": rows, "found_count": rows, "expected_count": None, "due_at": LOOK.now + timedelta(hours=1)}
    decision = decide("QUERY_ACCELERATION", **early)
    assert (decision.status, decision.reason_code, decision.data_complete) == ("PENDING", "NOT_READY", False)


def test_without_a_warehouse_nothing_can_be_told_to_be_of_the_run() -> None:
    nothing = {"found_rows": 0, "found_count": 0, "expected_count": None, "has_warehouse": False}
    decision = decide("QUERY_ACCELERATION", **nothing)
    assert (decision.status, decision.reason_code, decision.replace) == ("SKIPPED", "WAREHOUSE_UNKNOWN", False)
    assert "names no WAREHOUSE" in (decision.message or "")
    assert decide("QUERY_ACCELERATION", **nothing, stored_rows=1).reason_code == "SOURCE_SHRUNK"


@pytest.mark.parametrize(
    "less",
    [
        pytest.param({"found_rows": 2, "stored_rows": 3}, id="fewer rows"),
        pytest.param({"found_calls": 99, "stored_calls": 100, "stored_rows": 3}, id="fewer calls in as many rows"),
        pytest.param(
            {"found_rows": 4, "stored_rows": 3, "found_calls": 1, "stored_calls": 9}, id="fewer calls, more rows"
        ),
        pytest.param({"found_rows": 0, "found_count": 0, "stored_rows": 3, "previous_found_count": 100}, id="nothing"),
    ],
)
def test_less_never_replaces_what_is_stored_unless_forced(less: dict[str, Any]) -> None:
    decision = decide("AGGREGATE", **less)
    assert (decision.status, decision.reason_code, decision.replace) == ("COMPLETED", "SOURCE_SHRUNK", False)
    assert "were kept" in (decision.message or "")
    forced = decide("AGGREGATE", **less, force=True)
    assert forced.replace is (less.get("found_rows") != 0)  # a view that has forgotten a run disproves no number


def test_as_much_as_is_stored_replaces_it() -> None:
    decision = decide("AGGREGATE", stored_rows=3, found_calls=100, stored_calls=100)
    assert (decision.reason_code, decision.replace) == (None, True)


def test_less_while_waiting_keeps_the_stored_rows_and_goes_on_waiting() -> None:
    decision = decide(found_rows=1, found_count=10, stored_rows=2, previous_found_count=20, newest_at=NOT_PASSED)
    assert (decision.status, decision.reason_code, decision.replace) == ("PENDING", "NOT_READY", False)
    assert decision.found_count == 20


def test_the_kept_rows_keep_their_coverage() -> None:
    decision = decide(found_rows=1, found_count=1, stored_rows=100, previous_found_count=100)
    assert (decision.reason_code, decision.found_count, decision.coverage) == ("SOURCE_SHRUNK", 100, 1.0)
    assert decision.data_complete is True


def test_provisional_rows_are_written_and_nothing_is_not() -> None:
    assert decide(found_count=60).replace is True
    assert decide(found_rows=0, found_count=0).replace is False


@pytest.mark.parametrize(
    ("name", "table_type", "changes", "is_planned"),
    [
        pytest.param("QUERY_HISTORY", "STANDARD", {}, False, id="whole"),
        pytest.param("QUERY_HISTORY", "STANDARD", {"found_count": 99}, True, id="complete, below full coverage"),
        pytest.param("AGGREGATE", "HYBRID", {"found_count": 99}, True, id="hybrid aggregates"),
        pytest.param("QUERY_HISTORY", "HYBRID", {"found_count": 2}, False, id="sparse by design"),
        pytest.param("QUERY_HISTORY", "STANDARD", {"expected_count": None}, False, id="nothing says that it is short"),
        pytest.param("QUERY_HISTORY", "STANDARD", {"found_count": 60}, False, id="not settled yet"),
        pytest.param("QUERY_HISTORY", "STANDARD", {"found_count": 60, "due_at": HORIZON}, True, id="at the horizon"),
        pytest.param(
            "LOCK_CONTENTION",
            "HYBRID",
            {"expected_count": None, "newest_at": None, "due_at": HORIZON},
            True,
            id="incomplete without an expectation",
        ),
        pytest.param(
            "AGGREGATE", "STANDARD", {"found_count": 0, "found_rows": 0, "due_at": HORIZON}, False, id="no data"
        ),
    ],
)
def test_a_second_look_is_planned_for_what_settled_short_of_everything(
    name: str, table_type: str, changes: dict[str, Any], is_planned: bool
) -> None:
    decision = decide(name, table_type, **changes)
    assert needs_second_look(enrichment_type(name), table_type, decision) is is_planned


@pytest.mark.parametrize(
    ("changes", "replaces", "reason", "complete"),
    [
        pytest.param({"stored_rows": 2}, True, None, True, id="more rows, all there"),
        pytest.param({"stored_rows": 3, "found_count": 98}, True, "HORIZON", False, id="still short keeps its reason"),
        pytest.param({"stored_rows": 4}, False, "SOURCE_SHRUNK", None, id="fewer rows"),
        pytest.param({"found_calls": 9, "stored_calls": 10}, False, "SOURCE_SHRUNK", None, id="fewer calls"),
        pytest.param({"previous_found_count": 101}, False, "SOURCE_SHRUNK", None, id="fewer matches"),
        pytest.param({"stored_rows": 4, "force": True}, False, "SOURCE_SHRUNK", None, id="force is of first looks"),
        pytest.param({"expected_count": None}, True, None, True, id="no expectation, the view has passed"),
        pytest.param(
            {"expected_count": None, "newest_at": None}, True, "HORIZON", False, id="no expectation, not passed"
        ),
    ],
)
def test_a_second_look_never_changes_the_status_and_never_replaces_by_less(
    changes: dict[str, Any], replaces: bool, reason: str | None, complete: bool | None
) -> None:
    decision = judge_again(enrichment_type("QUERY_HISTORY"), replace(LOOK, **changes), "HORIZON", threshold=0.99)
    assert decision.status == "COMPLETED"
    assert (decision.replace, decision.reason_code, decision.data_complete) == (replaces, reason, complete)
