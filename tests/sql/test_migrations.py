"""Migrations: idempotent, planned without a trace, taken back with a backup, and applied again to the same schema."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from include.enrichment.migrations import (
    MigrationError,
    applied,
    migrate,
    migrations,
    plan_migration,
    plan_rollback,
    rollback,
)
from include.enrichment.queue import claim_due_tasks
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account
from tests.sql.cases import Moment, load_tables
from tests.sql.schema_state import drop_backups, everything, schema

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

NUMBERS = {step.number for step in migrations()}
LABELS = [step.label for step in migrations()]


@pytest.fixture
def hook(settings: Settings, migrated: Account) -> SnowflakeHook:
    return open_hook(CONN_ID, settings)


def test_applied_twice_changes_nothing(migrated: Account, hook: SnowflakeHook, settings: Settings) -> None:
    before, record = schema(migrated), migrated.table("ENRICHMENT_MIGRATIONS")
    assert migrate(hook, settings) == []
    assert schema(migrated) == before
    assert migrated.table("ENRICHMENT_MIGRATIONS") == record
    assert applied(hook, settings) == NUMBERS


def test_every_statement_is_repeatable_over_a_schema_that_is_there(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    load_tables(migrated, {"DELAYED_ENRICHMENT_QUEUE": [{}], "TEST_RESULTS": [{"TEST_ID": "run-1"}]}, Moment.current())
    before, rows = schema(migrated), migrated.contents()
    migrated.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS")
    assert migrate(hook, settings) == LABELS
    assert schema(migrated) == before
    assert migrated.contents() == rows
    assert len(migrated.table("ENRICHMENT_PASS_LOCK")) == 1


def test_rollback_backs_up_and_the_second_migration_gives_the_same_schema(
    migrated: Account, hook: SnowflakeHook, settings: Settings
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
    before = schema(migrated)
    owned = set(migrated.own_types) - {"ENRICHMENT_MIGRATIONS"}

    assert rollback(hook, settings, 0) == LABELS[::-1]
    assert applied(hook, settings) == set()
    assert not [line for line in schema(migrated) if any(f"'{name}'" in line for name in owned)]
    assert "DELAYED_ENRICHMENT_STATUS" not in migrated.rows(f"SELECT * FROM {OWN_SCHEMA}.TEST_RESULTS")[0]
    assert [row["JOB_ID"] for row in migrated.table("DELAYED_ENRICHMENT_QUEUE_ROLLBACK")] == ["job-1"]
    assert [row["STATUS"] for row in migrated.table("DELAYED_ENRICHMENT_TASKS_ROLLBACK")] == ["COMPLETED"]
    assert [row["QUERY_COUNT"] for row in migrated.table("RUN_ENRICHMENT_SUMMARY_ROLLBACK")] == [7]
    assert [row["QUERY_COUNT"] for row in migrated.table("AGGREGATE_QUERY_METRICS_ROLLBACK")] == [7]
    assert [row["LOCK_WAIT_COUNT"] for row in migrated.table("TEST_RESULTS_MIRROR_ROLLBACK")] == [3]

    assert migrate(hook, settings) == LABELS
    assert schema(migrated) == before
    assert applied(hook, settings) == NUMBERS


def test_a_partial_rollback_keeps_what_is_below(migrated: Account, hook: SnowflakeHook, settings: Settings) -> None:
    assert rollback(hook, settings, max(NUMBERS) - 1) == LABELS[-1:]
    assert applied(hook, settings) == NUMBERS - {max(NUMBERS)}
    assert migrate(hook, settings) == LABELS[-1:]


def test_a_second_rollback_refuses_and_names_every_backup_and_what_to_do(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    load_tables(migrated, {"RUN_ENRICHMENT_SUMMARY": [{"QUERY_COUNT": 7}]}, Moment.current())
    rollback(hook, settings, 1)
    migrate(hook, settings)
    migrated.run(f"CREATE TABLE {OWN_SCHEMA}.RUN_ENRICHMENT_SUMMARY_ROLLBACK_1 AS SELECT 1 AS ANYTHING")
    before = everything(migrated)
    for attempt in (plan_rollback, rollback):
        with pytest.raises(MigrationError, match="nothing was changed") as refused:
            attempt(hook, settings, 0)
        backup = f"{OWN_SCHEMA}.RUN_ENRICHMENT_SUMMARY_ROLLBACK"
        assert f"ALTER TABLE {backup} RENAME TO {backup}_2; or DROP TABLE {backup};" in str(refused.value)
        assert f"{OWN_SCHEMA}.AGGREGATE_QUERY_METRICS_ROLLBACK" in str(refused.value)
        assert f"{OWN_SCHEMA}.TEST_RESULTS_MIRROR_ROLLBACK" in str(refused.value)
    assert everything(migrated) == before


def test_a_backup_of_a_table_that_is_gone_is_not_in_the_way(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    migrated.run(f"CREATE TABLE {OWN_SCHEMA}.LOCK_CONTENTION_EVENTS_ROLLBACK AS SELECT 1 AS ANYTHING")
    migrated.run(f"DROP TABLE {OWN_SCHEMA}.LOCK_CONTENTION_EVENTS")
    rollback(hook, settings, 1)
    assert len(migrated.table("LOCK_CONTENTION_EVENTS_ROLLBACK")) == 1


@pytest.mark.parametrize("to", [-1, max(NUMBERS) + 1])
def test_a_number_that_does_not_exist_is_refused(hook: SnowflakeHook, settings: Settings, to: int) -> None:
    for attempt in (plan_rollback, rollback):
        with pytest.raises(MigrationError, match=f"no migration {to}"):
            attempt(hook, settings, to)


@pytest.mark.parametrize("state", ["APPLYING", "APPLIED", "ROLLING_BACK"])
def test_a_rollback_below_a_step_that_only_a_newer_version_knows_is_refused(
    migrated: Account, hook: SnowflakeHook, settings: Settings, state: str
) -> None:
    records = f"{OWN_SCHEMA}.ENRICHMENT_MIGRATIONS"
    migrated.run(f"INSERT INTO {records} (VERSION, NAME, STATE) VALUES (9000, 'newer', '{state}')")
    before = everything(migrated)
    try:
        for attempt in (plan_rollback, rollback):
            with pytest.raises(MigrationError, match=rf"nothing was changed: 9000_newer \({state}\).*that knows it"):
                attempt(hook, settings, 1)
        assert everything(migrated) == before
        migrated.run(f"UPDATE {records} SET STATE = 'ROLLED_BACK' WHERE VERSION = 9000")
        assert len(plan_rollback(hook, settings, 1)) == len(LABELS) - 1
    finally:
        migrated.run(f"DELETE FROM {records} WHERE VERSION = 9000")


def test_the_plan_of_a_rollback_says_what_is_dropped_and_changes_nothing(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    load_tables(migrated, {"RUN_ENRICHMENT_SUMMARY": [{"repeat": 1200, "RUN_ID": "run-{n}"}]}, Moment.current())
    before = everything(migrated)
    plan = {step.number: step for step in plan_rollback(hook, settings, 1)}
    assert list(plan) == sorted(NUMBERS - {1}, reverse=True)
    assert [step.name for step in plan.values()] == LABELS[:0:-1]
    assert f"VIEW {OWN_SCHEMA}.V_RUN_ENRICHMENT" in plan[4].drops
    assert (
        f"COLUMN {OWN_SCHEMA}.TEST_RESULTS.LOCK_WAIT_COUNT (0 rows, backed up as TEST_RESULTS_MIRROR_ROLLBACK)"
    ) in plan[3].drops
    assert (
        f"TABLE {OWN_SCHEMA}.RUN_ENRICHMENT_SUMMARY (1,200 rows, backed up as RUN_ENRICHMENT_SUMMARY_ROLLBACK)"
    ) in plan[2].drops
    assert f"DROP TABLE {OWN_SCHEMA}.RUN_ENRICHMENT_SUMMARY" in plan[2].statements
    assert everything(migrated) == before


def test_a_rollback_tells_what_it_drops_before_its_first_statement(
    migrated: Account, hook: SnowflakeHook, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    migrated.put_faults([{"match": r"(^|\n)(CREATE|DROP|ALTER TABLE|INSERT)\b", "errno": 604, "message": "canceled"}])
    before = everything(migrated)
    with caplog.at_level(logging.INFO), pytest.raises(MigrationError, match="run the rollback to 0 again"):
        rollback(hook, settings, 0)
    assert everything(migrated) == before
    for step in plan_rollback(hook, settings, 0):
        for dropped in step.drops:
            assert f"drops {dropped}" in caplog.text


def test_the_plan_of_a_migration_creates_nothing_not_even_the_record(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    rollback(hook, settings, 0)
    migrated.run(f"DROP TABLE {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS")
    before = schema(migrated)
    assert applied(hook, settings) == set()
    plan = plan_migration(hook, settings)
    assert [step.name for step in plan] == LABELS
    assert all(step.statements and not step.drops for step in plan)
    assert plan_rollback(hook, settings, 0) == []
    assert schema(migrated) == before
    migrate(hook, settings)
    assert plan_migration(hook, settings) == []


def test_whoever_sends_the_plans_by_hand_leaves_what_migrate_and_rollback_leave(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    """A DBA pastes them into Snowsight; without the records the schema would count as unmigrated."""
    load_tables(migrated, {"RUN_ENRICHMENT_SUMMARY": [{"QUERY_COUNT": 7}]}, Moment.current())
    before = schema(migrated)
    for planned in plan_rollback(hook, settings, 0):
        for statement in planned.statements:
            migrated.run(statement)
    assert applied(hook, settings) == set()
    assert plan_rollback(hook, settings, 0) == []
    assert [row["QUERY_COUNT"] for row in migrated.table("RUN_ENRICHMENT_SUMMARY_ROLLBACK")] == [7]

    migrated.run(f"DROP TABLE {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS")
    for planned in plan_migration(hook, settings):
        for statement in planned.statements:
            migrated.run(statement)
    assert schema(migrated) == before
    assert migrate(hook, settings) == []
    records = migrated.table("ENRICHMENT_MIGRATIONS")
    assert sorted((row["VERSION"], row["STATE"]) for row in records) == [
        (number, state) for number in sorted(NUMBERS) for state in ("APPLIED", "APPLYING")
    ]
    assert {row["CHECKSUM"] for row in records} == {step.checksum() for step in migrations()}
    assert all(row["CHANGED_BY"] for row in records)


def test_a_table_of_another_making_is_named_before_anything_is_changed(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    rollback(hook, settings, 0)
    drop_backups(migrated)
    table = f"{OWN_SCHEMA}.DELAYED_ENRICHMENT_TASKS"
    columns = ["JOB_ID", "TEST_ID", "RUN_ID", "ENRICHMENT_TYPE", "STATUS", "PRIORITY"]
    migrated.run(f"CREATE TABLE {table} ({', '.join(f'{name} VARCHAR' for name in columns)})")
    before = everything(migrated)
    for attempt in (plan_migration, migrate):
        with pytest.raises(MigrationError, match="nothing was changed") as refused:
            attempt(hook, settings)
        assert f"{table} lacks DUE_AT, ATTEMPTS," in str(refused.value)
        assert f"UPDATED_AT: ALTER TABLE {table} RENAME TO {table}_1;" in str(refused.value)
    assert everything(migrated) == before
    migrated.run(f"ALTER TABLE {table} RENAME TO {table}_1")
    try:
        assert migrate(hook, settings) == LABELS
    finally:
        migrated.run(f"DROP TABLE {table}_1")


def test_a_migration_that_was_changed_after_it_was_applied_is_told(
    migrated: Account, hook: SnowflakeHook, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    migrated.run(f"UPDATE {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS SET CHECKSUM = 'other' WHERE VERSION = 2")
    assert migrate(hook, settings) == []
    migrated.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS WHERE CHECKSUM = 'other'")
    told = [
        record.getMessage() for record in caplog.records if "was changed after it was applied" in record.getMessage()
    ]
    assert len(told) == 1
    assert told[0].startswith("schema/0002_results.sql")


def test_two_deployments_may_migrate_at_the_same_time(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    before = schema(migrated)
    rollback(hook, settings, 0)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: migrate(open_hook(CONN_ID, settings), settings), range(2)))
    assert schema(migrated) == before
    assert applied(hook, settings) == NUMBERS
    assert migrate(hook, settings) == []


def test_a_second_row_of_the_pass_lock_is_harmless(migrated: Account, hook: SnowflakeHook, settings: Settings) -> None:
    """Two first migrations at the same time may both insert it; the UPDATE that holds the lock changes both."""
    migrated.run(f"INSERT INTO {OWN_SCHEMA}.ENRICHMENT_PASS_LOCK (LOCK_NAME) VALUES ('claim')")
    load_tables(migrated, {"TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}]}, Moment.current())
    assert claim_due_tasks(hook, settings, claimed_by="one", lease_minutes=90).tasks
    assert [row["HELD_BY"] for row in migrated.table("ENRICHMENT_PASS_LOCK")] == ["one", "one"]
    migrated.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_PASS_LOCK")
    migrated.run(f"INSERT INTO {OWN_SCHEMA}.ENRICHMENT_PASS_LOCK (LOCK_NAME) VALUES ('claim')")


def test_a_schema_of_our_own_is_migrated_and_taken_back(migrated: Account) -> None:
    own = Settings(own_schema="OURS")
    hook, before = open_hook(CONN_ID, own), schema(migrated)
    migrated.run("CREATE SCHEMA FLAKEBENCH.OURS")
    try:
        assert migrate(hook, own) == LABELS
        assert schema(migrated) == before, "FlakeBench's schema had the mirrored columns already"
        assert "FLAKEBENCH.OURS.DELAYED_ENRICHMENT_TASKS" in str(plan_rollback(hook, own, 0)[-1].drops)
        assert rollback(hook, own, 0) == LABELS[::-1]
        left = migrated.rows("SELECT TABLE_NAME FROM FLAKEBENCH.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'OURS'")
        names = {row["TABLE_NAME"] for row in left}
        assert {"DELAYED_ENRICHMENT_TASKS_ROLLBACK", "TEST_RESULTS_MIRROR_ROLLBACK"} < names
        assert all(name.endswith("_ROLLBACK") for name in names - {"ENRICHMENT_MIGRATIONS"})
    finally:
        migrated.run("DROP SCHEMA FLAKEBENCH.OURS CASCADE")
        migrated.run(f"DELETE FROM {OWN_SCHEMA}.ENRICHMENT_MIGRATIONS WHERE VERSION = 3")
