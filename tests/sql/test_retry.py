"""Retry: what failed is due at once, once per request; everything else is refused with its reason."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from include.enrichment.operations import Operation
from include.enrichment.queue import BACKFILL_PRIORITY, FRESH_PRIORITY
from include.enrichment.retry import RetryRequest, retry
from include.enrichment.selection import LISTED_RUNS, RefusedError
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, Account, Row
from tests.sql.cases import Moment, load_tables

UGLY_ID = "it's 100% \"ü\" \\ 'OR 1=1"


def ask(conf: dict[str, Any], settings: Settings, name: str = "run-a") -> dict[str, Any]:
    operation = Operation("retry", f"enrichment_retry/{name}", datetime(2026, 1, 1))
    return retry(open_hook(CONN_ID, settings), settings, RetryRequest.from_conf(conf, settings), operation)


def load(account: Account, tasks: list[Row], **tables: list[Row]) -> None:
    runs = sorted({str(task.get("RUN_ID", "run-1")) for task in tasks} | {"run-1"})
    moment = Moment.current()
    given: dict[str, list[Row]] = {
        "TEST_RESULTS": [
            row
            for run in runs
            for row in ({"TEST_ID": run, "RUN_ID": run}, {"TEST_ID": f"child of {run}"[:36], "RUN_ID": run})
        ],
        "DELAYED_ENRICHMENT_QUEUE": [{"JOB_ID": f"job of {run}"[:36], "RUN_ID": run} for run in runs],
        "DELAYED_ENRICHMENT_TASKS": [
            {"JOB_ID": f"job of {task.get('RUN_ID', 'run-1')}"[:36], **task} for task in tasks
        ],
        **tables,
    }
    load_tables(account, moment.resolve(given), moment)


def statuses(account: Account, run_id: str = "run-1") -> dict[str, str]:
    rows = account.table("DELAYED_ENRICHMENT_TASKS")
    return {row["ENRICHMENT_TYPE"]: row["STATUS"] for row in rows if row["RUN_ID"] == run_id}


FAILED = {
    "STATUS": "FAILED",
    "ATTEMPTS": 3,
    "SNOOZES": 2,
    "REASON_CODE": "TIMEOUT",
    "LAST_ERROR": "too slow",
    "COMPLETED_AT": "-5m",
    "EVENT_EMITTED_AT": "-4m",
    "DUE_AT": "-60m",
    "CLAIM_TOKEN": "old:3",
}
DONE = {"STATUS": "COMPLETED", "COMPLETED_AT": "-5m", "EVENT_EMITTED_AT": "-4m", "CLAIM_TOKEN": "old:1"}


def test_only_what_failed_is_due_at_once_with_its_tries_counted_anew(account: Account, settings: Settings) -> None:
    load(
        account,
        [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}, {"ENRICHMENT_TYPE": "QUERY_HISTORY", **DONE}],
        DELAYED_ENRICHMENT_ATTEMPTS=[{"CLAIM_TOKEN": "old:3"}],
    )
    assert ask({"test_id": "run-1"}, settings) == {
        "runs": 1,
        "tasks": 1,
        "requeued": {"run-1": ["AGGREGATE"]},
        "refused": {},
    }
    tasks = {row["ENRICHMENT_TYPE"]: row for row in account.table("DELAYED_ENRICHMENT_TASKS")}
    task = tasks["AGGREGATE"]
    assert (task["STATUS"], task["ATTEMPTS"], task["SNOOZES"]) == ("PENDING", 0, 0)
    assert task["DUE_AT"] > Moment.current().resolve("-2m")
    assert [
        task[name] for name in ("LAST_ERROR", "REASON_CODE", "COMPLETED_AT", "EVENT_EMITTED_AT", "LEASE_EXPIRES_AT")
    ] == [None] * 5
    assert task["IS_FORCED"] is False
    assert tasks["QUERY_HISTORY"]["STATUS"] == "COMPLETED"
    assert len(account.table("DELAYED_ENRICHMENT_ATTEMPTS")) == 1
    (record,) = account.table("ENRICHMENT_OPERATIONS")
    assert (record["OPERATION"], record["STATUS"], record["PERFORMED_BY"]) == (
        "RETRY",
        "SUCCEEDED",
        "enrichment_retry/run-a",
    )


def test_the_same_request_again_is_refused_but_the_same_dag_run_answers_the_same(
    account: Account, settings: Settings
) -> None:
    load(account, [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}])
    first = ask({"test_id": "run-1"}, settings)
    before = account.contents()
    assert ask({"test_id": "run-1"}, settings) == first
    with pytest.raises(RefusedError, match=r"Run run-1: nothing failed: AGGREGATE PENDING \(due .*\)"):
        ask({"test_id": "run-1"}, settings, "run-b")
    assert account.contents() == before


def test_a_child_stands_for_its_run(account: Account, settings: Settings) -> None:
    load(account, [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}])
    assert ask({"test_id": "child of run-1"}, settings)["requeued"] == {"run-1": ["AGGREGATE"]}


def test_ids_are_data(account: Account, settings: Settings) -> None:
    load(
        account,
        [
            {"RUN_ID": UGLY_ID, "ENRICHMENT_TYPE": "AGGREGATE", **FAILED},
            {"RUN_ID": "other", "ENRICHMENT_TYPE": "AGGREGATE", **FAILED},
        ],
    )
    assert ask({"test_ids": [UGLY_ID]}, settings)["requeued"] == {UGLY_ID: ["AGGREGATE"]}
    assert statuses(account, "other") == {"AGGREGATE": "FAILED"}
    with pytest.raises(RefusedError) as raised:
        ask({"test_id": UGLY_ID + "x"}, settings, "run-b")
    assert "is not the TEST_ID of a run" in str(raised.value)


@pytest.mark.parametrize(
    ("tasks", "conf", "message"),
    [
        pytest.param(
            [{"ENRICHMENT_TYPE": "AGGREGATE", **DONE}], {}, "nothing failed: AGGREGATE COMPLETED", id="completed"
        ),
        pytest.param(
            [
                {
                    "ENRICHMENT_TYPE": "AGGREGATE",
                    "STATUS": "PENDING",
                    "DUE_AT": "+30m",
                    "REASON_CODE": "NOT_READY",
                    "LAST_ERROR": None,
                }
            ],
            {},
            "AGGREGATE PENDING",
            id="waits for its view",
        ),
        pytest.param(
            [
                {"ENRICHMENT_TYPE": "AGGREGATE", **FAILED},
                {
                    "ENRICHMENT_TYPE": "QUERY_HISTORY",
                    "STATUS": "IN_PROGRESS",
                    "LEASE_EXPIRES_AT": "+30m",
                    "CLAIMED_BY": "delayed_enrichment/x",
                },
            ],
            {},
            "is being enriched now: QUERY_HISTORY by delayed_enrichment/x. Wait",
            id="being enriched",
        ),
        pytest.param(
            [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}],
            {"types": ["LOCK"]},
            "it has no task of LOCK_CONTENTION; it has AGGREGATE",
            id="type that is not there",
        ),
        pytest.param(
            [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}],
            {"test_id": "nobody"},
            "'nobody' is not the TEST_ID of a run",
            id="unknown id",
        ),
        pytest.param([], {}, "has no enrichment yet", id="no tasks"),
        pytest.param(
            [
                {
                    "ENRICHMENT_TYPE": "HYBRID_CREDITS",
                    "STATUS": "NOT_APPLICABLE",
                    "REASON_CODE": "BILLING_ENDED",
                    "COMPLETED_AT": "-5m",
                }
            ],
            {"force": True},
            "nothing that can be repeated: HYBRID_CREDITS NOT_APPLICABLE (BILLING_ENDED)",
            id="forced, not applicable",
        ),
        pytest.param(
            [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}],
            {"to": "2020-01-01"},
            "Run run-1 did not end between from and to",
            id="outside the range",
        ),
        pytest.param(
            [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}],
            {"status": "PENDING"},
            "no task that is PENDING can be repeated: AGGREGATE FAILED (TIMEOUT). Leave status out",
            id="another status",
        ),
        pytest.param(
            [{"ENRICHMENT_TYPE": "AGGREGATE", **DONE}],
            {"status": "FAILED", "force": True},
            "no task that is FAILED can be repeated: AGGREGATE COMPLETED",
            id="forced, another status",
        ),
    ],
)
def test_what_cannot_be_retried_is_refused_with_the_reason_and_nothing_changes(
    account: Account, settings: Settings, tasks: list[Row], conf: dict[str, Any], message: str
) -> None:
    load(account, tasks)
    before = account.contents()
    with pytest.raises(RefusedError) as raised:
        ask({"test_id": "run-1", **conf}, settings)
    assert message in str(raised.value)
    assert account.contents() == before


def test_of_several_named_runs_those_that_can_be_are_re_queued(account: Account, settings: Settings) -> None:
    load(
        account,
        [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}, {"RUN_ID": "run-2", "ENRICHMENT_TYPE": "AGGREGATE", **DONE}],
    )
    answer = ask({"test_ids": ["run-1", "run-2", "nobody"]}, settings)
    assert answer["requeued"] == {"run-1": ["AGGREGATE"]}
    assert set(answer["refused"]) == {"run-2", "nobody"}
    assert statuses(account, "run-2") == {"AGGREGATE": "COMPLETED"}


def test_a_failed_try_that_waits_is_due_at_once(account: Account, settings: Settings) -> None:
    waits = {"STATUS": "PENDING", "REASON_CODE": "NO_PRIVILEGE", "LAST_ERROR": "GRANT ...", "DUE_AT": "+55m"}
    load(account, [{"ENRICHMENT_TYPE": "LOCK_CONTENTION", **waits}, {"ENRICHMENT_TYPE": "AGGREGATE", **DONE}])
    assert ask({"status": "PENDING", "from": "2026-01-01"}, settings)["requeued"] == {"run-1": ["LOCK_CONTENTION"]}
    (task,) = [row for row in account.table("DELAYED_ENRICHMENT_TASKS") if row["STATUS"] == "PENDING"]
    assert task["DUE_AT"] <= Moment.current().now


def test_force_repeats_what_settled_but_not_what_is_switched_off_or_does_not_apply(account: Account) -> None:
    load(
        account,
        [
            {"ENRICHMENT_TYPE": "AGGREGATE", **DONE},
            {"ENRICHMENT_TYPE": "QUERY_HISTORY", **DONE, "STATUS": "SKIPPED", "REASON_CODE": "NO_DATA"},
            {"ENRICHMENT_TYPE": "QUERY_INSIGHTS", "STATUS": "NOT_APPLICABLE", "COMPLETED_AT": "-5m"},
            {"ENRICHMENT_TYPE": "LOCK_CONTENTION", **DONE},
        ],
    )
    settings = Settings(disabled_types=("LOCK_CONTENTION",))
    assert ask({"test_id": "run-1", "force": True}, settings)["requeued"] == {"run-1": ["AGGREGATE", "QUERY_HISTORY"]}
    assert {row["IS_FORCED"] for row in account.table("DELAYED_ENRICHMENT_TASKS") if row["STATUS"] == "PENDING"} == {
        True
    }


@pytest.mark.parametrize(
    ("conf", "requeued"),
    [
        pytest.param({"status": "FAILED"}, {"old", "run-1"}, id="everything that failed"),
        pytest.param({"from": "{-1d}"}, {"run-1"}, id="from"),
        pytest.param({"to": "{-1d}"}, {"old"}, id="to"),
        pytest.param({"status": "FAILED", "types": ["LOCK"]}, {"old"}, id="an alias of a type"),
    ],
)
def test_filters(account: Account, settings: Settings, conf: dict[str, Any], requeued: set[str]) -> None:
    moment = Moment.current()
    conf = {
        key: str(moment.resolve(value[1:-1])) if isinstance(value, str) and value.startswith("{") else value
        for key, value in conf.items()
    }
    load(
        account,
        [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}, {"RUN_ID": "old", "ENRICHMENT_TYPE": "LOCK_CONTENTION", **FAILED}],
        TEST_RESULTS=moment.resolve(
            [
                {"TEST_ID": "run-1"},
                {"TEST_ID": "old", "RUN_ID": "old"},
                {"TEST_ID": "old-child", "RUN_ID": "old", "END_TIME": "-9d"},
            ]
        ),
    )
    assert set(ask(conf, settings)["requeued"]) == requeued


def test_a_job_that_the_cleanup_purged_comes_back(account: Account, settings: Settings) -> None:
    load(
        account,
        [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}, {"ENRICHMENT_TYPE": "QUERY_HISTORY", **DONE}],
        DELAYED_ENRICHMENT_QUEUE=[],
    )
    ask({"test_id": "run-1"}, settings)
    (job,) = account.table("DELAYED_ENRICHMENT_QUEUE")
    assert (job["JOB_ID"], job["RUN_ID"], job["STATUS"], job["TABLE_TYPE"]) == (
        "job of run-1",
        "run-1",
        "PENDING",
        "STANDARD",
    )
    assert "QUERY_HISTORY" in job["ENRICHMENT_TYPES"]


def test_a_named_run_comes_before_all_others_and_a_range_behind_fresh_runs(
    account: Account, settings: Settings
) -> None:
    load(
        account,
        [
            {"ENRICHMENT_TYPE": "AGGREGATE", **FAILED, "PRIORITY": BACKFILL_PRIORITY},
            {"RUN_ID": "run-2", "ENRICHMENT_TYPE": "AGGREGATE", **FAILED},
        ],
    )
    ask({"test_id": "run-1"}, settings)
    ask({"status": "FAILED"}, settings, "run-b")
    priorities = {row["RUN_ID"]: row["PRIORITY"] for row in account.table("DELAYED_ENRICHMENT_TASKS")}
    assert priorities == {"run-1": FRESH_PRIORITY, "run-2": BACKFILL_PRIORITY}


def test_a_forced_task_that_waits_after_a_failed_try_stays_forced(account: Account, settings: Settings) -> None:
    load(account, [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED, "STATUS": "PENDING", "IS_FORCED": True}])
    ask({"test_id": "run-1"}, settings)
    (task,) = account.table("DELAYED_ENRICHMENT_TASKS")
    assert task["IS_FORCED"] is True


def test_of_many_runs_the_first_are_listed_and_all_are_counted(account: Account, settings: Settings) -> None:
    runs = [f"run-{n}" for n in range(LISTED_RUNS + 5)]
    load(account, [{"RUN_ID": run, "ENRICHMENT_TYPE": "AGGREGATE", **FAILED} for run in runs])
    answer = ask({"status": "FAILED"}, settings)
    assert (answer["runs"], answer["tasks"], len(answer["requeued"])) == (len(runs), len(runs), LISTED_RUNS)


def test_a_run_that_flakebench_deleted_is_refused(account: Account, settings: Settings) -> None:
    load(account, [{"ENRICHMENT_TYPE": "AGGREGATE", **FAILED}], TEST_RESULTS=[])
    with pytest.raises(RefusedError, match="no longer exists in FlakeBench"):
        ask({"test_id": "run-1"}, settings)
