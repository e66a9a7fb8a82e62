"""After the tries: roll-up, events, the mirror on FlakeBench's tables, and the sensor's question."""

from __future__ import annotations

import re

import pytest

from include.enrichment import monitor, queue
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from tests.sql.account import CONN_ID, Account, Row
from tests.sql.cases import Moment, load_tables, run_statement

RESULTS = "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"
SETTLED: dict[str, list[Row]] = {
    "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}],
    "DELAYED_ENRICHMENT_QUEUE": [{"STATUS": "IN_PROGRESS"}],
    "DELAYED_ENRICHMENT_TASKS": [
        {"ENRICHMENT_TYPE": "QUERY_HISTORY", "STATUS": "COMPLETED", "DATA_COMPLETE": False, "ATTEMPTS": 1},
        {"ENRICHMENT_TYPE": "AGGREGATE", "STATUS": "COMPLETED", "DATA_COMPLETE": True},
        {"ENRICHMENT_TYPE": "QUERY_INSIGHTS", "STATUS": "SKIPPED"},
    ],
}


def load(account: Account, tables: dict[str, list[Row]]) -> None:
    moment = Moment.current()
    load_tables(account, moment.resolve(tables), moment)


def test_a_settled_job_is_announced_until_its_event_is_recorded(account: Account, settings: Settings) -> None:
    load(account, SETTLED)
    hook = open_hook(CONN_ID, settings)
    first = queue.settle_jobs(hook, settings)
    assert [job.event() for job in first] == [
        {"run_id": "run-1", "status": "COMPLETED", "types": ["AGGREGATE", "QUERY_HISTORY"], "data_complete": False}
    ]
    assert queue.settle_jobs(hook, settings) == first  # a crash before the event is recorded repeats it
    queue.record_events(hook, settings, [job.job_id for job in first])
    before = account.contents()
    assert queue.settle_jobs(hook, settings) == []
    queue.record_events(hook, settings, ["job-1"])
    assert account.contents() == before


def test_a_job_that_the_cleanup_purged_is_restored_by_the_next_claim_and_announced_once(
    account: Account, settings: Settings
) -> None:
    """Somebody cleared a mapped task of an old run: its task row has no event, and its job is gone."""
    load(account, SETTLED | {"DELAYED_ENRICHMENT_QUEUE": []})
    hook = open_hook(CONN_ID, settings)
    assert queue.settle_jobs(hook, settings) == []
    for _ in range(2):
        queue.claim_due_tasks(hook, settings, claimed_by="pass-1", lease_minutes=90)
    assert [job.run_id for job in queue.settle_jobs(hook, settings)] == ["run-1"]


def test_roll_up_heals_what_a_crash_left_and_then_changes_nothing(account: Account, settings: Settings) -> None:
    load(account, SETTLED)
    assert run_statement("queue/roll_up_jobs.sql", settings, {}).result[0]["number of rows updated"] == 1
    assert run_statement("queue/roll_up_jobs.sql", settings, {}).result[0]["number of rows updated"] == 0


def test_mirror_writes_only_changed_rows(account: Account, settings: Settings) -> None:
    load(account, SETTLED | {"RUN_ENRICHMENT_SUMMARY": [{"LOCK_WAIT_COUNT": 2}]})
    queue.settle_jobs(open_hook(CONN_ID, settings), settings)
    assert queue.mirror(CONN_ID, settings, None)
    assert run_statement("queue/mirror_runs.sql", settings, {}).result[0]["number of rows updated"] == 0
    copied = account.rows(f"SELECT * FROM {RESULTS} WHERE TEST_ID = 'run-1'")[0]
    assert copied["DELAYED_ENRICHMENT_STATUS"] == "COMPLETED"
    assert copied["LOCK_WAIT_COUNT"] == 2
    assert copied["THROTTLED_QUERY_COUNT"] is None  # pending is not zero


def test_mirror_copies_hashes_of_the_runs_written_under_the_claim_only(account: Account, settings: Settings) -> None:
    tasks: list[Row] = [{"CLAIM_TOKEN": "claim-1:1", "STATUS": "COMPLETED", "ROWS_WRITTEN": 1}]
    tasks += [{"JOB_ID": "job-2", "RUN_ID": "run-2", "CLAIM_TOKEN": "claim-2:1", "ROWS_WRITTEN": 1}]
    hashes: list[Row] = [{"QUERY_ID": "q1", "QUERY_PARAMETERIZED_HASH": "hash-1"}]
    hashes += [{"RUN_ID": "run-2", "QUERY_ID": "q2", "QUERY_PARAMETERIZED_HASH": "hash-2"}]
    load(
        account,
        {
            "TEST_RESULTS": [
                {"TEST_ID": "run-1"},
                {"TEST_ID": "child-1"},
                {"TEST_ID": "run-2", "RUN_ID": "run-2"},
                {"TEST_ID": "child-2", "RUN_ID": "run-2"},
            ],
            "QUERY_EXECUTIONS": [{"QUERY_ID": "q1"}, {"QUERY_ID": "q2", "TEST_ID": "child-2"}],
            "DELAYED_ENRICHMENT_TASKS": tasks,
            "QUERY_EXECUTION_METRICS": hashes,
        },
    )
    assert queue.mirror(CONN_ID, settings, "claim-1")
    rows = {row["QUERY_ID"]: row["QUERY_PARAMETERIZED_HASH"] for row in account.table("QUERY_EXECUTIONS")}
    assert rows == {"q1": "hash-1", "q2": None}


def test_mirror_copies_the_hashes_that_a_pass_which_was_ended_left_before_the_job_is_announced(
    account: Account, settings: Settings
) -> None:
    written: Row = {"CLAIM_TOKEN": "ended:1", "STATUS": "COMPLETED", "ROWS_WRITTEN": 1}
    load(
        account,
        {
            "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}],
            "QUERY_EXECUTIONS": [{"QUERY_ID": "q1"}],
            "DELAYED_ENRICHMENT_TASKS": [written],
            "QUERY_EXECUTION_METRICS": [{"QUERY_ID": "q1", "QUERY_PARAMETERIZED_HASH": "hash-1"}],
        },
    )
    assert queue.mirror(CONN_ID, settings, None)
    assert [row["QUERY_PARAMETERIZED_HASH"] for row in account.table("QUERY_EXECUTIONS")] == ["hash-1"]


def test_a_column_that_flakebench_dropped_postpones_the_mirror_not_the_enrichment(
    account: Account, settings: Settings
) -> None:
    load(account, SETTLED)
    account.run(f"ALTER TABLE {RESULTS} DROP COLUMN LOCK_WAIT_COUNT")
    try:
        assert [job.status for job in queue.settle_jobs(open_hook(CONN_ID, settings), settings)] == ["COMPLETED"]
        assert queue.mirror(CONN_ID, settings, None) is False
        assert account.table("DELAYED_ENRICHMENT_QUEUE")[0]["STATUS"] == "COMPLETED"
    finally:
        account.run(f"ALTER TABLE {RESULTS} ADD COLUMN LOCK_WAIT_COUNT INTEGER")
    assert queue.mirror(CONN_ID, settings, None) is True
    assert account.rows(f"SELECT DELAYED_ENRICHMENT_STATUS AS S FROM {RESULTS} WHERE TEST_ID = 'run-1'") == [
        {"S": "COMPLETED"}
    ]


def test_a_locked_table_postpones_the_mirror(account: Account, settings: Settings) -> None:
    load(account, SETTLED)
    queue.settle_jobs(open_hook(CONN_ID, settings), settings)
    account.put_faults([{"match": "UPDATE .*TEST_RESULTS.TEST_RESULTS", "errno": 625, "message": "locked"}])
    assert queue.mirror(CONN_ID, settings, None) is False


def test_mirror_can_be_switched_off(account: Account) -> None:
    settings = Settings(mirror=False)
    load(account, SETTLED)
    queue.settle_jobs(open_hook(CONN_ID, settings), settings)
    assert queue.mirror(CONN_ID, settings, "claim-1") is True
    assert account.rows(f"SELECT DELAYED_ENRICHMENT_STATUS AS S FROM {RESULTS} WHERE TEST_ID = 'run-1'") == [
        {"S": None}
    ]


def test_the_sensors_question_and_answer_stay_the_same_when_idle(account: Account, settings: Settings) -> None:
    load(account, SETTLED)
    hook = open_hook(CONN_ID, settings)
    queue.record_events(hook, settings, [job.job_id for job in queue.settle_jobs(hook, settings)])
    before = account.contents()
    answers = [run_statement("queue/next_due.sql", settings, {}).result for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0]["STALE_JOBS"] == 0
    assert account.contents() == before
    assert render("queue/next_due.sql", settings) == render("queue/next_due.sql", Settings())


@pytest.mark.parametrize("path", ["queue/next_due.sql", "schema/0004_views.sql", "schema/0005_completeness.sql"])
def test_the_sensors_question_has_no_clock_and_no_hybrid_table(settings: Settings, path: str) -> None:
    text = re.sub(r"--.*", "", render(path, settings)).upper()
    asked = text if path.startswith("queue/") else text.split("CREATE OR REPLACE VIEW")[1]
    clocks = ("SYSDATE", "CURRENT_TIMESTAMP", "CURRENT_DATE", "GETDATE", "LOCALTIME", "RANDOM", "UUID_STRING")
    assert not [word for word in (*clocks, "RUN_STATUS", "HEARTBEATS", "CONTROL_EVENTS") if word in asked]


def test_a_pass_ends_with_the_very_texts_that_the_next_ticks_send(account: Account, settings: Settings) -> None:
    """So that Snowflake answers the sensor and the monitor from its result cache."""
    load(account, SETTLED)
    hook = open_hook(CONN_ID, settings)
    settled = queue.settle_jobs(hook, settings)
    queue.record_events(hook, settings, [job.job_id for job in settled])
    queue.answer_next_tick(hook, settings)
    hook.get_records(render("queue/next_due.sql", settings), parameters=queue.sensor_parameters(settings))
    monitor.read_buckets(hook, settings)
    for question in ("AS NEXT_DUE_AT", "'DUE_JOBS' END AS FIGURE"):
        asked = [item["text"] for item in account.statements() if question in item["text"]][-3:]
        assert len(asked) == 3
        assert len(set(asked)) == 1


def test_a_login_of_ours_sends_no_statement_of_its_own(account: Account, settings: Settings) -> None:
    last = account.statements()[-1]["sequence"]
    queue.answer_next_tick(open_hook(CONN_ID, settings), settings)
    sent = [item["text"] for item in account.statements(last) if item["query_tag"] == settings.query_tag]
    assert len(sent) == 2
