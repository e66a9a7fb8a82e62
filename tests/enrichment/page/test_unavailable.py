"""Whoever looks at the page learns what to do, whatever Snowflake says."""

from __future__ import annotations

import pytest
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from include.enrichment.page.unavailable import Cause, Unavailable, explain
from include.enrichment.settings import Settings


def explained(error: BaseException, settings: Settings, role: str | None = "READER") -> Unavailable:
    return explain(error, settings, role=role, conn_id="snowflake_default")


def missing(name: str) -> ProgrammingError:
    text = f"SQL compilation error: Object '{name}' does not exist or not authorized."
    return ProgrammingError(msg=text, errno=2003, sqlstate="42S02")


def test_an_own_table_that_is_not_there_asks_for_the_set_up(settings: Settings) -> None:
    found = explained(missing("FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_TASKS"), settings)
    assert found.cause is Cause.NOT_SET_UP
    assert "enrichment_setup" in found.next_action


def test_a_foreign_table_that_is_invisible_names_the_grant(settings: Settings) -> None:
    found = explained(missing("FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"), settings)
    assert found.cause is Cause.MISSING_GRANT
    assert found.statement == "GRANT SELECT ON TABLE FLAKEBENCH.TEST_RESULTS.TEST_RESULTS TO ROLE READER;"


def test_a_view_of_account_usage_names_the_database_role_that_opens_it(settings: Settings) -> None:
    found = explained(missing("SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"), settings)
    assert found.cause is Cause.MISSING_GRANT
    assert found.statement == "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE READER;"


def test_a_role_that_is_not_known_is_not_made_up(settings: Settings) -> None:
    found = explained(missing("FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"), settings, role=None)
    assert found.statement.endswith("TO ROLE <the connection's role>;")


@pytest.mark.parametrize(
    "error",
    [
        OperationalError(msg="250001: Could not connect to Snowflake backend", errno=250001),
        ConnectionError("refused"),
        TimeoutError("no answer"),
    ],
)
def test_a_broken_network_is_unreachable_and_may_pass(error: BaseException, settings: Settings) -> None:
    found = explained(error, settings)
    assert found.cause is Cause.UNREACHABLE
    assert found.is_passing


def test_a_refused_login_does_not_pass_by_itself(settings: Settings) -> None:
    found = explained(DatabaseError(msg="Incorrect username or password was specified.", errno=390100), settings)
    assert found.cause is Cause.LOGIN_REFUSED
    assert not found.is_passing


def test_a_column_that_a_migration_adds_asks_for_the_set_up(settings: Settings) -> None:
    error = ProgrammingError(msg="SQL compilation error: invalid identifier 'RECHECK_ATTEMPTS'", errno=904)
    assert explained(error, settings).cause is Cause.NOT_SET_UP


def test_a_lock_means_that_nothing_was_changed(settings: Settings) -> None:
    found = explained(ProgrammingError(msg="Statement was aborted, lock timeout", errno=625), settings)
    assert found.cause is Cause.BUSY


def test_a_wrong_connection_is_a_matter_of_configuration(settings: Settings) -> None:
    found = explained(ValueError("The conn_id `snowflake_default` isn't defined"), settings)
    assert found.cause is Cause.CONFIGURATION
    assert "snowflake_default" in found.next_action


def test_no_text_of_a_query_is_shown(settings: Settings) -> None:
    error = ProgrammingError(msg="Numeric value 'secret' is not recognized", errno=100038)
    assert "secret" not in str(explained(error, settings))
