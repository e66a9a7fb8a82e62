"""A migration or rollback that is killed after any of its statements is completed by a second run and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from snowflake.connector.errors import Error as SnowflakeError

from include.enrichment.cleanup import CleanupError, run_step
from include.enrichment.migrations import MigrationError, applied, migrate, migrations, plan_rollback, rollback
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account
from tests.sql.cases import Moment, load_tables
from tests.sql.schema_state import backups, drop_backups, layout, rows, schema

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

MIRRORED = 14
"""Columns of ours on TEST_RESULTS."""
RECORD, BACKUP, DROP = 1, 1, 1
"""Statements, in the order of a rollback."""
WIDENED = {
    "DELAYED_ENRICHMENT_TASKS",
    "DELAYED_ENRICHMENT_ATTEMPTS",
    "AGGREGATE_QUERY_METRICS",
    "RUN_ENRICHMENT_SUMMARY",
}
"""Tables to which a later migration added columns, whose rollback backs up these."""
WRITES = r"(^|\n)(CREATE|DROP|ALTER TABLE|INSERT|UPDATE|DELETE)\b"
DATA = {
    "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}],
    "DELAYED_ENRICHMENT_QUEUE": [{}, {"JOB_ID": "job-2"}],
    "DELAYED_ENRICHMENT_TASKS": [{"STATUS": "COMPLETED"}],
    "DELAYED_ENRICHMENT_ATTEMPTS": [{}],
    "ENRICHMENT_OPERATIONS": [{"OPERATION_ID": "one", "OPERATION": "DOCTOR", "STATUS": "SUCCEEDED"}],
    "RUN_ENRICHMENT_SUMMARY": [{"QUERY_COUNT": 7}],
    "AGGREGATE_QUERY_METRICS": [{"QUERY_COUNT": 7}],
    "LOCK_CONTENTION_EVENTS": [{}],
    "HYBRID_TABLE_CREDITS": [{}],
    "QUERY_INSIGHTS_CACHE": [{}],
    "QUERY_ACCELERATION_CREDITS": [{}],
    "QUERY_EXECUTION_METRICS": [{"QUERY_ID": "q1"}],
}
"""A row in everything that is backed up."""


@pytest.fixture
def hook(settings: Settings, migrated: Account) -> SnowflakeHook:
    return open_hook(CONN_ID, settings)


def load(account: Account) -> None:
    load_tables(account, DATA, Moment.current())
    account.run(
        f"UPDATE {OWN_SCHEMA}.TEST_RESULTS SET DELAYED_ENRICHMENT_STATUS = 'COMPLETED', LOCK_WAIT_COUNT = 3, "
        "QUERY_INSIGHTS_HIGH_SEVERITY_COUNT = 1 WHERE TEST_ID = 'run-1'"
    )


def is_killed_after(account: Account, statements: int, work: Callable[[], object]) -> bool:
    """Do work of which only the first statements that write reach Snowflake; False: it needed no more than those."""
    gone = {"match": WRITES, "errno": 604, "sqlstate": "57014", "message": "gone"}
    account.put_faults([{"match": WRITES, "times": statements}, gone])
    try:
        work()
    except (MigrationError, SnowflakeError) as error:
        if "gone" not in str(error):
            raise
        return True
    finally:
        account.put_faults([])
    return False


def test_a_rollback_killed_after_each_of_its_statements_is_completed_and_loses_nothing(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    """Each run gets one statement further than the one before it; what is repeated until then needs more."""
    load(migrated)
    before, source = schema(migrated), {name: rows(migrated, name) for name in migrated.own_types}
    runs, allowed, found = 0, 1, layout(migrated)
    while is_killed_after(migrated, allowed, lambda: rollback(hook, settings, 0)):
        progress = layout(migrated)
        runs, allowed, found = runs + 1, allowed + 1 if progress == found else 1, progress
    assert runs > 50
    assert applied(hook, settings) == set()
    kept = backups(migrated)
    (mirrored,) = migrated.table("TEST_RESULTS_MIRROR_ROLLBACK")
    assert mirrored["TEST_ID"] == "run-1"
    assert (mirrored["LOCK_WAIT_COUNT"], mirrored["QUERY_INSIGHTS_HIGH_SEVERITY_COUNT"]) == (3, 1)
    del kept["TEST_RESULTS_MIRROR_ROLLBACK"]
    for name in WIDENED:
        assert len(kept.pop(f"{name}_ROLLBACK")) == len(source[name])
    for name in [name for name in kept if any(name.startswith(f"{table}_") for table in WIDENED)]:
        assert len(kept.pop(name)) == 1
    assert kept == {f"{name}_ROLLBACK": source[name] for name in DATA if name not in {"TEST_RESULTS", *WIDENED}}
    migrate(hook, settings)
    assert schema(migrated) == before


def test_a_migration_killed_after_each_of_its_statements_is_completed(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    """A step is repeated from its start: each run gets one statement further into it."""
    before = schema(migrated)
    rollback(hook, settings, 0)
    load_tables(migrated, {"TEST_RESULTS": DATA["TEST_RESULTS"]}, Moment.current())
    allowed, known = 1, 0
    while is_killed_after(migrated, allowed, lambda: migrate(hook, settings)):
        in_force = len(applied(hook, settings))
        allowed, known = (1 if in_force > known else allowed + 1), in_force
    assert schema(migrated) == before
    assert applied(hook, settings) == {step.number for step in migrations()}
    assert len(migrated.table("ENRICHMENT_PASS_LOCK")) == 1
    assert len(migrated.table("TEST_RESULTS")) == len(DATA["TEST_RESULTS"])


def test_rows_written_after_the_interruption_are_in_the_backup(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    load(migrated)
    rollback(hook, settings, 2)
    assert is_killed_after(migrated, RECORD + BACKUP, lambda: rollback(hook, settings, 1))
    assert "AGGREGATE_QUERY_METRICS_ROLLBACK" in backups(migrated)
    load_tables(migrated, {"AGGREGATE_QUERY_METRICS": [{"METRIC_ID": "late"}]}, Moment.current())
    rollback(hook, settings, 1)
    assert {row["METRIC_ID"] for row in migrated.table("AGGREGATE_QUERY_METRICS_ROLLBACK")} == {"stored", "late"}


def test_columns_that_are_gone_do_not_overwrite_their_backup(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    """Three of the columns are dropped; of the others, changed since, the backup keeps what it has."""
    load(migrated)
    rollback(hook, settings, 3)
    assert is_killed_after(migrated, RECORD + BACKUP + 3, lambda: rollback(hook, settings, 2))
    migrated.run(f"UPDATE {OWN_SCHEMA}.TEST_RESULTS SET LOCK_WAIT_COUNT = NULL")
    (step,) = plan_rollback(hook, settings, 2)
    assert len(step.drops) == MIRRORED + 1 - 3
    assert len(step.statements) == len(step.drops) + RECORD
    rollback(hook, settings, 2)
    (row,) = migrated.table("TEST_RESULTS_MIRROR_ROLLBACK")
    assert (row["DELAYED_ENRICHMENT_STATUS"], row["LOCK_WAIT_COUNT"]) == ("COMPLETED", 3)


def test_the_daily_cleanup_neither_repairs_what_a_rollback_takes_back_nor_empties_its_backup(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    """Killed before the last record, with every column dropped; then the columns come back as NULL, from whomever."""
    load(migrated)
    rollback(hook, settings, 3)
    assert is_killed_after(migrated, RECORD + BACKUP + MIRRORED + 1, lambda: rollback(hook, settings, 2))
    assert "LOCK_WAIT_COUNT" not in migrated.table("TEST_RESULTS")[0]
    with pytest.raises(CleanupError, match=r"repair_mirror refuses.*0003_mirror.*enrichment_setup"):
        run_step("repair_mirror", CONN_ID, settings)
    assert "LOCK_WAIT_COUNT" not in migrated.table("TEST_RESULTS")[0]

    hook.run(render("schema/0003_mirror.sql", settings), autocommit=True)
    rollback(hook, settings, 2)
    (row,) = migrated.table("TEST_RESULTS_MIRROR_ROLLBACK")
    assert (row["TEST_ID"], row["DELAYED_ENRICHMENT_STATUS"], row["LOCK_WAIT_COUNT"]) == ("run-1", "COMPLETED", 3)
    assert "LOCK_WAIT_COUNT" not in migrated.table("TEST_RESULTS")[0]


@pytest.mark.parametrize("are_all", [False, True], ids=["one", "all"])
def test_columns_that_flakebench_dropped_do_not_stop_a_rollback(
    migrated: Account, hook: SnowflakeHook, settings: Settings, are_all: bool
) -> None:
    load(migrated)
    rollback(hook, settings, 3)
    (planned,) = plan_rollback(hook, settings, 2)
    mirrored = [text for text in planned.statements if "DROP COLUMN" in text and ".TEST_RESULTS DROP" in text]
    assert len(mirrored) == MIRRORED
    for statement in mirrored if are_all else mirrored[:1]:
        migrated.run(statement)
    rollback(hook, settings, 2)
    columns = migrated.rows(f"SELECT * FROM {OWN_SCHEMA}.TEST_RESULTS")[0]
    assert not {"DELAYED_ENRICHMENT_STATUS", "LOCK_WAIT_COUNT"} & set(columns)
    assert ("TEST_RESULTS_MIRROR_ROLLBACK" in backups(migrated)) is not are_all


def test_migrating_after_an_interrupted_rollback_keeps_its_backups_and_a_later_rollback_refuses(
    migrated: Account, hook: SnowflakeHook, settings: Settings
) -> None:
    """Even when that migration is interrupted itself: its empty table must not overwrite the backup of the full one."""
    load(migrated)
    before = schema(migrated)
    rollback(hook, settings, 2)
    drop_backups(migrated)
    assert is_killed_after(migrated, RECORD + BACKUP + DROP, lambda: rollback(hook, settings, 1))
    kept = backups(migrated)
    assert list(kept) == ["AGGREGATE_QUERY_METRICS_ROLLBACK"]
    assert "AGGREGATE_QUERY_METRICS'" not in str(schema(migrated))

    assert is_killed_after(migrated, RECORD + 2, lambda: migrate(hook, settings))
    assert migrated.table("AGGREGATE_QUERY_METRICS") == []
    with pytest.raises(MigrationError, match="AGGREGATE_QUERY_METRICS_ROLLBACK"):
        rollback(hook, settings, 1)
    migrate(hook, settings)
    assert schema(migrated) == before
    with pytest.raises(MigrationError, match="AGGREGATE_QUERY_METRICS_ROLLBACK"):
        rollback(hook, settings, 1)
    assert backups(migrated) == kept
    assert [row["QUERY_COUNT"] for row in migrated.table("RUN_ENRICHMENT_SUMMARY")] == [7]
