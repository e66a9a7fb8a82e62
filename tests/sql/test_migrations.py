"""Migrations: idempotent, taken back with a backup, and applied again to the same schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.enrichment.migrations import MigrationError, applied, migrate, migrations, rollback
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account
from tests.sql.cases import Moment, load_tables

NUMBERS = {step.number for step in migrations()}
SCHEMA = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, NUMERIC_PRECISION, NUMERIC_SCALE, CHARACTER_MAXIMUM_LENGTH
FROM FLAKEBENCH.INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA = 'TEST_RESULTS' AND NOT ENDSWITH(TABLE_NAME, '_ROLLBACK')
"""
BACKUPS = """
SELECT TABLE_NAME FROM FLAKEBENCH.INFORMATION_SCHEMA.TABLES
WHERE TABLE_SCHEMA = 'TEST_RESULTS' AND ENDSWITH(TABLE_NAME, '_ROLLBACK')
"""


def schema(account: Account) -> list[str]:
    return sorted(map(repr, account.rows(SCHEMA)))


@pytest.fixture
def migrated(account: Account) -> Iterator[Account]:
    """The account, and its schema put right again after the test."""
    yield account
    for row in account.rows(BACKUPS):
        account.run(f"DROP TABLE {OWN_SCHEMA}.{row['TABLE_NAME']}")
    account.migrate()


def test_applied_twice_changes_nothing(migrated: Account, settings: Settings) -> None:
    hook = open_hook(CONN_ID, settings)
    before, record = schema(migrated), migrated.table("ENRICHMENT_MIGRATIONS")
    assert migrate(hook, settings) == []
    assert schema(migrated) == before
    assert migrated.table("ENRICHMENT_MIGRATIONS") == record
    assert applied(hook, settings) == NUMBERS


def test_every_statement_is_repeatable_after_an_interruption(migrated: Account, settings: Settings) -> None:
    """A step that was interrupted before it was recorded runs again over what it left, and keeps the data."""
    load_tables(migrated, {"DELAYED_ENRICHMENT_QUEUE": [{}], "TEST_RESULTS": [{"TEST_ID": "run-1"}]}, Moment.current())
    before, rows = schema(migrated), migrated.contents()
    migrated.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS")
    assert len(migrate(open_hook(CONN_ID, settings), settings)) == len(NUMBERS)
    assert schema(migrated) == before
    assert migrated.contents() == rows
    assert len(migrated.table("ENRICHMENT_PASS_LOCK")) == 1


def test_rollback_backs_up_and_the_second_migration_gives_the_same_schema(
    migrated: Account, settings: Settings
) -> None:
    load_tables(
        migrated,
        {
            "TEST_RESULTS": [{"TEST_ID": "run-1"}],
            "DELAYED_ENRICHMENT_QUEUE": [{}],
            "DELAYED_ENRICHMENT_TASKS": [{"STATUS": "COMPLETED"}],
            "RUN_ENRICHMENT_SUMMARY": [{"QUERY_COUNT": 7}],
            "AGGREGATE_QUERY_METRICS": [{"QUERY_COUNT": 7}],
        },
        Moment.current(),
    )
    migrated.run(f"UPDATE {OWN_SCHEMA}.TEST_RESULTS SET DELAYED_ENRICHMENT_STATUS = 'COMPLETED', LOCK_WAIT_COUNT = 3")
    before, hook = schema(migrated), open_hook(CONN_ID, settings)
    owned = set(migrated.own_types) - {"ENRICHMENT_MIGRATIONS"}

    assert rollback(hook, settings, 0) == [f"{step.number:04d}_{step.name}" for step in reversed(migrations())]
    assert applied(hook, settings) == set()
    assert not owned & {row["TABLE_NAME"] for row in migrated.rows(SCHEMA)}
    assert "DELAYED_ENRICHMENT_STATUS" not in migrated.rows(f"SELECT * FROM {OWN_SCHEMA}.TEST_RESULTS")[0]
    assert [row["JOB_ID"] for row in migrated.table("DELAYED_ENRICHMENT_QUEUE_ROLLBACK")] == ["job-1"]
    assert [row["STATUS"] for row in migrated.table("DELAYED_ENRICHMENT_TASKS_ROLLBACK")] == ["COMPLETED"]
    assert [row["QUERY_COUNT"] for row in migrated.table("RUN_ENRICHMENT_SUMMARY_ROLLBACK")] == [7]
    assert [row["QUERY_COUNT"] for row in migrated.table("AGGREGATE_QUERY_METRICS_ROLLBACK")] == [7]
    assert [row["LOCK_WAIT_COUNT"] for row in migrated.table("TEST_RESULTS_MIRROR_ROLLBACK")] == [3]

    assert len(migrate(hook, settings)) == len(NUMBERS)
    assert schema(migrated) == before
    assert applied(hook, settings) == NUMBERS


def test_a_second_rollback_refuses_while_a_backup_exists(migrated: Account, settings: Settings) -> None:
    hook = open_hook(CONN_ID, settings)
    load_tables(migrated, {"RUN_ENRICHMENT_SUMMARY": [{"QUERY_COUNT": 7}]}, Moment.current())
    rollback(hook, settings, 1)
    migrate(hook, settings)
    with pytest.raises(MigrationError, match="ROLLBACK"):
        rollback(hook, settings, 1)
    assert [row["QUERY_COUNT"] for row in migrated.table("RUN_ENRICHMENT_SUMMARY_ROLLBACK")] == [7]


def test_a_partial_rollback_keeps_what_is_below(migrated: Account, settings: Settings) -> None:
    hook = open_hook(CONN_ID, settings)
    assert rollback(hook, settings, max(NUMBERS) - 1) == ["0004_views"]
    assert applied(hook, settings) == NUMBERS - {max(NUMBERS)}
    assert migrate(hook, settings) == ["0004_views"]
