"""Backfill: old finished runs get a job of lower priority; a dry run says the same and changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from include.enrichment.backfill import backfill, selection_from_conf
from include.enrichment.operations import Operation
from include.enrichment.queue import claim_due_tasks
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, Account, Row
from tests.sql.cases import Moment, load_tables


def ask(conf: dict[str, Any], settings: Settings, *, dry_run: bool = False, name: str = "run-a") -> dict[str, Any]:
    operation = Operation("backfill", f"enrichment_backfill/{name}", datetime(2026, 1, 1))
    return backfill(open_hook(CONN_ID, settings), settings, selection_from_conf(conf), operation, dry_run=dry_run)


def load(account: Account, **tables: list[Row]) -> Moment:
    moment = Moment.current()
    load_tables(account, moment.resolve(tables), moment)
    return moment


def run(run_id: str, ended: str, **parent: Any) -> list[Row]:
    times = {"START_TIME": ended, "END_TIME": ended}
    return [
        {"TEST_ID": run_id, "RUN_ID": run_id, **times, **parent},
        {"TEST_ID": f"{run_id}-1", "RUN_ID": run_id, **times},
    ]


RUNS = [
    *run("old", "-30d"),
    *run("older", "-60d", TABLE_TYPE="HYBRID"),
    *run("ancient", "-400d"),
    *run("pg", "-30d", TABLE_TYPE="POSTGRES"),
    *run("failed", "-30d", STATUS="FAILED"),
    *run("queued", "-30d"),
]
QUEUED: list[Row] = [{"JOB_ID": "j", "RUN_ID": "queued", "STATUS": "COMPLETED"}]


@pytest.fixture
def history(account: Account) -> Account:
    load(account, TEST_RESULTS=RUNS, DELAYED_ENRICHMENT_QUEUE=QUEUED)
    return account


def test_a_dry_run_says_what_it_would_queue_and_changes_nothing(history: Account, settings: Settings) -> None:
    before = history.contents()
    planned = ask({"from": "2020-01-01"}, settings, dry_run=True)
    assert history.contents() == before
    assert planned["runs"] == 4
    assert planned["types"]["QUERY_HISTORY"] == {"PENDING": 2, "SKIPPED (RETENTION)": 1}
    assert planned["types"]["LOCK_CONTENTION"] == {"PENDING": 1}
    assert planned["tasks"] == sum(outcomes.get("PENDING", 0) for outcomes in planned["types"].values())
    assert planned["statements"] >= 9 * planned["tasks"]
    assert ask({"from": "2020-01-01"}, settings, name="run-b") == planned


def test_runs_older_than_retention_are_skipped_by_type_with_the_reason(history: Account, settings: Settings) -> None:
    ask({"from": "2020-01-01"}, settings)
    tasks = [row for row in history.table("DELAYED_ENRICHMENT_TASKS") if row["RUN_ID"] == "ancient"]
    assert {(row["STATUS"], row["REASON_CODE"]) for row in tasks} == {("SKIPPED", "RETENTION")}
    assert all("365 days" in row["LAST_ERROR"] for row in tasks)


def test_backfill_has_lower_priority_and_is_due_at_once_but_a_job_of_somebody_else_stays_fresh(
    account: Account, settings: Settings
) -> None:
    load(
        account,
        TEST_RESULTS=[*run("old", "-30d"), *run("asked", "-300m")],
        DELAYED_ENRICHMENT_QUEUE=[
            {"JOB_ID": "by-hand", "RUN_ID": "asked", "STATUS": "PENDING", "ENRICHMENT_TYPES": ["AGGREGATE"]}
        ],
    )
    ask({"from": "2020-01-01"}, settings)
    tasks = account.table("DELAYED_ENRICHMENT_TASKS")
    assert {(row["RUN_ID"], row["PRIORITY"]) for row in tasks} == {("old", 10), ("asked", 0)}
    assert all(row["DUE_AT"] < Moment.current().now for row in tasks)


def test_repeating_it_queues_nothing_twice(history: Account, settings: Settings) -> None:
    first = ask({"from": "2020-01-01"}, settings)
    before = history.contents()
    assert ask({"from": "2020-01-01"}, settings) == first  # the same DAG run, tried again by Airflow
    assert history.contents() == before
    assert ask({"from": "2020-01-01"}, settings, name="run-b")["runs"] == 0
    assert len(history.table("DELAYED_ENRICHMENT_QUEUE")) == 1 + first["runs"]


@pytest.mark.parametrize(
    ("conf", "runs"),
    [
        pytest.param({"from": "-45d", "to": "-10d"}, {"old", "pg"}, id="range"),
        pytest.param({"to": "-45d"}, {"older", "ancient"}, id="to"),
        pytest.param({"test_ids": ["older-1"]}, {"older"}, id="a child's id"),
        pytest.param({"test_ids": ["old", "older"], "from": "-45d"}, {"old"}, id="ids and range"),
    ],
)
def test_selection(history: Account, settings: Settings, conf: dict[str, Any], runs: set[str]) -> None:
    moment = Moment.current()
    conf = {key: value if key == "test_ids" else str(moment.resolve(value)) for key, value in conf.items()}
    ask(conf, settings)
    assert {row["RUN_ID"] for row in history.table("DELAYED_ENRICHMENT_QUEUE")} == {"queued", *runs}


def test_named_ids_that_are_no_finished_run_are_refused_and_the_others_queued(
    history: Account, settings: Settings
) -> None:
    answer = ask({"test_ids": ["old", "failed", "nobody", "queued", "it's 100%"]}, settings)
    assert answer["runs"] == 1
    assert set(answer["refused"]) == {"failed", "nobody", "it's 100%"}
    assert "is FAILED: only COMPLETED runs" in answer["refused"]["failed"]


def test_a_named_run_outside_the_range_is_refused(history: Account, settings: Settings) -> None:
    answer = ask({"test_ids": ["old", "queued"], "to": "2020-01-01"}, settings)
    assert answer["runs"] == 0
    assert answer["refused"] == {"old": "Run old did not end between from and to. Correct them, or leave them out."}


def test_a_parent_that_is_there_twice_counts_once(account: Account, settings: Settings) -> None:
    load(account, TEST_RESULTS=[*run("old", "-30d"), *run("old", "-30d")])
    assert ask({"from": "2020-01-01"}, settings)["tasks"] == 3


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("first", ["PENDING", "COMPLETED"])
def test_a_second_job_of_a_run_gets_no_tasks(account: Account, settings: Settings, first: str, dry_run: bool) -> None:
    """Of two jobs the oldest wins, also when a backfill of other runs comes before the next pass."""
    done = {"STATUS": "COMPLETED", "EVENT_EMITTED_AT": "-5m", "COMPLETED_AT": "-6m"}
    load(
        account,
        TEST_RESULTS=[*run("old", "-30d"), *run("asked", "-300m")],
        DELAYED_ENRICHMENT_QUEUE=[
            {"JOB_ID": "first", "RUN_ID": "asked", "STATUS": first, "CREATED_AT": "-90m", "COMPLETED_AT": "-6m"},
            {"JOB_ID": "second", "RUN_ID": "asked", "STATUS": "PENDING", "CREATED_AT": "-60m"},
        ],
        DELAYED_ENRICHMENT_TASKS=[] if first == "PENDING" else [{"JOB_ID": "first", "RUN_ID": "asked", **done}],
    )
    assert ask({"test_ids": ["old"]}, settings, dry_run=dry_run)["runs"] == 1
    claim_due_tasks(open_hook(CONN_ID, settings), settings, claimed_by="pass-1", lease_minutes=90)
    assert {row["JOB_ID"] for row in account.table("DELAYED_ENRICHMENT_TASKS") if row["RUN_ID"] == "asked"} == {"first"}
    jobs = {row["JOB_ID"]: row["STATUS"] for row in account.table("DELAYED_ENRICHMENT_QUEUE")}
    assert jobs["second"] == "SKIPPED"


def test_a_thousand_runs_neither_delay_a_fresh_one_nor_exceed_a_batch(account: Account, settings: Settings) -> None:
    load(account, TEST_RESULTS=[row for n in range(1000) for row in run(f"old-{n}", "-30d")])
    assert ask({"from": "2020-01-01"}, settings)["runs"] == 1000
    moment = Moment.current()
    load_tables(account, moment.resolve({"TEST_RESULTS": run("fresh", "-300m")}), moment)
    hook = open_hook(CONN_ID, settings)
    claim = claim_due_tasks(hook, settings, claimed_by="pass-1", lease_minutes=90)
    assert [task["run_id"] for task in claim.tasks].count("fresh") == 3
    assert len(claim.tasks) == 3 + settings.backfill_batch_size
    assert claim.tasks_left == 3000 - settings.backfill_batch_size
