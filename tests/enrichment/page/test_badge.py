"""One badge says where a run stands; pending is never shown as done, failed or absent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.enrichment.page.badge import Standing, State, Tone, badge

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def label(state: State, **more: object) -> str:
    return badge(Standing(state, run_status="COMPLETED", **more), NOW).label  # type: ignore[arg-type]


def tone(state: State, **more: object) -> Tone:
    return badge(Standing(state, run_status="COMPLETED", **more), NOW).tone  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "expected", "colour"),
    [
        (State.COMPLETED, "Full metrics", Tone.SUCCESS),
        (State.IN_PROGRESS, "Loading full metrics…", Tone.INFO),
        (State.FAILED, "Enrichment failed", Tone.ERROR),
        (State.SKIPPED, "Nothing to enrich", Tone.NEUTRAL),
        (State.NOT_APPLICABLE, "Not applicable", Tone.NEUTRAL),
        (State.NOT_QUEUED, "Not queued yet", Tone.INFO),
    ],
)
def test_each_state_has_words_and_a_tone_of_its_own(state: State, expected: str, colour: Tone) -> None:
    assert (label(state), tone(state)) == (expected, colour)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(20, "20 min"), (59.2, "1 h"), (60, "1 h"), (61, "1 h 1 min"), (195, "3 h 15 min")],
)
def test_a_pending_run_says_when_it_is_full_rounded_up(minutes: float, expected: str) -> None:
    full_at = NOW + timedelta(minutes=minutes)
    assert label(State.PENDING, full_at=full_at, done=1) == f"Partial – full in ~{expected}"
    assert label(State.PENDING, full_at=full_at) == f"Metrics in ~{expected}"


def test_a_pending_run_that_is_due_does_not_count_down_below_zero() -> None:
    assert label(State.PENDING, full_at=NOW - timedelta(minutes=3), done=2) == "Partial – full due now"


def test_a_pending_run_whose_due_time_is_not_known_promises_none() -> None:
    assert label(State.PENDING) == "Metrics later"


def test_a_failed_type_is_shown_beside_what_is_still_pending() -> None:
    found = badge(Standing(State.PENDING, failed=1, full_at=NOW + timedelta(minutes=5)), NOW)
    assert (found.label, found.tone) == ("Partial – 1 failed, more to come", Tone.WARNING)


def test_a_missing_privilege_is_shown_because_waiting_does_not_help() -> None:
    assert label(State.PENDING, waits_for=frozenset({"NO_PRIVILEGE"})) == "Waits for a privilege"


@pytest.mark.parametrize(("failed", "words"), [(1, "1 type failed"), (2, "2 types failed")])
def test_partial_says_how_many_types_failed(failed: int, words: str) -> None:
    assert label(State.PARTIAL, failed=failed, done=3) == f"Partial – {words}"


def test_settled_but_incomplete_is_not_called_full() -> None:
    assert label(State.COMPLETED, is_complete=False) == "Metrics incomplete"


def test_a_benchmark_that_runs_has_no_enrichment_to_report() -> None:
    assert badge(Standing(State.NOT_QUEUED, run_status="running"), NOW).label == "Benchmark running"


def test_a_run_that_did_not_complete_is_not_waiting() -> None:
    found = badge(Standing(State.NOT_QUEUED, run_status="CANCELLED"), NOW)
    assert (found.label, found.tone) == ("Not enriched", Tone.NEUTRAL)


def test_flakebenchs_own_enrichment_is_shown_while_it_runs() -> None:
    assert label(State.PENDING, immediate_status="PENDING") == "Enriching…"


def test_a_first_pass_that_stayed_pending_does_not_hide_what_settled() -> None:
    assert label(State.COMPLETED, immediate_status="PENDING") == "Full metrics"


def test_a_failed_first_pass_is_said_and_does_not_hide_what_came_later() -> None:
    found = badge(Standing(State.COMPLETED, immediate_status="FAILED", run_status="COMPLETED"), NOW)
    assert (found.label, found.tone) == ("Full metrics, first pass failed", Tone.WARNING)
