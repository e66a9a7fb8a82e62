"""The doctor on the embedded account: green when all is right, and exactly the one thing that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import MagicMock

import pytest
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from pytest_mock import MockerFixture

from include.enrichment import doctor, setup
from include.enrichment.access import source_views
from include.enrichment.doctor import Check, checks, run_check
from include.enrichment.errors import grant_statement
from include.enrichment.findings import Finding, Status
from include.enrichment.operations import Operation
from include.enrichment.settings import Settings
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account

VIEWS = source_views(Settings())


def examine(settings: Settings, *kinds: str) -> list[Finding]:
    """Every check of some kinds; of all when none is named."""
    found = [check for check in checks(CONN_ID, settings) if not kinds or check.name in kinds]
    assert found
    return [run_check(CONN_ID, settings, check) for check in found]


def not_ok(findings: list[Finding]) -> list[str]:
    return [finding.label for finding in findings if finding.status is not Status.OK]


def refused(pattern: str, *, errno: int = 2003, sqlstate: str = "02000", message: str = "") -> dict[str, Any]:
    return {"match": pattern, "errno": errno, "sqlstate": sqlstate, "message": message or "Not authorized."}


@pytest.fixture
def altered(account: Account) -> Iterator[Account]:
    """The account, and its migrations and columns put right again after the test."""
    yield account
    account.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS")  # so that every step runs again
    account.migrate()


def test_everything_is_green_and_nothing_is_written(account: Account, settings: Settings) -> None:
    before = account.contents()
    assert not_ok(examine(settings)) == []
    assert account.contents() == before


@pytest.mark.parametrize("view", VIEWS)
def test_without_one_view_exactly_that_one_fails_with_its_grant(
    account: Account, settings: Settings, view: str
) -> None:
    name = f"SNOWFLAKE.ACCOUNT_USAGE.{view}"
    said = f"SQL compilation error:\nObject '{name}' does not exist or not authorized."
    account.put_faults([refused(rf"FROM {name}\b", message=said)])
    findings = examine(settings, "view")
    assert not_ok(findings) == [f"view {view}"]
    (failed,) = (finding for finding in findings if finding.is_failure)
    grant = grant_statement(view, "FLAKEBENCH_ROLE", "SNOWFLAKE")
    assert f"As ACCOUNTADMIN run: {grant};" in failed.next_action
    assert f"cannot read {name}" in failed.message
    assert "Snowflake error 002003" in failed.message
    assert "Current role FLAKEBENCH_ROLE, user FLAKEBENCH" in failed.message


def test_with_one_privilege_missing_all_other_checks_pass(account: Account, settings: Settings) -> None:
    account.put_faults([refused(r"FROM SNOWFLAKE\.ACCOUNT_USAGE\.LOCK_WAIT_HISTORY\b")])
    assert not_ok(examine(settings)) == ["view LOCK_WAIT_HISTORY"]


def test_the_view_of_an_optional_type_is_asked_for_where_the_settings_name_the_type(
    account: Account, settings: Settings
) -> None:
    account.put_faults([refused(r"FROM SNOWFLAKE\.ACCOUNT_USAGE\.QUERY_ACCELERATION_HISTORY\b")])
    assert not_ok(examine(settings, "view")) == []
    named = settings.model_copy(update={"optional_types": ("QUERY_ACCELERATION",)})
    (failed,) = (finding for finding in examine(named, "view") if finding.is_failure)
    assert "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE FLAKEBENCH_ROLE;" in failed.next_action
    assert "take QUERY_ACCELERATION out of FLAKEBENCH_ENRICHMENT_OPTIONAL_TYPES" in failed.next_action


def test_a_view_that_lost_a_column_says_so(account: Account, settings: Settings) -> None:
    said = "SQL compilation error: error line 3\ninvalid identifier 'CALLS'"
    account.put_faults([refused(r"ACCOUNT_USAGE\.AGGREGATE", errno=904, sqlstate="42000", message=said)])
    (failed,) = (finding for finding in examine(settings, "view") if finding.is_failure)
    assert failed.subject == "AGGREGATE_QUERY_HISTORY"
    assert "lacks a column that is used" in failed.message
    assert "invalid identifier 'CALLS'" in failed.message
    assert "GRANT" not in failed.next_action


@pytest.mark.parametrize(
    ("statement", "label", "grant"),
    [
        (
            r"^\s*UPDATE FLAKEBENCH\.TEST_RESULTS\.TEST_RESULTS\b",
            "flakebench TEST_RESULTS",
            "GRANT UPDATE ON TABLE {}.TEST_RESULTS",
        ),
        (r"^\s*UPDATE \S+\.QUERY_EXECUTIONS\b", "flakebench QUERY_EXECUTIONS", "GRANT UPDATE ON TABLE {}.QUERY_EXEC"),
        (r"^\s*SELECT RUN_ID\s+FROM \S+\.RUN_STATUS", "flakebench RUN_STATUS", "GRANT SELECT ON TABLE {}.RUN_STATUS"),
        (
            r"^\s*DELETE FROM \S+\.LOCK_CONTENTION_EVENTS",
            "object LOCK_CONTENTION_EVENTS",
            "GRANT DELETE ON TABLE {}.LOCK_CONTENTION_EVENTS",
        ),
        (
            r"^\s*(INSERT INTO|UPDATE) \S+\.DELAYED_ENRICHMENT_TASKS",
            "object DELAYED_ENRICHMENT_TASKS",
            "GRANT INSERT, UPDATE ON TABLE {}.DELAYED_ENRICHMENT_TASKS",
        ),
        (r"FROM \S+\.V_RUN_ENRICHMENT\b", "object V_RUN_ENRICHMENT", "GRANT SELECT ON VIEW {}.V_RUN_ENRICHMENT"),
    ],
)
def test_without_one_privilege_on_a_table_exactly_that_one_is_granted(
    account: Account, settings: Settings, statement: str, label: str, grant: str
) -> None:
    account.put_faults([refused(statement, errno=3001, sqlstate="42501", message="Insufficient privileges")])
    findings = examine(settings, "flakebench", "object")
    assert not_ok(findings) == [label]
    (failed,) = (finding for finding in findings if finding.is_failure)
    assert grant.format(OWN_SCHEMA) in failed.next_action
    assert "TO ROLE FLAKEBENCH_ROLE;" in failed.next_action
    assert "ACCOUNTADMIN" in failed.next_action
    assert "Current role FLAKEBENCH_ROLE, user FLAKEBENCH" in failed.message


def test_without_the_mirror_test_results_is_only_read(account: Account, settings: Settings) -> None:
    account.put_faults([refused(r"^\s*UPDATE FLAKEBENCH\.TEST_RESULTS\.TEST_RESULTS\b", errno=3001, sqlstate="42501")])
    without = settings.model_copy(update={"mirror": False})
    assert not_ok(examine(without, "flakebench")) == []


def test_query_executions_is_only_read_without_the_type_that_fills_it(account: Account, settings: Settings) -> None:
    """The mirror does not matter: QUERY_HISTORY fills the SF_* columns without it, and the hashes are its own."""
    account.put_faults([refused(r"^\s*UPDATE \S+\.QUERY_EXECUTIONS\b", errno=3001, sqlstate="42501")])
    without_mirror = settings.model_copy(update={"mirror": False})
    assert not_ok(examine(without_mirror, "flakebench")) == ["flakebench QUERY_EXECUTIONS"]
    without_type = settings.model_copy(update={"disabled_types": ("QUERY_HISTORY",)})
    assert not_ok(examine(without_type, "flakebench")) == []


def test_privileges_that_no_template_needs_are_not_asked_for(account: Account, settings: Settings) -> None:
    patterns = [
        r"^\s*UPDATE \S+\.(AGGREGATE_QUERY_METRICS|HYBRID_TABLE_CREDITS|DELAYED_ENRICHMENT_ATTEMPTS)\b",
        r"^\s*(INSERT INTO|DELETE FROM) \S+\.ENRICHMENT_PASS_LOCK\b",
        r"^\s*(INSERT INTO|UPDATE|DELETE FROM) \S+\.ENRICHMENT_MIGRATIONS\b",
    ]
    account.put_faults([refused(pattern, errno=3001, sqlstate="42501") for pattern in patterns])
    assert not_ok(examine(settings, "object")) == []


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("DELAYED_ENRICHMENT_TASKS", ["LEASE_EXPIRES_AT"]),
        ("HYBRID_TABLE_CREDITS", ["TEST_ID", "CREDITS_USED"]),  # a NOT NULL one too, which a probe names
    ],
)
def test_a_table_of_ours_that_lacks_columns_names_them(
    account: Account, settings: Settings, table: str, columns: list[str]
) -> None:
    name = f"{OWN_SCHEMA}.{table}"
    for column in columns:
        account.run(f"ALTER TABLE {name} RENAME COLUMN {column} TO {column}_ELSEWHERE")
    try:
        findings = examine(settings, "object")
    finally:
        for column in columns:
            account.run(f"ALTER TABLE {name} RENAME COLUMN {column}_ELSEWHERE TO {column}")
    (failed,) = (finding for finding in findings if finding.is_failure and finding.subject == table)
    assert f"{name} lacks {', '.join(columns)}, which the migrations create." in failed.message
    assert f"ALTER TABLE {name} RENAME COLUMN" in failed.next_action
    assert {finding.subject for finding in findings if finding.is_failure and finding.subject.startswith("V_")} == set()


@pytest.mark.parametrize(
    ("said", "who", "first"),
    [
        ("Table 'T' does not exist or not authorized.", "its owner", "GRANT SELECT ON TABLE"),
        (
            "Database 'FLAKEBENCH' does not exist or not authorized.",
            "the database's owner",
            "GRANT USAGE ON DATABASE FLAKEBENCH",
        ),
    ],
)
def test_who_may_run_the_grants_is_the_owner_of_what_the_first_opens(
    account: Account, settings: Settings, said: str, who: str, first: str
) -> None:
    account.put_faults([refused(r"FROM \S+\.RUN_STATUS\b", message=said)])
    (failed,) = (finding for finding in examine(settings, "flakebench") if finding.is_failure)
    assert f"As {who} or as ACCOUNTADMIN run: {first} " in failed.next_action


def test_a_table_that_somebody_has_locked_is_no_failure(account: Account, settings: Settings) -> None:
    account.put_faults([refused(r"^\s*UPDATE FLAKEBENCH\.TEST_RESULTS\.TEST_RESULTS\b", errno=625, sqlstate="57014")])
    assert not_ok(examine(settings, "flakebench")) == []


def test_temporary_tables_need_usage(account: Account, settings: Settings) -> None:
    account.put_faults([refused(r"TEMPORARY TABLE", errno=3001, sqlstate="42501")])
    (failed,) = examine(settings, "session tables")
    assert failed.next_action.startswith("As the database's owner or as ACCOUNTADMIN run: GRANT USAGE ON DATABASE ")
    assert f"GRANT USAGE ON SCHEMA {OWN_SCHEMA} TO ROLE FLAKEBENCH_ROLE;" in failed.next_action


def test_a_column_that_flakebench_lost_is_named(account: Account, settings: Settings) -> None:
    table = f"{OWN_SCHEMA}.QUERY_EXECUTIONS"
    account.run(f"ALTER TABLE {table} RENAME COLUMN SF_PCT_SCANNED_FROM_CACHE TO ELSEWHERE")
    try:
        findings = examine(settings, "flakebench")
    finally:
        account.run(f"ALTER TABLE {table} RENAME COLUMN ELSEWHERE TO SF_PCT_SCANNED_FROM_CACHE")
    assert not_ok(findings) == ["flakebench QUERY_EXECUTIONS"]
    assert f"{table} lacks SF_PCT_SCANNED_FROM_CACHE," in findings[1].message


def test_a_mirror_column_that_flakebench_dropped_is_a_warning(altered: Account, settings: Settings) -> None:
    altered.run(f"ALTER TABLE {OWN_SCHEMA}.TEST_RESULTS DROP COLUMN LOCK_WAIT_COUNT")
    (finding,) = (item for item in examine(settings, "mirror", "flakebench", "migrations") if item.next_action)
    assert (finding.check, finding.status) == ("mirror", Status.WARNING)
    assert "TEST_RESULTS.LOCK_WAIT_COUNT" in finding.message
    assert "enrichment_cleanup" in finding.next_action


def test_a_pending_migration_fails_and_is_named(altered: Account, settings: Settings) -> None:
    altered.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS WHERE VERSION = 4")
    (failed,) = examine(settings, "migrations")
    assert failed.is_failure
    assert "0004_views" in failed.message
    assert "0003_mirror" not in failed.message
    assert "enrichment_setup" in failed.next_action


def test_a_migration_whose_file_was_changed_is_a_warning(altered: Account, settings: Settings) -> None:
    altered.run(f"UPDATE {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS SET CHECKSUM = 'another' WHERE VERSION = 2")
    (finding,) = examine(settings, "migrations")
    assert finding.status is Status.WARNING
    assert "0002_results" in finding.message


def test_without_any_migration_every_object_of_ours_says_what_creates_it(account: Account) -> None:
    account.run("CREATE SCHEMA IF NOT EXISTS FLAKEBENCH.EMPTY_SCHEMA")
    elsewhere = Settings(own_schema="EMPTY_SCHEMA")
    findings = examine(elsewhere, "migrations", "object", "connection")
    assert [item.status for item in findings if item.check == "connection"] == [Status.OK]
    assert all(item.is_failure for item in findings if item.check != "connection")
    assert all("enrichment_setup" in item.next_action for item in findings if item.check != "connection")


def test_a_schema_that_does_not_exist_is_named(account: Account) -> None:
    (failed,) = examine(Settings(results_database="NOWHERE"), "connection")
    assert failed.is_failure
    assert "NOWHERE" in failed.message
    assert "GRANT USAGE ON DATABASE NOWHERE TO ROLE FLAKEBENCH_ROLE" in failed.next_action


def test_without_a_warehouse_in_the_connection_the_message_says_where_to_set_it(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(account.local.airflow_json())
    del connection["extra"]["warehouse"]
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
    (failed,) = examine(settings, "warehouse")
    assert failed.is_failure
    assert "Set the warehouse in the Airflow connection." in failed.next_action


@pytest.fixture
def wrong_logins(account: Account, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> MagicMock:
    """A connection with a wrong password, and who counts the logins."""
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", replace(account.local, password="wrong").airflow_json())
    return mocker.spy(SnowflakeHook, "get_conn")


def test_a_wrong_password_is_tried_once_and_the_checks_that_need_a_login_are_left_out(
    settings: Settings, wrong_logins: MagicMock
) -> None:
    """Snowflake locks a user after a few refused logins."""
    findings = list(doctor.run_checks(CONN_ID, settings))
    doctor.record(Operation("doctor", "shell", datetime(2026, 11, 21)), CONN_ID, settings, findings)
    assert wrong_logins.call_count == 1
    assert [item.label for item in findings] == [f"connection {CONN_ID}", "versions installed"]
    assert findings[0].is_failure
    assert "Correct the credentials in the Airflow connection." in findings[0].next_action
    assert "wrong" not in findings[0].text
    told = doctor.not_checked(CONN_ID, settings, [(item.check, item.subject) for item in findings])
    assert told.startswith("Not checked, because the connection failed: session TIMEZONE, ")
    assert told.endswith(f"mirror {settings.results}.")


def test_the_dag_maps_only_what_needs_no_login_when_the_connection_fails(
    settings: Settings, wrong_logins: MagicMock, caplog: pytest.LogCaptureFixture
) -> None:
    listed = doctor.list_checks(CONN_ID, settings)
    assert wrong_logins.call_count == 1
    assert listed == [("connection", CONN_ID), ("versions", "installed")]
    assert "Not checked, because the connection failed: session TIMEZONE" in caplog.text


def test_with_a_connection_the_dag_maps_every_check(account: Account, settings: Settings) -> None:
    assert doctor.list_checks(CONN_ID, settings) == checks(CONN_ID, settings)


@pytest.mark.parametrize(
    ("conn_id", "variable", "cause"),
    [
        ("nowhere", None, "there is no Airflow connection nowhere"),
        ("a_website", '{"conn_type": "http", "host": "localhost"}', "has the type http"),
    ],
)
def test_a_connection_that_is_none_to_snowflake_is_named(
    account: Account,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    conn_id: str,
    variable: str | None,
    cause: str,
) -> None:
    if variable:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", variable)
    failed = run_check(conn_id, settings, Check("connection", conn_id))
    assert failed.is_failure
    assert cause in failed.message


def test_a_probe_is_bounded_in_time(account: Account, settings: Settings) -> None:
    """The session of a probe has the timeout of a probe; the check of the timeout has that of an enrichment."""
    account.put_faults([{"match": "ACCOUNT_USAGE.QUERY_INSIGHTS", "delay_seconds": 20}])
    impatient = settings.model_copy(update={"statement_timeout_seconds": 1})
    (failed,) = (item for item in examine(impatient, "view") if item.is_failure)
    assert failed.subject == "QUERY_INSIGHTS"
    assert "timeout of 1 second" in failed.message
    assert "Run the doctor again" in failed.next_action


def test_the_findings_are_one_row_of_the_log_of_operations(account: Account, settings: Settings) -> None:
    operation = Operation("doctor", "enrichment_setup/run-1", datetime(2026, 11, 21))
    findings = [Finding("view", "QUERY_HISTORY", Status.FAILED, "it's 100 % closed", "GRANT it;")]
    doctor.record(operation, CONN_ID, settings, findings)
    doctor.record(operation, CONN_ID, settings, findings)  # a task that Airflow tries again
    (row,) = account.table("ENRICHMENT_OPERATIONS")
    assert (row["OPERATION"], row["STATUS"]) == ("DOCTOR", "FAILED")
    assert json.loads(row["DETAILS"])["findings"] == [findings[0].as_json()]


def test_without_the_log_of_operations_the_doctor_goes_on(account: Account, settings: Settings) -> None:
    account.put_faults([refused("INSERT INTO .*ENRICHMENT_OPERATIONS")])
    operation = Operation("doctor", "enrichment_setup/run-1", datetime(2026, 11, 21))
    findings = [Finding("view", "QUERY_HISTORY", Status.OK, "fine")]
    assert doctor.report(operation, CONN_ID, settings, findings) == {"OK": 1, "WARNING": 0, "FAILED": 0}


def test_a_migration_without_the_privilege_says_which_grant_and_who_runs_it(
    altered: Account, settings: Settings
) -> None:
    altered.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS WHERE VERSION = 2")
    said = "SQL access control error:\nInsufficient privileges to operate on schema 'TEST_RESULTS'"
    altered.put_faults([refused(r"^\s*CREATE TABLE", errno=3001, sqlstate="42501", message=said)])
    with pytest.raises(setup.SetupError) as raised:
        setup.migrate(CONN_ID, settings)
    altered.put_faults([])
    message = str(raised.value)
    assert "Insufficient privileges to operate on schema" in message
    assert "Current role FLAKEBENCH_ROLE, user FLAKEBENCH" in message
    assert f"GRANT USAGE, CREATE TABLE, CREATE VIEW ON SCHEMA {OWN_SCHEMA} TO ROLE FLAKEBENCH_ROLE;" in message
    assert "ACCOUNTADMIN" in message


def test_a_dry_run_shows_the_sql_and_changes_nothing(
    altered: Account, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    altered.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS WHERE VERSION = 4")
    before = altered.contents()
    with caplog.at_level("INFO", logger=setup.log.name):
        steps = setup.change_schema(CONN_ID, settings, dry_run=True, rollback_to=None)
        back = setup.change_schema(CONN_ID, settings, dry_run=True, rollback_to=2)
    assert steps == ["0004_views"]
    assert "0003_mirror" in back
    assert f"VIEW {OWN_SCHEMA}.V_RUN_ENRICHMENT" in caplog.text
    assert altered.contents() == before


def test_an_unknown_key_of_conf_is_refused(settings: Settings) -> None:
    with pytest.raises(setup.SetupError, match="Unknown in conf: rollbak; known are dry_run and rollback_to"):
        setup.change_schema(CONN_ID, settings, dry_run=False, rollback_to=None, rollbak=1)
