"""The second look from the claim to its event: the run is COMPLETED in every table and view, whatever happens to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from include.enrichment import queue
from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.operations import Operation
from include.enrichment.retry import RetryRequest, retry
from include.enrichment.selection import RefusedError
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account, Row
from tests.sql.cases import Moment, load_tables, run_try

TASKS = f"{OWN_SCHEMA}.DELAYED_ENRICHMENT_TASKS"
EXPIRE = f"UPDATE {TASKS} SET LEASE_EXPIRES_AT = DATEADD('second', -1, SYSDATE()) WHERE LEASE_EXPIRES_AT IS NOT NULL"
LATE: Row = {"QUERY_ID": "q2", "PARTITIONS_SCANNED": 4}


class Killed(BaseException):
    """The end of a worker's process: nothing of it gets to say what happened."""


def a_settled_run(account: Account, **task: Any) -> None:
    """A run that settled with one of its two statements, was announced, and whose second look is due."""
    moment = Moment.current()
    tables: dict[str, Any] = {
        "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}],
        "DELAYED_ENRICHMENT_QUEUE": [{"CREATED_AT": "-25h"}],
        "DELAYED_ENRICHMENT_TASKS": [{"FOUND_COUNT": 1, **task}],
        "QUERY_EXECUTIONS": [{"QUERY_ID": "q1"}, {"QUERY_ID": "q2"}],
        "QUERY_HISTORY": [
            {"QUERY_ID": "q1", "PARTITIONS_SCANNED": 3},
            {"QUERY_ID": "newest", "START_TIME": "-2m", "END_TIME": "-2m", "QUERY_TAG": "other"},
        ],
    }
    load_tables(account, moment.resolve(tables), moment)
    settings = Settings()
    (first,) = claim(settings)
    assert run_try(first, settings).error is None
    assert [job.event()["data_complete"] for job in settle(settings)] == [False]
    queue.record_events(open_hook(CONN_ID, settings), settings, ["job-1"])
    account.run(f"UPDATE {TASKS} SET RECHECK_AT = DATEADD('hour', -24, RECHECK_AT)")


def claim(settings: Settings, *, is_retry: bool = False) -> list[ClaimedTask]:
    found = queue.claim_due_tasks(
        open_hook(CONN_ID, settings),
        settings,
        claimed_by="delayed_enrichment/pass",
        lease_minutes=90,
        is_retry=is_retry,
    )
    return [ClaimedTask(**task) for task in found.tasks]


def settle(settings: Settings) -> list[queue.SettledJob]:
    found = queue.settle_jobs(open_hook(CONN_ID, settings), settings)
    queue.mirror(CONN_ID, settings, None)
    return found


def statuses(account: Account) -> set[str]:
    """Of the run, wherever one is stored or shown."""
    tables = ("DELAYED_ENRICHMENT_TASKS", "DELAYED_ENRICHMENT_QUEUE", "V_DELAYED_ENRICHMENT_ROLLUP")
    found = {row["STATUS"] for name in (*tables, "V_DELAYED_ENRICHMENT_STATUS") for row in account.table(name)}
    found |= {row["ENRICHMENT_STATUS"] for row in account.table("V_RUN_ENRICHMENT")}
    return found | {row["DELAYED_ENRICHMENT_STATUS"] for row in account.table("TEST_RESULTS")} - {None}


def task(account: Account) -> Row:
    (row,) = account.table("DELAYED_ENRICHMENT_TASKS")
    return row


def look_and_die(claimed: ClaimedTask, settings: Settings, step: str) -> None:
    def die(_: Any, cursor: Any) -> None:
        if f"-- step: {step}\n" in (cursor.query or ""):
            raise Killed

    with pytest.raises(Killed):
        run_try(claimed, settings, observe=die)


def test_the_run_is_completed_before_while_and_after_it_is_looked_at_again(
    account: Account, settings: Settings
) -> None:
    a_settled_run(account)
    completed_at = task(account)["COMPLETED_AT"]
    account.load("QUERY_HISTORY", [_complete(LATE)])
    (second,) = claim(settings)
    assert second.is_second_look
    assert second.label == "benchmark · QUERY_HISTORY · second look"
    settle(settings)
    assert statuses(account) == {"COMPLETED"}

    seen: list[set[str]] = []
    outcome = run_try(second, settings, observe=lambda *_: seen.append(statuses(account)))
    assert outcome.error is None
    assert seen
    assert all(found == {"COMPLETED"} for found in seen)
    announced = settle(settings)
    assert [job.event() for job in announced] == [
        {"run_id": "run-1", "status": "COMPLETED", "types": ["QUERY_HISTORY"], "data_complete": True}
    ]
    assert statuses(account) == {"COMPLETED"}
    assert task(account)["COMPLETED_AT"] == completed_at


def test_there_is_one_second_look_and_without_a_change_no_second_event(account: Account, settings: Settings) -> None:
    a_settled_run(account)
    (second,) = claim(settings)
    assert run_try(second, settings).error is None
    assert settle(settings) == []
    assert task(account)["RECHECK_AT"] is None
    assert claim(settings) == []
    assert [row["OUTCOME"] for row in _attempts(account)] == ["COMPLETED", "RECHECKED"]


@pytest.mark.parametrize("step", ["take_over", "read", "reading", "write", "written_summary"])
def test_a_worker_that_dies_in_it_leaves_the_run_completed_and_the_look_to_the_next_pass(
    account: Account, settings: Settings, step: str
) -> None:
    a_settled_run(account)
    account.load("QUERY_HISTORY", [_complete(LATE)])
    (second,) = claim(settings)
    look_and_die(second, settings, step)
    settle(settings)
    assert statuses(account) == {"COMPLETED"}
    assert claim(settings) == []
    account.run(EXPIRE)
    (again,) = claim(settings)
    assert again.is_second_look
    assert statuses(account) == {"COMPLETED"}
    assert [(row["OUTCOME"], row["CLAIM_TOKEN"]) for row in _attempts(account)][1:] == [
        ("LOST", f"{second.claim_token}:1")
    ]
    assert run_try(again, settings).error is None
    assert sorted(row["QUERY_ID"] for row in account.table("QUERY_EXECUTION_METRICS")) == ["q1", "q2"]
    assert task(account)["RECHECK_ATTEMPTS"] == 2


def test_one_that_kills_its_worker_each_time_is_given_up_and_the_run_stays_completed(
    account: Account, settings: Settings
) -> None:
    a_settled_run(account)
    for _ in range(settings.max_attempts):
        (second,) = claim(settings)
        look_and_die(second, settings, "reading")
        account.run(EXPIRE)
    assert claim(settings) == []
    assert claim(settings) == []
    assert statuses(account) == {"COMPLETED"}
    row = task(account)
    assert (row["RECHECK_AT"], row["LEASE_EXPIRES_AT"], row["ATTEMPTS"]) == (None, None, 1)
    assert [row["OUTCOME"] for row in _attempts(account)] == ["COMPLETED", *["LOST"] * 3]


def test_a_claim_that_died_before_its_second_looks_began_is_claimed_again_at_once(
    account: Account, settings: Settings
) -> None:
    a_settled_run(account)
    assert len(claim(settings)) == 1
    assert claim(settings) == []
    assert [item.is_second_look for item in claim(settings, is_retry=True)] == [True]
    assert task(account)["RECHECK_ATTEMPTS"] == 0


def test_a_slow_worker_whose_second_look_was_taken_over_writes_nothing(account: Account, settings: Settings) -> None:
    a_settled_run(account)
    (slow,) = claim(settings)
    account.load("QUERY_HISTORY", [_complete(LATE)])
    taken: list[dict[str, list[str]]] = []

    def another_takes_over(_: Any, cursor: Any) -> None:
        if not taken and "-- step: reading\n" in (cursor.query or ""):
            account.run(EXPIRE)
            (fast,) = claim(settings)
            assert run_try(fast, settings).error is None
            taken.append(account.contents())

    assert run_try(slow, settings, observe=another_takes_over).error == "CLAIM_LOST"
    assert account.contents() == taken[0]


def test_an_idle_sensor_waits_for_the_second_look_and_then_for_nothing(account: Account, settings: Settings) -> None:
    a_settled_run(account)
    hook = open_hook(CONN_ID, settings)

    def next_due() -> Any:
        sql = render("queue/next_due.sql", settings)
        return hook.get_first(sql, parameters=queue.sensor_parameters(settings))

    settle(settings)
    due_at, lease_end, _, stale = next_due()
    assert due_at.replace(tzinfo=None) == task(account)["RECHECK_AT"].replace(tzinfo=None)
    assert (lease_end, stale) == (None, 0)
    (second,) = claim(settings)
    assert next_due()[1] is not None
    run_try(second, settings)
    settle(settings)
    assert tuple(next_due()) == (None, None, None, 0)


def ask_to_repeat(settings: Settings, name: str) -> None:
    conf = {"test_id": "run-1", "force": True}
    operation = Operation("retry", f"enrichment_retry/{name}", datetime(2026, 1, 1))
    retry(open_hook(CONN_ID, settings), settings, RetryRequest.from_conf(conf, settings), operation)


def test_a_run_whose_second_look_is_under_way_is_not_queued_again(account: Account, settings: Settings) -> None:
    a_settled_run(account)
    claim(settings)
    before = task(account)
    with pytest.raises(RefusedError, match="is being enriched now: QUERY_HISTORY"):
        ask_to_repeat(settings, "one")
    assert task(account) == before


def test_a_run_that_is_queued_again_has_no_second_look_until_it_settles_anew(
    account: Account, settings: Settings
) -> None:
    a_settled_run(account)
    (second,) = claim(settings)
    account.run(EXPIRE)
    ask_to_repeat(settings, "one")
    row = task(account)
    assert (row["STATUS"], row["RECHECK_AT"]) == ("PENDING", None)
    assert run_try(second, settings).error == "CLAIM_LOST"
    (first,) = claim(settings)
    assert not first.is_second_look
    assert run_try(first, settings).error is None
    assert task(account)["RECHECK_AT"] is not None


def test_the_cleanup_keeps_a_job_whose_second_look_is_under_way_only(account: Account, settings: Settings) -> None:
    a_settled_run(account)
    settle(settings)
    account.run(f"UPDATE {TASKS} SET COMPLETED_AT = DATEADD('day', -40, SYSDATE())")
    settle(settings)
    count = render("cleanup/count_settled_jobs.sql", settings)
    hook = open_hook(CONN_ID, settings)
    assert hook.get_first(count, parameters={"retention_days": 30})[0] > 0
    claim(settings)
    settle(settings)
    assert hook.get_first(count, parameters={"retention_days": 30})[0] == 0


def _attempts(account: Account) -> list[Row]:
    rows = account.table("DELAYED_ENRICHMENT_ATTEMPTS")
    return sorted(rows, key=lambda row: row["STARTED_AT"])


def _complete(row: Row) -> Row:
    moment = Moment.current()
    start = moment.resolve("-305m").isoformat(sep=" ")
    tag = "flakebench:test_id=child-1:phase=RUNNING"
    return {"QUERY_TAG": tag, "START_TIME": start, "END_TIME": start, "TOTAL_ELAPSED_TIME": 1000, **row}
