"""What setup says when Snowflake refuses a statement: what stopped, who was refused, what to run, that it goes on."""

from __future__ import annotations

import re

import pytest
from snowflake.connector.errors import ProgrammingError

from include.enrichment import migrations, setup
from include.enrichment.error_numbers import ERROR_NUMBERS
from include.enrichment.settings import Settings
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account

CIRCULAR = re.compile("doctor|retry the run|enrichment_setup|tried again by itself")
CREATE_GRANT = "GRANT USAGE, CREATE TABLE, CREATE VIEW ON SCHEMA {} TO ROLE FLAKEBENCH_ROLE;"


def refuse(account: Account, statement: str, errno: int = 3001, sqlstate: str = "42501") -> None:
    account.put_faults([{"match": statement, "errno": errno, "sqlstate": sqlstate, "message": "Refused"}])


def said_by_rollback(settings: Settings, to: int) -> str:
    with pytest.raises(setup.SetupError) as raised:
        setup.rollback(CONN_ID, settings, to)
    return str(raised.value)


def said_by_migrate(settings: Settings) -> str:
    with pytest.raises(setup.SetupError) as raised:
        setup.migrate(CONN_ID, settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("to", "statement", "kind", "name"),
    [
        (3, r"^DROP VIEW", "VIEW", "V_CLIENT_AND_SERVER_LATENCY"),
        (2, r"^ALTER TABLE \S+\.TEST_RESULTS DROP COLUMN", "TABLE", "TEST_RESULTS"),
        (1, r"^DROP TABLE \S+\.HYBRID_TABLE_CREDITS", "TABLE", "HYBRID_TABLE_CREDITS"),
    ],
)
def test_a_refused_drop_names_the_owner_and_that_nothing_is_lost(
    migrated: Account, settings: Settings, to: int, statement: str, kind: str, name: str
) -> None:
    refuse(migrated, statement)
    message = said_by_rollback(settings, to)
    assert re.search(r"Rollback of \w+ stopped: Refused \(Snowflake error 003001\)\. Nothing is lost", message)
    assert f"run the rollback to {to} again; it goes on from here" in message
    assert "Current role FLAKEBENCH_ROLE, user FLAKEBENCH." in message
    assert f"OWNERSHIP; SHOW GRANTS ON {kind} {OWN_SCHEMA}.{name};" in message
    assert f"GRANT ROLE <the owner of {OWN_SCHEMA}.{name}> TO ROLE FLAKEBENCH_ROLE;" in message
    assert "CREATE TABLE" not in message


def test_a_refused_backup_names_the_privileges_that_create_it(migrated: Account, settings: Settings) -> None:
    refuse(migrated, r"^CREATE TABLE \S+_ROLLBACK")
    message = said_by_rollback(settings, 1)
    assert "Nothing is lost" in message
    assert CREATE_GRANT.format(OWN_SCHEMA) in message


def test_a_refused_column_on_flakebenchs_table_names_its_owner(migrated: Account, settings: Settings) -> None:
    setup.rollback(CONN_ID, settings, 2)
    refuse(migrated, r"^ALTER TABLE \S+ ADD COLUMN", errno=2003, sqlstate="02000")
    message = said_by_migrate(settings)
    assert message.startswith("Migration 0003_mirror stopped: Refused (Snowflake error 002003).")
    assert f"GRANT ROLE <the owner of {OWN_SCHEMA}.TEST_RESULTS> TO ROLE FLAKEBENCH_ROLE;" in message
    assert "FLAKEBENCH_ENRICHMENT_RESULTS_SCHEMA" in message


def test_a_record_that_may_not_be_read_is_named_with_its_grant(migrated: Account, settings: Settings) -> None:
    refuse(migrated, r"FROM \S+\.ENRICHMENT_MIGRATIONS")
    message = said_by_migrate(settings)
    assert "run the migration again" in message
    assert f"GRANT SELECT, INSERT ON TABLE {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS TO ROLE FLAKEBENCH_ROLE;" in message


def test_a_schema_of_our_own_that_does_not_exist_is_created_by_whom(account: Account) -> None:
    message = said_by_migrate(Settings(own_schema="NOT_THERE"))
    schema = "FLAKEBENCH.NOT_THERE"
    assert message.startswith("Migration 0001_queue stopped:")
    assert (
        f"As the owner of the database FLAKEBENCH or as ACCOUNTADMIN run: CREATE SCHEMA IF NOT EXISTS {schema};"
        in message
    )
    assert CREATE_GRANT.format(schema) in message
    assert "GRANT CREATE SCHEMA ON DATABASE FLAKEBENCH TO ROLE FLAKEBENCH_ROLE;" in message


def test_a_database_that_does_not_exist_is_a_wrong_setting_of_flakebenchs(account: Account) -> None:
    message = said_by_migrate(Settings(results_database="NOWHERE"))
    assert "FLAKEBENCH_ENRICHMENT_RESULTS_DATABASE" in message
    assert "GRANT USAGE ON DATABASE NOWHERE TO ROLE FLAKEBENCH_ROLE;" in message
    assert "CREATE SCHEMA" not in message


@pytest.mark.parametrize(
    ("words", "is_schema"),
    [
        ("Schema 'FLAKEBENCH.OURS' does not exist or not authorized.", True),
        ("Database 'FLAKEBENCH' does not exist or not authorized.", True),
        ("Object 'FLAKEBENCH.OURS.DELAYED_ENRICHMENT_TASKS' does not exist or not authorized.", False),
        ("Insufficient privileges to operate on schema 'OURS'", False),
    ],
)
def test_snowflakes_words_for_a_missing_schema_are_understood(
    account: Account, monkeypatch: pytest.MonkeyPatch, words: str, is_schema: bool
) -> None:
    def stopped(*_: object) -> None:
        raise ProgrammingError(f"SQL compilation error:\n{words}", errno=2003, sqlstate="02000", query="CREATE TABLE")

    monkeypatch.setattr(migrations, "migrate", stopped)
    message = said_by_migrate(Settings(own_schema="OURS"))
    assert ("CREATE SCHEMA IF NOT EXISTS FLAKEBENCH.OURS;" in message) is is_schema


@pytest.mark.parametrize("number", [*ERROR_NUMBERS, 399999])
def test_no_error_sends_anybody_in_a_circle(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Setup is what the package's other messages send to: its own name the cause, and to do the same again."""
    cause = ProgrammingError("Stopped", errno=number, sqlstate="00000", query="CREATE TABLE A.B.C AS SELECT 1")

    def stopped(*_: object) -> None:
        raise cause

    monkeypatch.setattr(migrations, "migrate", stopped)
    monkeypatch.setattr(migrations, "plan_rollback", stopped)
    assert "Remove the cause and run the migration again." in said_by_migrate(settings)
    with pytest.raises(setup.SetupError, match=f"(?s)error {number:06d}.*run the rollback to 2 again") as raised:
        setup.rollback(CONN_ID, settings, 2, dry_run=True)
    assert not CIRCULAR.search(str(raised.value))
    assert len(str(raised.value).partition("again. ")[2]) > 40, "says who was refused, and what removes the cause"
