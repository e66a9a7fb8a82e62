"""What a section says of itself: pending is not zero, empty is not pending, and each failure says what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.enrichment.catalogue import CATALOGUE, enrichment_type
from include.enrichment.page import credits as credits_section
from include.enrichment.page import insights, lock_contention, partitions, query_acceleration, server_metrics
from include.enrichment.page.rows import UnknownRunError
from include.enrichment.page.sections import SectionState, Subject, minutes, stand
from include.enrichment.settings import Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ENDED_AT = NOW - timedelta(hours=5)
AGGREGATE = Subject(enrichment_type("AGGREGATE"), "nothing was found")
INSIGHTS = Subject(enrichment_type("QUERY_INSIGHTS"), "nothing was found")
CREDITS = Subject(enrichment_type("HYBRID_CREDITS"), "unknown, which is not 0")
ACCELERATION = Subject(enrichment_type("QUERY_ACCELERATION"), "unknown, which is not 0")
LOCKS = Subject(enrichment_type("LOCK_CONTENTION"), "waits below 5 s cannot be seen")
COLUMNS = """
RUN_ID RUN_STATUS TABLE_TYPE RUN_ENDED_AT JOB_STATUS TASK_COUNT ENRICHMENT_TYPE STATUS DUE_AT CLAIMED_BY STARTED_AT
COMPLETED_AT RECHECK_AT ATTEMPTS SNOOZES ROWS_WRITTEN EXPECTED_COUNT FOUND_COUNT COVERAGE DATA_COMPLETE
DATA_AVAILABLE_UNTIL LAST_QUERY_ID REASON_CODE LAST_ERROR
"""


def row(**columns: Any) -> dict[str, Any]:
    """A row of ``page/_state_columns.sql``: a finished hybrid run, everything else NULL."""
    known = {"RUN_ID": "run-1", "RUN_STATUS": "COMPLETED", "TABLE_TYPE": "HYBRID", "RUN_ENDED_AT": ENDED_AT}
    return dict.fromkeys(COLUMNS.split()) | known | columns


def state(subject: Subject, settings: Settings, **columns: Any) -> dict[str, Any]:
    return stand(row(**columns), subject, settings, NOW)


DATA, EMPTY, COMING = SectionState.DATA, SectionState.EMPTY, SectionState.COMING
FAILED, NOT_APPLICABLE = SectionState.FAILED, SectionState.NOT_APPLICABLE
WRITTEN = {"STATUS": "COMPLETED", "ROWS_WRITTEN": 4, "DATA_COMPLETE": True, "COMPLETED_AT": NOW}


@pytest.mark.parametrize(
    ("subject", "columns", "expected"),
    [
        (AGGREGATE, WRITTEN, DATA),
        (AGGREGATE, WRITTEN | {"DATA_COMPLETE": False, "REASON_CODE": "COVERAGE_LOW"}, DATA),
        (AGGREGATE, {"STATUS": "PENDING", "DUE_AT": NOW + timedelta(hours=1)}, COMING),
        (AGGREGATE, {"STATUS": "PENDING", "DUE_AT": NOW, "ROWS_WRITTEN": 2}, DATA),
        (AGGREGATE, {"STATUS": "IN_PROGRESS"}, COMING),
        (AGGREGATE, {"STATUS": "FAILED", "LAST_ERROR": "no tag"}, FAILED),
        (AGGREGATE, {"STATUS": "SKIPPED", "REASON_CODE": "NO_DATA"}, EMPTY),
        (AGGREGATE, {"STATUS": "SKIPPED", "REASON_CODE": "RETENTION", "LAST_ERROR": "too old"}, NOT_APPLICABLE),
        (AGGREGATE, {"STATUS": "SKIPPED", "REASON_CODE": "DISABLED", "LAST_ERROR": "off"}, NOT_APPLICABLE),
        (AGGREGATE, {"JOB_STATUS": "NOT_APPLICABLE", "TABLE_TYPE": "POSTGRES"}, NOT_APPLICABLE),
        (AGGREGATE, {"RUN_STATUS": "RUNNING", "RUN_ENDED_AT": None}, COMING),
        (AGGREGATE, {"RUN_STATUS": "FAILED"}, NOT_APPLICABLE),
        (AGGREGATE, {"RUN_ENDED_AT": NOW - timedelta(days=8)}, NOT_APPLICABLE),
        (AGGREGATE, {}, COMING),
        (AGGREGATE, {"JOB_STATUS": "PENDING", "RUN_STATUS": "FAILED"}, COMING),
        (AGGREGATE, {"JOB_STATUS": "COMPLETED"}, NOT_APPLICABLE),
        (AGGREGATE, {"JOB_STATUS": "PENDING", "TASK_COUNT": 2}, NOT_APPLICABLE),
        (LOCKS, WRITTEN | {"ROWS_WRITTEN": 0}, EMPTY),
        (LOCKS, {"TABLE_TYPE": "STANDARD"}, NOT_APPLICABLE),
        (INSIGHTS, {"STATUS": "NOT_APPLICABLE", "LAST_ERROR": "none for hybrid tables"}, NOT_APPLICABLE),
        (INSIGHTS, {}, NOT_APPLICABLE),
        (CREDITS, {"STATUS": "SKIPPED", "REASON_CODE": "NO_DATA"}, EMPTY),
        (ACCELERATION, {"STATUS": "SKIPPED", "REASON_CODE": "NO_DATA"}, EMPTY),
        (ACCELERATION, {"STATUS": "SKIPPED", "REASON_CODE": "WAREHOUSE_UNKNOWN", "LAST_ERROR": "none"}, NOT_APPLICABLE),
        (ACCELERATION, {}, NOT_APPLICABLE),
        (CREDITS, {"STATUS": "NOT_APPLICABLE", "REASON_CODE": "BILLING_ENDED", "LAST_ERROR": "ended"}, NOT_APPLICABLE),
    ],
)
def test_each_standing_of_a_task_is_one_of_five_states_and_says_why(
    settings: Settings, subject: Subject, columns: dict[str, Any], expected: SectionState
) -> None:
    found = state(subject, settings, **columns)

    assert found["state"] is expected
    assert found["message"] or found["is_shown"]


def test_what_is_coming_says_when_and_how_far_its_view_is_behind(settings: Settings) -> None:
    due_at = NOW + timedelta(minutes=34)
    found = state(AGGREGATE, settings, STATUS="PENDING", DUE_AT=due_at)

    assert found["eta_at"] == due_at
    assert found["message"] == "AGGREGATE_QUERY_HISTORY is up to 3 h behind."
    assert not found["is_shown"]


def test_a_run_that_is_not_queued_yet_is_expected_when_its_view_has_it(settings: Settings) -> None:
    assert state(AGGREGATE, settings)["eta_at"] == ENDED_AT + timedelta(minutes=195)


def test_an_optional_type_is_expected_where_the_settings_name_it_and_says_so_where_not(settings: Settings) -> None:
    assert "FLAKEBENCH_ENRICHMENT_OPTIONAL_TYPES" in state(ACCELERATION, settings, TABLE_TYPE="STANDARD")["message"]
    named = Settings(optional_types=("QUERY_ACCELERATION",))
    assert state(ACCELERATION, named, TABLE_TYPE="STANDARD")["state"] is COMING
    assert state(ACCELERATION, named)["state"] is NOT_APPLICABLE  # a hybrid run


def test_provisional_data_is_shown_and_says_how_much_of_it_is_there(settings: Settings) -> None:
    counts = {"ROWS_WRITTEN": 3, "EXPECTED_COUNT": 1000, "FOUND_COUNT": 998, "COVERAGE": 0.9985}
    found = state(AGGREGATE, settings, STATUS="PENDING", DUE_AT=NOW, DATA_COMPLETE=False, SNOOZES=1, **counts)

    assert found["is_shown"]
    assert found["notices"][0].startswith("Provisional: 998 of 1,000 statements (99.8 %) are there.")


def test_a_share_below_everything_never_reads_as_everything(settings: Settings) -> None:
    counts = {"EXPECTED_COUNT": 10_000, "FOUND_COUNT": 9_999, "COVERAGE": 0.9999}
    (notice,) = state(AGGREGATE, settings, **WRITTEN | {"DATA_COMPLETE": False, "REASON_CODE": "HORIZON"}, **counts)[
        "notices"
    ]

    assert "(99.9 %)" in notice
    assert "until the horizon" in notice


def test_a_failure_says_its_cause_and_what_to_do_and_keeps_what_was_stored(settings: Settings) -> None:
    found = state(AGGREGATE, settings, STATUS="FAILED", LAST_ERROR="Run run-1: no tag.", ROWS_WRITTEN=3)

    assert found["message"] == "Run run-1: no tag."
    assert found["next_action"] == "When the cause is gone, retry AGGREGATE."
    assert found["may_be_retried"]
    assert found["is_shown"]


def test_what_waits_for_a_privilege_shows_the_grant_and_may_be_retried(settings: Settings) -> None:
    grant = "As ACCOUNTADMIN run: GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE R;"
    found = state(AGGREGATE, settings, STATUS="PENDING", DUE_AT=NOW, REASON_CODE="NO_PRIVILEGE", LAST_ERROR=grant)

    assert found["notices"] == (grant,)
    assert found["may_be_retried"]


def test_a_second_look_to_come_is_told_beside_the_data(settings: Settings) -> None:
    later = NOW + timedelta(hours=20)
    found = state(AGGREGATE, settings, **WRITTEN, RECHECK_AT=later)

    assert found["state"] is DATA
    assert found["eta_at"] == later
    assert "looked at once more" in found["notices"][0]


def test_a_view_that_shrank_says_what_was_kept(settings: Settings) -> None:
    found = state(AGGREGATE, settings, **WRITTEN, REASON_CODE="SOURCE_SHRUNK", LAST_ERROR="The stored rows were kept.")

    assert found["notices"] == ("The stored rows were kept.",)


def test_an_enrichment_that_is_switched_off_says_so_where_something_is_coming() -> None:
    found = state(AGGREGATE, Settings(enabled=False), STATUS="PENDING", DUE_AT=NOW)

    assert "switched off" in found["notices"][0]


def test_an_id_that_nothing_has_is_unknown(settings: Settings) -> None:
    with pytest.raises(UnknownRunError, match="nobody"):
        state(AGGREGATE, settings, RUN_ID="nobody", RUN_STATUS=None)


def test_a_run_that_flakebench_deleted_still_shows_what_was_written(settings: Settings) -> None:
    assert state(AGGREGATE, settings, RUN_STATUS=None, **WRITTEN)["state"] is DATA


def test_each_section_says_what_cannot_be_seen_when_it_is_empty() -> None:
    sections = (server_metrics, lock_contention, credits_section, query_acceleration, insights, partitions)
    subjects = [item.SUBJECT for item in sections]

    assert {item.entry.name for item in subjects} == {entry.name for entry in CATALOGUE}
    assert "about 5 s or more only" in lock_contention.SUBJECT.nothing_found
    assert "not 0" in credits_section.SUBJECT.nothing_found
    assert "not 0" in query_acceleration.SUBJECT.nothing_found


@pytest.mark.parametrize(("span", "text"), [(45, "45 min"), (180, "3 h"), (195, "3 h 15 min"), (0, "0 min")])
def test_latencies_are_told_in_hours_and_minutes(span: int, text: str) -> None:
    assert minutes(timedelta(minutes=span)) == text
