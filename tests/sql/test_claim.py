"""Claiming: how a batch is shared, and that no task is ever claimed twice."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.enrichment import queue
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, Account, Row
from tests.sql.cases import Moment, load_tables, run_statement

COUNT = """
SELECT COUNT_IF(PRIORITY = 0) AS FRESH, COUNT_IF(PRIORITY > 0) AS BACKFILL
FROM FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_TASKS WHERE STATUS = 'IN_PROGRESS'
"""


@pytest.mark.parametrize(
    ("fresh", "backfill", "claimed_fresh", "claimed_backfill"),
    [
        pytest.param(0, 0, 0, 0, id="nothing waits"),
        pytest.param(50, 0, 50, 0, id="no backfill waits: fresh alone"),
        pytest.param(300, 0, 100, 0, id="no backfill waits: fresh fills the batch"),
        pytest.param(0, 5, 0, 5, id="no fresh waits: all the backfill there is"),
        pytest.param(0, 300, 0, 20, id="no fresh waits: backfill stays at its limit"),
        pytest.param(50, 5, 50, 5, id="both fit"),
        pytest.param(50, 300, 50, 20, id="backfill takes what fresh leaves, to its limit"),
        pytest.param(300, 5, 95, 5, id="fresh leaves a tenth, backfill needs less"),
        pytest.param(300, 300, 90, 10, id="neither starves the other: a tenth is backfill"),
        pytest.param(85, 300, 85, 15, id="backfill takes the 15 that fresh leaves"),
    ],
)
def test_backfill_gets_at_most_20_but_a_tenth_of_the_batch(
    account: Account, settings: Settings, fresh: int, backfill: int, claimed_fresh: int, claimed_backfill: int
) -> None:
    rows: list[Row] = [
        {"JOB_ID": "fresh-{n}", "PRIORITY": 0, "DUE_AT": "-10m", "repeat": fresh},
        {"JOB_ID": "backfill-{n}", "PRIORITY": 10, "DUE_AT": "-900m", "repeat": backfill},
    ]
    moment = Moment.current()
    load_tables(account, {"DELAYED_ENRICHMENT_TASKS": moment.resolve(rows)}, moment)
    run_statement("queue/claim_tasks.sql", settings, {})
    assert account.rows(COUNT) == [{"FRESH": claimed_fresh, "BACKFILL": claimed_backfill}]


def test_backfill_of_zero_claims_fresh_tasks_only(account: Account) -> None:
    rows: list[Row] = [{"JOB_ID": "fresh"}, {"JOB_ID": "backfill", "PRIORITY": 10}]
    load_tables(account, {"DELAYED_ENRICHMENT_TASKS": rows}, Moment.current())
    run_statement("queue/claim_tasks.sql", Settings(backfill_batch_size=0), {})
    assert account.rows(COUNT) == [{"FRESH": 1, "BACKFILL": 0}]


def test_a_second_pass_changes_nothing_and_claims_nothing(account: Account, settings: Settings) -> None:
    runs: list[Row] = [
        {"TEST_ID": "run-1"},
        {"TEST_ID": "child-1"},
        {"TEST_ID": "run-2", "RUN_ID": "run-2", "TABLE_TYPE": "HYBRID"},
        {"TEST_ID": "run-3", "RUN_ID": "run-3", "TABLE_TYPE": "POSTGRES"},
    ]
    load_tables(account, {"TEST_RESULTS": runs}, Moment.current())
    hook = open_hook(CONN_ID, settings)
    first = queue.claim_due_tasks(hook, settings, claimed_by="pass-1", lease_minutes=90).tasks
    before = account.contents()
    second = queue.claim_due_tasks(hook, settings, claimed_by="pass-2", lease_minutes=90).tasks
    assert {(task["run_id"], task["enrichment_type"]) for task in first} == {
        ("run-1", "QUERY_HISTORY"),
        ("run-1", "QUERY_INSIGHTS"),
        ("run-1", "AGGREGATE"),
        ("run-2", "QUERY_HISTORY"),
        ("run-2", "AGGREGATE"),
        ("run-2", "LOCK_CONTENTION"),
    }
    assert second == []
    assert account.contents() == before


def test_two_deployments_at_once_discover_each_run_once_and_share_the_tasks(account: Account) -> None:
    settings = Settings(batch_size=30)
    runs: list[Row] = [{"TEST_ID": f"run-{n}", "RUN_ID": f"run-{n}"} for n in range(15)]
    load_tables(account, {"TEST_RESULTS": runs}, Moment.current())

    def one_pass(name: str) -> list[dict[str, str]]:
        return queue.claim_due_tasks(open_hook(CONN_ID, settings), settings, claimed_by=name, lease_minutes=90).tasks

    with ThreadPoolExecutor(2) as pool:
        claimed = [task for tasks in pool.map(one_pass, ("deployment-1", "deployment-2")) for task in tasks]
    keys = [(task["run_id"], task["enrichment_type"]) for task in claimed]
    assert len(account.table("DELAYED_ENRICHMENT_QUEUE")) == 15
    assert len(account.table("DELAYED_ENRICHMENT_TASKS")) == 45
    assert len(keys) == len(set(keys)) == 45


def test_the_due_tasks_that_the_batch_had_no_room_for_are_counted(account: Account) -> None:
    rows: list[Row] = [{"JOB_ID": "due-{n}", "repeat": 5}, {"JOB_ID": "later", "DUE_AT": "+10m"}]
    moment = Moment.current()
    load_tables(account, {"DELAYED_ENRICHMENT_TASKS": moment.resolve(rows)}, moment)
    settings = Settings(batch_size=2)
    hook = open_hook(CONN_ID, settings)
    left = [queue.claim_due_tasks(hook, settings, claimed_by="p", lease_minutes=90).tasks_left for _ in range(4)]
    assert left == [3, 1, 0, 0]


def test_an_unknown_table_type_is_logged_with_its_run(
    account: Account, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    load_tables(account, {"TEST_RESULTS": [{"TEST_ID": "run-1", "TABLE_TYPE": "ICEBERG"}]}, Moment.current())
    with caplog.at_level(logging.WARNING, logger=queue.log.name):
        queue.claim_due_tasks(open_hook(CONN_ID, settings), settings, claimed_by="pass", lease_minutes=90)
    assert "run-1" in caplog.text
    assert "ICEBERG" in caplog.text
