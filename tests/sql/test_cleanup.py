"""The daily cleanup over the real hook: bounded batches, deleted runs, the repair of the mirror, and what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from include.enrichment import cleanup, queue
from include.enrichment.cleanup import STEPS, CleanupError, Counts, record_cleanup, run_step
from include.enrichment.migrations import rollback
from include.enrichment.operations import Operation
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from local.schemas import catalogue
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account, Row
from tests.sql.cases import Moment, load_tables
from tests.sql.schema_state import everything

OLD = "-31d"
ANNOUNCED: Row = {"COMPLETED_AT": OLD, "EVENT_EMITTED_AT": OLD}
QUEUED_AGAIN = f"UPDATE {OWN_SCHEMA}.DELAYED_ENRICHMENT_TASKS SET STATUS = 'PENDING' WHERE JOB_ID = 'job-1'"


def load(account: Account, tables: Mapping[str, list[Row]]) -> None:
    moment = Moment.current()
    load_tables(account, moment.resolve(dict(tables)), moment)


def clean_up(settings: Settings, *, dry_run: bool = False) -> dict[str, Counts]:
    """Every step, in order."""
    return {name: run_step(name, CONN_ID, settings, dry_run=dry_run) for name in STEPS}


def settled_job(number: int, **columns: Any) -> dict[str, list[Row]]:
    """An old job with its run, a task, two tries and a summary."""
    job: Row = {"JOB_ID": f"job-{number}", "RUN_ID": f"run-{number}"}
    return {
        "TEST_RESULTS": [{"TEST_ID": f"run-{number}", "RUN_ID": f"run-{number}"}],
        "DELAYED_ENRICHMENT_QUEUE": [{**job, "STATUS": "COMPLETED", "COMPLETED_AT": OLD, **columns}],
        "DELAYED_ENRICHMENT_TASKS": [{**job, "STATUS": "COMPLETED", **ANNOUNCED}],
        "DELAYED_ENRICHMENT_ATTEMPTS": [{**job, "CLAIM_TOKEN": f"claim:{n}"} for n in (1, 2)],
        "RUN_ENRICHMENT_SUMMARY": [{"RUN_ID": job["RUN_ID"], "TEST_ID": job["RUN_ID"]}],
    }


def merged(*parts: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    for part in parts:
        for table, rows in part.items():
            tables.setdefault(table, []).extend(rows)
    return tables


def keys(account: Account, table: str, column: str = "JOB_ID") -> list[str]:
    return sorted(row[column] for row in account.table(table))


def count(account: Account, table: str) -> int:
    return int(account.rows(f"SELECT COUNT(*) AS N FROM {OWN_SCHEMA}.{table}")[0]["N"])


# Bounded batches


def test_a_hundred_thousand_old_jobs_are_deleted_in_bounded_batches(account: Account, settings: Settings) -> None:
    numbers = "TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) AS a, TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) AS b"
    lists = (json.dumps(list(range(100))), json.dumps(list(range(1000))))
    number = "a.VALUE::INTEGER * 1000 + b.VALUE::INTEGER"
    old = "DATEADD('day', -31, SYSDATE())"
    load(account, {"TEST_RESULTS": [{"TEST_ID": "run"}], "DELAYED_ENRICHMENT_QUEUE": [{"STATUS": "PENDING"}]})
    rows: dict[str, dict[str, str]] = {
        "DELAYED_ENRICHMENT_QUEUE": {
            "TEST_ID": "'run'",
            "TABLE_TYPE": "'STANDARD'",
            "ENRICHMENT_TYPES": "PARSE_JSON('[]')",
            "STATUS": "'COMPLETED'",
            "ATTEMPTS": "1",
            "COMPLETED_AT": old,
        },
        "DELAYED_ENRICHMENT_TASKS": {
            "TEST_ID": "'run'",
            "ENRICHMENT_TYPE": "'AGGREGATE'",
            "STATUS": "'COMPLETED'",
            "PRIORITY": "0",
            "ATTEMPTS": "1",
            "SNOOZES": "0",
            "COMPLETED_AT": old,
            "EVENT_EMITTED_AT": old,
        },
        "DELAYED_ENRICHMENT_ATTEMPTS": {
            "ENRICHMENT_TYPE": "'AGGREGATE'",
            "CLAIM_TOKEN": "'claim:1'",
            "OUTCOME": "'COMPLETED'",
        },
    }
    for table, columns in rows.items():
        account.run(
            f"INSERT INTO {OWN_SCHEMA}.{table} (JOB_ID, RUN_ID, {', '.join(columns)})\n"
            f"SELECT 'old-' || ({number}), 'run', {', '.join(columns.values())} FROM {numbers}",
            lists,
        )
    assert run_step("delete_settled_jobs", CONN_ID, settings, dry_run=True) == {
        "queue_rows": 100_000,
        "attempts": 100_000,
    }
    # the eleventh finds nothing more: each of the ten before it was full
    assert run_step("delete_settled_jobs", CONN_ID, settings) == {
        "queue_rows": 100_000,
        "attempts": 100_000,
        "batches": 11,
    }
    assert [row["STATUS"] for row in account.table("DELAYED_ENRICHMENT_QUEUE")] == ["PENDING"]
    assert (count(account, "DELAYED_ENRICHMENT_ATTEMPTS"), count(account, "DELAYED_ENRICHMENT_TASKS")) == (0, 100_000)


def test_a_batch_that_fails_keeps_what_was_committed_and_the_next_try_finishes(account: Account) -> None:
    settings = Settings(cleanup_batch_size=2)
    load(account, merged(*(settled_job(number) for number in range(1, 6))))
    fault = {"match": "DELETE FROM .*DELAYED_ENRICHMENT_QUEUE\nWHERE", "times": 1}
    account.put_faults([fault, {**fault, "errno": 630, "message": "timeout"}])  # the first batch gets through
    with pytest.raises(CleanupError, match=r"delete_settled_jobs stopped: .*timeout.*stay deleted"):
        run_step("delete_settled_jobs", CONN_ID, settings)
    assert keys(account, "DELAYED_ENRICHMENT_QUEUE") == ["job-3", "job-4", "job-5"]
    assert keys(account, "DELAYED_ENRICHMENT_ATTEMPTS") == [f"job-{n}" for n in (3, 3, 4, 4, 5, 5)]  # not half a batch
    assert run_step("delete_settled_jobs", CONN_ID, settings) == {"queue_rows": 3, "attempts": 6, "batches": 2}
    assert count(account, "DELAYED_ENRICHMENT_QUEUE") == count(account, "DELAYED_ENRICHMENT_ATTEMPTS") == 0


def test_a_job_that_is_queued_again_after_the_batch_was_chosen_is_left_alone(
    account: Account, settings: Settings
) -> None:
    load(account, merged(settled_job(1), settled_job(2)))
    text = render("cleanup/delete_settled_jobs.sql", settings).replace("BEGIN;", f"{QUEUED_AGAIN};\n\nBEGIN;")
    open_hook(CONN_ID, settings).run(text, autocommit=True, parameters={"retention_days": 30, "batch_size": 10})
    assert keys(account, "DELAYED_ENRICHMENT_QUEUE") == ["job-1"]
    assert keys(account, "DELAYED_ENRICHMENT_ATTEMPTS") == ["job-1", "job-1"]


def test_every_step_deletes_in_batches(account: Account) -> None:
    settings = Settings(cleanup_batch_size=2)
    load(
        account,
        {
            "TEST_RESULTS": [{"TEST_ID": "run-1"}],
            "QUERY_EXECUTION_METRICS": [{"RUN_ID": "gone", "QUERY_ID": "q{n}", "repeat": 5}],
            "QUERY_INSIGHTS_CACHE": [{"INSIGHT_ID": "i{n}", "EXPIRES_AT": "-1d", "repeat": 3}],
            "ENRICHMENT_OPERATIONS": [
                {"OPERATION_ID": "o{n}", "OPERATION": "RETRY", "STATUS": "SUCCEEDED", "ENDED_AT": "-400d", "repeat": 4}
            ],
        },
    )
    counts = clean_up(settings)
    assert counts["delete_orphaned_rows"] == {"rows": 5, "query_execution_metrics": 5, "batches": 3}
    assert counts["delete_expired_insights"] == {"insights": 3, "batches": 2}
    assert counts["delete_old_operations"] == {"operations": 4, "batches": 3}


# What is kept


def test_a_second_cleanup_changes_nothing_and_the_run_is_not_discovered_again(
    account: Account, settings: Settings
) -> None:
    young: Row = {"JOB_ID": "job-2", "RUN_ID": "run-2"}
    load(
        account,
        merged(
            settled_job(1),
            {
                "TEST_RESULTS": [{"TEST_ID": "run-2", "RUN_ID": "run-2"}],
                "DELAYED_ENRICHMENT_QUEUE": [{**young, "STATUS": "PENDING"}],
                "DELAYED_ENRICHMENT_TASKS": [{**young, "STATUS": "PENDING", "DUE_AT": "now+1h"}],
                "DELAYED_ENRICHMENT_ATTEMPTS": [young],
            },
        ),
    )
    first = clean_up(settings)
    assert first["delete_settled_jobs"] == {"queue_rows": 1, "attempts": 2, "batches": 1}
    before = account.contents()
    second = clean_up(settings)
    assert not [name for counts in second.values() for name, number in counts.items() if number and name != "batches"]
    assert account.contents() == before
    queue.claim_due_tasks(open_hook(CONN_ID, settings), settings, claimed_by="test", lease_minutes=90)
    assert keys(account, "DELAYED_ENRICHMENT_QUEUE") == ["job-2"]


def test_a_dry_run_counts_and_changes_nothing(account: Account, settings: Settings) -> None:
    expired: Row = {"RUN_ID": "run-1", "EXPIRES_AT": "-1d"}
    gone: Row = {"RUN_ID": "gone", "TEST_ID": "gone"}
    load(
        account,
        merged(settled_job(1), {"QUERY_INSIGHTS_CACHE": [expired], "RUN_ENRICHMENT_SUMMARY": [gone]}),
    )
    before = account.contents()
    assert clean_up(settings, dry_run=True) == {
        "delete_settled_jobs": {"queue_rows": 1, "attempts": 2},
        "delete_orphaned_rows": {"rows": 1, "run_enrichment_summary": 1},
        "delete_expired_insights": {"insights": 1},
        "delete_old_operations": {"operations": 0},
        "repair_mirror": {},
    }
    assert account.contents() == before


# Runs that FlakeBench has deleted


def test_a_run_deleted_upstream_loses_its_rows(account: Account, settings: Settings) -> None:
    load(account, merged(settled_job(1), settled_job(2, COMPLETED_AT="-1d")))
    account.run(f"DELETE FROM {OWN_SCHEMA}.TEST_RESULTS WHERE RUN_ID = 'run-2'")
    counts = run_step("delete_orphaned_rows", CONN_ID, settings)
    assert counts == {
        "rows": 5,
        "delayed_enrichment_queue": 1,
        "delayed_enrichment_tasks": 1,
        "delayed_enrichment_attempts": 2,
        "run_enrichment_summary": 1,
        "batches": 1,
    }
    for table in settled_job(1):
        assert set(keys(account, table, "RUN_ID")) == {"run-1"}, table


def test_an_empty_test_results_is_no_reason_to_delete_everything(account: Account, settings: Settings) -> None:
    load(account, settled_job(1))
    account.run(f"TRUNCATE TABLE {OWN_SCHEMA}.TEST_RESULTS")
    before = account.contents()
    for dry_run in (True, False):
        with pytest.raises(CleanupError, match=r"has no row, so that 5 rows .*Nothing was deleted.*clear this task"):
            run_step("delete_orphaned_rows", CONN_ID, settings, dry_run=dry_run)
    assert account.contents() == before


def test_a_new_deployment_without_any_run_is_no_failure(account: Account, settings: Settings) -> None:
    assert clean_up(settings)["delete_orphaned_rows"] == {"rows": 0}


def test_every_table_of_ours_with_a_run_id_is_looked_at(account: Account, settings: Settings) -> None:
    ours = {name for name, columns in account.own_types.items() if "RUN_ID" in columns}
    asked = set(re.findall(r"AS (\w+),\n", render("cleanup/count_orphaned_rows.sql", settings)))
    assert asked == ours | {"ATTEMPTS_WITHOUT_JOB"}
    deleted = re.findall(r"DELETE FROM [\w.]+\.(\w+)", render("cleanup/delete_orphaned_rows.sql", settings))
    assert set(deleted) == ours


# The mirror


@pytest.fixture
def mirrored(account: Account, settings: Settings) -> Iterator[Account]:
    """Two runs on FlakeBench's tables with all values, of which one has lost its queue row long ago."""
    parts = merged(
        settled_job(1),
        settled_job(2),
        {
            "TEST_RESULTS": [
                {"TEST_ID": "child-1", "RUN_ID": "run-1"},
                {"TEST_ID": "child-2", "RUN_ID": "run-2"},
                {"TEST_ID": "run-3", "RUN_ID": "run-3", "TABLE_TYPE": "POSTGRES"},
            ],
            "DELAYED_ENRICHMENT_QUEUE": [
                {"JOB_ID": "job-3", "RUN_ID": "run-3", "STATUS": "NOT_APPLICABLE", "COMPLETED_AT": OLD}
            ],
            "QUERY_EXECUTIONS": [
                {"TEST_ID": "child-1", "QUERY_ID": "q1"},
                {"TEST_ID": "child-2", "QUERY_ID": "q2"},
                {"TEST_ID": "child-2", "QUERY_ID": "not-recorded"},
            ],
            "QUERY_EXECUTION_METRICS": [
                {"RUN_ID": "run-1", "TEST_ID": "child-1", "QUERY_ID": "q1", "QUERY_PARAMETERIZED_HASH": "hash-1"},
                {"RUN_ID": "run-2", "TEST_ID": "child-2", "QUERY_ID": "q2", "QUERY_PARAMETERIZED_HASH": "hash-2"},
            ],
        },
    )
    values = {"LOCK_WAIT_COUNT": 3, "LOCK_WAIT_TOTAL_MS": 12.5, "HYBRID_CREDITS_USED": 0.25, "QUERY_INSIGHTS_COUNT": 1}
    parts["RUN_ENRICHMENT_SUMMARY"] = [{**row, **values} for row in parts["RUN_ENRICHMENT_SUMMARY"]]
    load(account, parts)
    assert queue.mirror(CONN_ID, settings, None)
    account.run(f"DELETE FROM {OWN_SCHEMA}.DELAYED_ENRICHMENT_QUEUE WHERE JOB_ID = 'job-2'")
    assert run_step("repair_mirror", CONN_ID, settings)["executions"] == 2
    yield account
    account.put_faults([])
    open_hook(CONN_ID, settings).run(render("schema/0003_mirror.sql", settings), autocommit=True)


def flakebench_sets_up_again(account: Account, *tables: str) -> None:
    """FlakeBench's own DDL, which knows nothing of our columns."""
    for name in tables:
        table = catalogue()[f"{OWN_SCHEMA}.{name}"]
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        account.run(f"CREATE OR ALTER TABLE {table.qualified_name} ({columns})")


def mirror_of(account: Account) -> dict[str, list[Row]]:
    return {
        name: sorted(account.table(name), key=lambda row: (row["TEST_ID"], row.get("QUERY_ID")))
        for name in ("TEST_RESULTS", "QUERY_EXECUTIONS")
    }


@pytest.mark.parametrize("dropped", [("TEST_RESULTS", "QUERY_EXECUTIONS"), ("TEST_RESULTS",), ("QUERY_EXECUTIONS",)])
def test_what_create_or_alter_dropped_is_restored_by_the_next_cleanup(
    mirrored: Account, settings: Settings, dropped: tuple[str, ...]
) -> None:
    before = mirror_of(mirrored)
    parents = [row for row in before["TEST_RESULTS"] if row["TEST_ID"] == row["RUN_ID"]]
    assert [row["DELAYED_ENRICHMENT_STATUS"] for row in parents] == ["COMPLETED", "COMPLETED", "NOT_APPLICABLE"]
    assert [row["LOCK_WAIT_COUNT"] for row in parents] == [3, 3, None]
    flakebench_sets_up_again(mirrored, *dropped)
    assert mirror_of(mirrored) != before
    assert queue.mirror(CONN_ID, settings, None) is ("TEST_RESULTS" not in dropped)

    counts = clean_up(settings)["repair_mirror"]
    assert mirror_of(mirrored) == before
    assert counts == {
        "columns_added": 1,
        "runs": 3 if "TEST_RESULTS" in dropped else 0,
        "executions": 2 if "QUERY_EXECUTIONS" in dropped else 0,
    }
    assert clean_up(settings)["repair_mirror"] == {"columns_added": 0, "runs": 0, "executions": 0}


def test_values_that_somebody_changed_are_restored_without_any_ddl(mirrored: Account, settings: Settings) -> None:
    before = mirror_of(mirrored)
    mirrored.run(f"UPDATE {OWN_SCHEMA}.TEST_RESULTS SET LOCK_WAIT_COUNT = 9 WHERE TEST_ID = 'run-2'")
    mirrored.run(f"UPDATE {OWN_SCHEMA}.QUERY_EXECUTIONS SET QUERY_PARAMETERIZED_HASH = 'x' WHERE QUERY_ID = 'q2'")
    mirrored.put_faults([{"match": "ALTER TABLE", "errno": 3001, "message": "no DDL on a live benchmark"}])
    counts = run_step("repair_mirror", CONN_ID, settings)
    assert counts == {"columns_added": 0, "runs": 1, "executions": 1}
    assert mirror_of(mirrored) == before


def test_hashes_are_compared_in_bounded_groups_of_runs(
    mirrored: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mirror_of(mirrored)
    monkeypatch.setattr(cleanup, "RUNS_PER_HASH_GROUP", 1)
    mirrored.run(f"UPDATE {OWN_SCHEMA}.QUERY_EXECUTIONS SET QUERY_PARAMETERIZED_HASH = NULL")
    assert run_step("repair_mirror", CONN_ID, settings)["executions"] == 2
    assert mirror_of(mirrored) == before


def test_a_mirror_that_is_switched_off_is_left_alone(mirrored: Account) -> None:
    flakebench_sets_up_again(mirrored, "TEST_RESULTS")
    settings = Settings(mirror=False)
    assert run_step("repair_mirror", CONN_ID, settings) == {}
    assert "LOCK_WAIT_COUNT" not in mirrored.table("TEST_RESULTS")[0]


def test_a_locked_table_fails_the_step_and_says_what_follows(mirrored: Account, settings: Settings) -> None:
    mirrored.put_faults([{"match": "UPDATE .*TEST_RESULTS.TEST_RESULTS", "errno": 625, "message": "locked"}])
    with pytest.raises(CleanupError, match=r"repair_mirror stopped: .*locked.*Airflow tries again"):
        run_step("repair_mirror", CONN_ID, settings)


@pytest.mark.parametrize(("to", "missing"), [(3, "0004_views"), (2, "0003_mirror, 0004_views"), (1, "0002_results")])
def test_a_schema_that_is_rolled_back_is_left_as_it_is_and_the_step_says_what_to_run(
    migrated: Account, mirrored: Account, settings: Settings, to: int, missing: str
) -> None:
    rollback(open_hook(CONN_ID, settings), settings, to)
    before = everything(mirrored)
    for step in STEPS:
        with pytest.raises(CleanupError, match=f"{step} refuses, nothing was changed: {missing}.*enrichment_setup"):
            run_step(step, CONN_ID, settings)
    assert everything(mirrored) == before


def test_the_columns_that_are_asked_for_are_those_of_the_migration(settings: Settings) -> None:
    added = re.findall(r"ADD COLUMN IF NOT EXISTS (\w+)", render("schema/0003_mirror.sql", settings))
    text = re.sub(r"--.*", "", render("cleanup/mirror_columns.sql", settings))
    asked = [name for part in re.findall(r"SELECT(.*?)FROM", text, re.DOTALL) for name in re.findall(r"\w+", part)]
    assert asked == added


# The record


def test_a_summary_of_the_last_cleanups_can_be_queried(account: Account, settings: Settings) -> None:
    load(account, settled_job(1))
    hook, started_at = open_hook(CONN_ID, settings), datetime.now(UTC).replace(tzinfo=None)
    results = clean_up(settings)
    first = Operation("cleanup", "enrichment_cleanup/first", started_at)
    assert record_cleanup(first, hook, settings, results, dry_run=False) == []
    second = Operation("cleanup", "enrichment_cleanup/second", started_at)
    assert record_cleanup(second, hook, settings, {**results, "repair_mirror": None}, dry_run=True) == ["repair_mirror"]
    rows = account.rows(render("monitor/last_cleanups.sql", settings))
    shown = {row["PERFORMED_BY"]: (row["STATUS"], row["IS_DRY_RUN"], row["FAILED_STEPS"]) for row in rows}
    assert shown == {
        "enrichment_cleanup/first": ("SUCCEEDED", False, ""),
        "enrichment_cleanup/second": ("FAILED", True, "repair_mirror"),
    }
    assert {(row["QUEUE_ROWS"], row["ATTEMPTS"], row["ORPHANED_ROWS"]) for row in rows} == {(1, 2, 0)}
