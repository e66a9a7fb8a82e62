"""How a failed try ends: the task's next state and a message that says run, type, cause and next action."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector.errors import ProgrammingError

from include.enrichment.error_numbers import ErrorClass
from include.enrichment.errors import EnrichmentError
from include.enrichment.failures import AttemptEnd
from include.enrichment.lifecycle import Attempt, ClaimedTask
from include.enrichment.settings import Settings

TASK = ClaimedTask("job-1", "run-1", "Peak load", "AGGREGATE", "claim-1")
PERMANENT = EnrichmentError("Run run-1 AGGREGATE: no tag. Set one.", "NO_QUERY_TAG", ErrorClass.PERMANENT)
TIMEOUT = ProgrammingError(msg="Statement reached its timeout", errno=630, sqlstate="57014", sfqid="01ab")
NO_PRIVILEGE = ProgrammingError(
    msg="Object 'SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY' does not exist or not authorized.",
    errno=2003,
    sqlstate="42501",
)


def an_attempt(**settings: Any) -> Attempt:
    return Attempt(TASK, Settings(**settings), try_number=2, claimed_by="delayed_enrichment/run", lease_minutes=90)


def failed(error: Any, attempts: int, *, may_airflow_retry: bool = False) -> AttemptEnd:
    return AttemptEnd.failed(error, an_attempt(), attempts=attempts, role="R", may_airflow_retry=may_airflow_retry)


@pytest.mark.parametrize(
    ("error", "attempts", "airflow", "status", "minutes", "is_counted"),
    [
        pytest.param(TIMEOUT, 1, False, "PENDING", 5, True, id="transient, first"),
        pytest.param(TIMEOUT, 2, False, "PENDING", 15, True, id="transient, second"),
        pytest.param(TIMEOUT, 3, False, "FAILED", None, True, id="transient, third"),
        pytest.param(TIMEOUT, 1, True, "IN_PROGRESS", None, True, id="transient, Airflow tries again"),
        pytest.param(TIMEOUT, 3, True, "FAILED", None, True, id="transient, third, though Airflow has a retry"),
        pytest.param(PERMANENT, 1, True, "FAILED", None, True, id="permanent"),
        pytest.param(NO_PRIVILEGE, 3, True, "PENDING", 60, False, id="no privilege is never counted"),
    ],
)
def test_the_class_of_the_error_and_the_tries_decide(
    error: Any, attempts: int, airflow: bool, status: str, minutes: int | None, is_counted: bool
) -> None:
    end = failed(error, attempts, may_airflow_retry=airflow)
    assert (end.status, end.due_in_minutes, end.is_counted) == (status, minutes, is_counted)
    assert end.outcome == "FAILED"
    assert end.is_retried_by_airflow is (status == "IN_PROGRESS")
    assert not end.is_snoozed


@pytest.mark.parametrize(
    ("end", "fragments"),
    [
        (failed(TIMEOUT, 1), ["run-1", "Peak load", "AGGREGATE", "reached its timeout", "000630", "01ab", "5 minutes"]),
        (failed(TIMEOUT, 3), ["try 3 of 3", "retry the run"]),
        (failed(PERMANENT, 1), ["run-1", "AGGREGATE", "Set one"]),
        (failed(NO_PRIVILEGE, 1), ["run-1", "AGGREGATE", "role R".title(), "GRANT DATABASE ROLE", "60 minutes"]),
    ],
    ids=["transient", "final", "permanent", "no privilege"],
)
def test_a_message_names_run_type_cause_and_next_action(end: AttemptEnd, fragments: list[str]) -> None:
    assert [text for text in fragments if text.lower() not in end.message.lower()] == []


def test_a_type_that_was_switched_off_waits_for_no_privilege() -> None:
    attempt = an_attempt(disabled_types=("AGGREGATE",))
    end = AttemptEnd.failed(NO_PRIVILEGE, attempt, attempts=1, role="R", may_airflow_retry=True)
    assert (end.status, end.outcome, end.reason_code) == ("SKIPPED", "SKIPPED", "DISABLED")
    assert "switched off by FLAKEBENCH_ENRICHMENT_DISABLED_TYPES, so it is not tried again" in end.message
    assert AttemptEnd.failed(TIMEOUT, attempt, attempts=1, role="R", may_airflow_retry=False).status == "PENDING"


def test_a_run_that_goes_on_is_looked_at_again_uncounted_until_the_horizon() -> None:
    attempt = an_attempt(not_ready_minutes=7)
    end = AttemptEnd.not_finished(attempt, "still RUNNING")
    assert (end.status, end.reason_code, end.due_in_minutes) == ("PENDING", "NOT_READY", 7)
    assert end.is_snoozed
    assert not end.is_counted
    attempt.is_past_horizon = True
    end = AttemptEnd.not_finished(attempt, "still RUNNING")
    assert (end.status, end.reason_code, end.is_snoozed) == ("SKIPPED", "NO_DATA", False)


def test_a_try_has_a_token_of_its_own_under_its_claim() -> None:
    attempt = an_attempt()
    assert attempt.parameters["token"] == "claim-1:2"
    assert attempt.parameters["lease_seconds"] == 5400
    assert TASK.label == "Peak load · AGGREGATE"
    assert attempt.summary() == "Run run-1 (Peak load) AGGREGATE: nothing was read"
