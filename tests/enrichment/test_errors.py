"""One table by Snowflake error number says what follows from an error."""

from __future__ import annotations

import http.client
import ssl

import pytest
import requests
from snowflake.connector import errorcode, network
from snowflake.connector.errors import (
    DatabaseError,
    Error,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    ServiceUnavailableError,
)
from snowflake.connector.vendored import requests as vendored_requests
from snowflake.connector.vendored.urllib3 import exceptions as vendored_urllib3

from include.enrichment.error_numbers import ERROR_NUMBERS, ERROR_RANGES, UNLISTED, ErrorClass
from include.enrichment.errors import classify, grant_statement, safe_text
from include.enrichment.lifecycle import Attempt, ClaimedTask
from include.enrichment.operator import unexpected
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
        (603, "TRANSIENT", "SNOWFLAKE_INTERNAL"),
        (90073, "TRANSIENT", "QUOTA_EXCEEDED"),
        (290503, "TRANSIENT", "NETWORK"),
        (254012, "TRANSIENT", "NETWORK"),
        (390303, "PERMANENT", "LOGIN_REFUSED"),
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
    assert classify(DatabaseError("something"), Settings(), "QUERY_HISTORY", ROLE) is UNLISTED


@pytest.mark.parametrize(
    "error", [OperationalError(msg="closed"), InterfaceError(msg="closed"), ServiceUnavailableError()]
)
def test_an_error_of_the_connection_without_a_number_of_the_table_is_one_of_the_network(error: Error) -> None:
    assert classify(error, Settings(), "QUERY_HISTORY", ROLE).reason_code == "NETWORK"


@pytest.mark.parametrize(
    ("error", "is_network"),
    [
        (requests.exceptions.ConnectionError("refused"), True),
        (vendored_requests.exceptions.ChunkedEncodingError("broken"), True),
        (vendored_urllib3.ProtocolError("broken"), True),
        (http.client.IncompleteRead(b""), True),
        (ssl.SSLError("handshake"), True),
        (TimeoutError("timed out"), True),
        (FileNotFoundError("rsa_key.p8"), False),
        (PermissionError("rsa_key.p8"), False),
        (KeyError("sessionId"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_connector_lets_through_is_one_of_the_network_when_it_comes_from_there(
    error: Exception, is_network: bool
) -> None:
    attempt = Attempt(
        ClaimedTask("j", "run-1", "r", "AGGREGATE", "c"), Settings(), try_number=1, claimed_by="p", lease_minutes=9
    )
    known = unexpected(attempt, error)
    assert known.reason_code == ("NETWORK" if is_network else "UNEXPECTED")
    assert known.error_class is ErrorClass.TRANSIENT
    assert "run-1" in str(known)
    assert "AGGREGATE" in str(known)


def test_every_number_says_what_it_means_what_to_do_next_and_where_it_is_from() -> None:
    verdicts = [*ERROR_NUMBERS.values(), *ERROR_RANGES.values()]
    assert all(verdict.meaning and verdict.next_action and verdict.source for verdict in verdicts)
    assert ErrorClass.NO_PRIVILEGE not in {verdict.error_class for verdict in verdicts}


@pytest.mark.parametrize(
    ("number", "source"), [(number, v.source) for number, v in ERROR_NUMBERS.items() if "errorcode.py" in v.source]
)
def test_a_number_of_the_connector_has_the_name_that_the_connector_gives_it(number: int, source: str) -> None:
    assert getattr(errorcode, source.rpartition(" ")[2]) == number


@pytest.mark.parametrize(
    ("number", "source"),
    [
        (number, v.source)
        for number, v in ERROR_NUMBERS.items()
        if v.source.startswith(("snowflake-connector-python `network.py`",)) and v.source.endswith("_GS_CODE")
    ],
)
def test_a_number_of_the_service_has_the_name_that_the_connector_gives_it(number: int, source: str) -> None:
    assert int(getattr(network, source.rpartition(" ")[2])) == number


@pytest.mark.parametrize(
    ("view", "grant"),
    [
        ("QUERY_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER"),
        ("AGGREGATE_QUERY_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER"),
        ("QUERY_INSIGHTS", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE LOADER"),
        ("HYBRID_TABLE_USAGE_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE LOADER"),
        ("LOCK_WAIT_HISTORY", "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE LOADER"),
        ("QUERY_ACCELERATION_HISTORY", "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE LOADER"),
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


@pytest.mark.parametrize(
    ("number", "message", "shown"),
    [
        (
            1003,
            "SQL compilation error:\nsyntax error line 3 at position 7 unexpected 'SECRET'.",
            "position 7 unexpected '...'.",
        ),
        (100071, "Failed to cast variant value SECRET to FIXED", "Failed to cast variant value ... to FIXED"),
        (100071, 'Failed to cast variant value "SECRET" to DATE', "Failed to cast variant value ... to DATE"),
        (
            100090,
            'Duplicate row detected during DML action\nRow Values: ["SECRET", 1]',
            "during DML action Row Values: ...",
        ),
        (100069, "Error parsing JSON: SECRET", "Error parsing JSON: ..."),
        (100078, "String 'SECRET' is too long and would be truncated", "String '...' is too long"),
        (1789, "SQL compilation error: something near 'SECRET'", "something near '...'"),
        (250001, "Failed to connect, token=SECRETsecretSECRET12", "token="),
    ],
)
def test_safe_text_hides_what_may_be_data_query_text_or_a_secret(number: int, message: str, shown: str) -> None:
    text = safe_text(ProgrammingError(msg=message, errno=number, sqlstate="22000"))
    assert "SECRET" not in text
    assert shown in text


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
