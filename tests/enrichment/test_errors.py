"""One table by Snowflake error number says what follows from an error."""

from __future__ import annotations

import pytest
from snowflake.connector.errors import DatabaseError, Error, OperationalError, ProgrammingError

from include.enrichment.errors import (
    ERROR_NUMBERS,
    UNLISTED,
    ErrorClass,
    classify,
    grant_statement,
    safe_text,
)
from include.enrichment.settings import Settings

ROLE = "LOADER"
MISSING = "SQL compilation error:\nObject '{}' does not exist or not authorized."


def classified(
    number: int, message: str = "m", sqlstate: str = "XX000", view: str = "QUERY_HISTORY"
) -> tuple[str, str]:
    verdict = classify(ProgrammingError(msg=message, errno=number, sqlstate=sqlstate), Settings(), view, ROLE)
    return verdict.error_class.name, verdict.reason_code


@pytest.mark.parametrize(
    ("number", "error_class", "reason_code"),
    [
        (604, "TRANSIENT", "CANCELED"),
        (625, "TRANSIENT", "LOCKED"),
        (630, "TRANSIENT", "TIMEOUT"),
        (250001, "TRANSIENT", "NETWORK"),
        (390114, "TRANSIENT", "SESSION_EXPIRED"),
        (300002, "TRANSIENT", "SNOWFLAKE_INTERNAL"),
        (904, "PERMANENT", "INVALID_IDENTIFIER"),
        (1003, "PERMANENT", "SYNTAX"),
        (2003, "PERMANENT", "MISSING_OBJECT"),
        (390100, "PERMANENT", "LOGIN_REFUSED"),
        (390186, "PERMANENT", "LOGIN_REFUSED"),
        (390189, "PERMANENT", "LOGIN_REFUSED"),
        (90105, "PERMANENT", "NO_DATABASE"),
        (100038, "PERMANENT", "BAD_VALUE"),
        (999999, "TRANSIENT", "SNOWFLAKE_ERROR"),
    ],
)
def test_an_error_is_treated_by_its_number(number: int, error_class: str, reason_code: str) -> None:
    assert classified(number) == (error_class, reason_code)


def test_an_error_without_a_number_is_transient() -> None:
    assert classify(DatabaseError("connection lost"), Settings(), "QUERY_HISTORY", ROLE) is UNLISTED


def test_every_verdict_says_what_to_do_next() -> None:
    assert all(verdict.next_action for verdict in [*ERROR_NUMBERS.values(), UNLISTED])
    assert ErrorClass.NO_PRIVILEGE not in {verdict.error_class for verdict in ERROR_NUMBERS.values()}


@pytest.mark.parametrize(
    ("view", "grant"),
    [
        ("QUERY_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER"),
        ("AGGREGATE_QUERY_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER"),
        ("QUERY_INSIGHTS", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER"),
        ("HYBRID_TABLE_USAGE_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE LOADER"),
        ("LOCK_WAIT_HISTORY", "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE LOADER"),
    ],
)
def test_a_view_that_cannot_be_read_names_view_role_and_the_exact_grant(view: str, grant: str) -> None:
    error = ProgrammingError(msg=MISSING.format(f"SNOWFLAKE.ACCOUNT_USAGE.{view}"), errno=2003, sqlstate="42501")
    verdict = classify(error, Settings(), view, ROLE)
    assert verdict.error_class is ErrorClass.NO_PRIVILEGE
    assert verdict.reason_code == "NO_PRIVILEGE"
    assert verdict.next_action.startswith(f"Role {ROLE} cannot read SNOWFLAKE.ACCOUNT_USAGE.{view}.")
    assert f"{grant};" in verdict.next_action
    assert grant_statement(view, ROLE, "SNOWFLAKE") == grant


def test_the_view_in_the_message_is_named_not_the_type_s_own() -> None:
    text = MISSING.format("SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY")
    verdict = classify(ProgrammingError(msg=text, errno=2003, sqlstate="42501"), Settings(), "LOCK_WAIT_HISTORY", ROLE)
    assert "ACCOUNT_USAGE.QUERY_HISTORY" in verdict.next_action
    assert "GOVERNANCE_VIEWER" in verdict.next_action


@pytest.mark.parametrize("invisible", ["SNOWFLAKE.ACCOUNT_USAGE", "SNOWFLAKE"])
def test_an_invisible_database_or_schema_names_the_view_of_the_type(invisible: str) -> None:
    message = f"SQL compilation error:\nDatabase '{invisible}' does not exist or not authorized."
    assert classified(2003, message, "02000", "AGGREGATE_QUERY_HISTORY") == ("NO_PRIVILEGE", "NO_PRIVILEGE")


def test_another_account_usage_database_is_recognised_by_its_setting() -> None:
    settings = Settings(account_usage_database="COPY")
    error = ProgrammingError(msg=MISSING.format("COPY.ACCOUNT_USAGE.QUERY_HISTORY"), errno=2003, sqlstate="42501")
    verdict = classify(error, settings, "QUERY_HISTORY", ROLE)
    assert "As the owner of the database COPY run: GRANT USAGE ON DATABASE COPY TO ROLE LOADER;" in verdict.next_action
    assert "GRANT SELECT ON VIEW COPY.ACCOUNT_USAGE.QUERY_HISTORY TO ROLE LOADER;" in verdict.next_action
    assert "DATABASE ROLE" not in verdict.next_action


def test_a_role_that_needs_quotes_has_them_in_the_grant() -> None:
    error = ProgrammingError(msg=MISSING.format("SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"), errno=2003, sqlstate="42501")
    verdict = classify(error, Settings(), "QUERY_HISTORY", "svc-flake bench")
    assert 'GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE "svc-flake bench";' in verdict.next_action


@pytest.mark.parametrize("number", [2003, 2043])
def test_an_object_that_is_missing_elsewhere_is_permanent(number: int) -> None:
    message = MISSING.format("FLAKEBENCH.TEST_RESULTS.AGGREGATE_QUERY_METRICS")
    assert classified(number, message, "42S02") == ("PERMANENT", "MISSING_OBJECT")


def test_insufficient_privileges_elsewhere_are_permanent() -> None:
    message = "SQL access control error:\nInsufficient privileges to operate on table 'TEST_RESULTS'"
    assert classified(3001, message, "42501") == ("PERMANENT", "NO_PRIVILEGE")


@pytest.mark.parametrize("number", [100035, 100038, 100078, 100132])
def test_safe_text_hides_the_value_of_a_conversion_error(number: int) -> None:
    error = ProgrammingError(msg="Numeric value 'it''s secret' is not recognized", errno=number, sqlstate="22018")
    text = safe_text(error)
    assert "secret" not in text
    assert "Numeric value '...' is not recognized" in text


def test_safe_text_keeps_the_object_of_a_compilation_error_on_one_line() -> None:
    error = ProgrammingError(msg=MISSING.format("SNOWFLAKE.ACCOUNT_USAGE.X"), errno=2003, sqlstate="42501")
    assert "SNOWFLAKE.ACCOUNT_USAGE.X" in safe_text(error)
    assert "\n" not in safe_text(error)


@pytest.mark.parametrize("error", [ValueError("x" * 5000), OperationalError(msg="x" * 5000, errno=250001), Error()])
def test_safe_text_is_bounded(error: BaseException) -> None:
    assert len(safe_text(error)) <= 2000


def test_safe_text_never_holds_the_query() -> None:
    error = ProgrammingError(msg="syntax error", errno=1003, sqlstate="42000", query="SELECT 'secret'")
    assert "secret" not in safe_text(error)
