"""Rescue: what a dead worker leaves behind is given back; what lives, or has ended, is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from snowflake.connector.errors import ProgrammingError

from include.enrichment import queue
from include.enrichment import settings as enrichment_settings
from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.settings import ParseSettings, Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from tests.faults.matrix import Matrix
from tests.faults.rescue_cases import FAILED, GIVEN_BACK, LEFT_ALONE, OTHERS, RIVER, Case, Found, stuck
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account, Row
from tests.sql.cases import Moment, load_tables, run_try

TASKS = f"{OWN_SCHEMA}.DELAYED_ENRICHMENT_TASKS"
THIS_PASS = "delayed_enrichment/this-pass"
PATIENCE_SECONDS = 30.0
EXPIRE = f"UPDATE {TASKS} SET LEASE_EXPIRES_AT = DATEADD('second', -1, SYSDATE()) WHERE STATUS = 'IN_PROGRESS'"
HISTORY = {"QUERY_ID": "q1", "PARTITIONS_SCANNED": 3}
WRITTEN = ("QUERY_EXECUTION_METRICS", "q1")

Key = tuple[str, ...]


def claim(settings: Settings, claimed_by: str = THIS_PASS, *, is_retry: bool = False) -> list[ClaimedTask]:
    """One real pass, up to its mapped tasks."""
    found = queue.claim_due_tasks(
        open_hook(CONN_ID, settings), settings, claimed_by=claimed_by, lease_minutes=90, is_retry=is_retry
    )
    return [ClaimedTask(**task) for task in found.tasks]


def tasks(account: Account) -> dict[Key, Row]:
    return {(row["JOB_ID"], row["ENRICHMENT_TYPE"]): row for row in account.table("DELAYED_ENRICHMENT_TASKS")}


def lost_tries(account: Account) -> list[Key]:
    rows = account.table("DELAYED_ENRICHMENT_ATTEMPTS")
    return [(row["OUTCOME"], row["JOB_ID"], row["CLAIM_TOKEN"]) for row in rows if row["OUTCOME"] == "LOST"]


def load(account: Account, found: Sequence[Found]) -> dict[Key, Row]:
    """Load the tasks, and return every row as it is now."""
    moment = Moment.current()
    load_tables(account, {"DELAYED_ENRICHMENT_TASKS": moment.resolve([task.row for task in found])}, moment)
    return tasks(account)


def outcome(row: Row, as_loaded: Row) -> str:
    """What became of a task."""
    if row == as_loaded:
        return LEFT_ALONE
    if (row["STATUS"], row["REASON_CODE"]) == ("FAILED", "LEASE_EXPIRED"):
        return FAILED
    is_claimed_again = row["STATUS"] == "IN_PROGRESS" and row["CLAIMED_BY"] == THIS_PASS
    if is_claimed_again or (row["STATUS"], row["REASON_CODE"]) == ("PENDING", "LEASE_EXPIRED"):
        return GIVEN_BACK if row["ATTEMPTS"] == as_loaded["ATTEMPTS"] else "counted"
    return repr(row)


@pytest.mark.parametrize(("name", "case"), [*RIVER.items(), *OTHERS.items()], ids=[*RIVER, *OTHERS])
def test_a_task_is_rescued_when_its_worker_is_lost_and_only_then(
    account: Account, settings: Settings, matrix: Matrix, name: str, case: Case
) -> None:
    as_loaded = load(account, case.tasks)
    if case.fault is not None:
        account.put_faults([case.fault])
        with pytest.raises(ProgrammingError, match=case.fault["message"]):
            claim(settings)
        assert tasks(account) == as_loaded
        assert lost_tries(account) == []
    claim(settings)
    if case.later:
        as_loaded = load(account, case.later) | as_loaded
        claim(settings)

    wanted = [*case.tasks, *case.later]
    expected = [(task.row["JOB_ID"], task.row.get("ENRICHMENT_TYPE", "QUERY_HISTORY"), task.outcome) for task in wanted]
    expected += [
        ("LOST", task.row["JOB_ID"], task.row["CLAIM_TOKEN"])
        for task in wanted
        if task.was_tried and task.outcome != LEFT_ALONE
    ]
    stored: list[Key] = [(*key, outcome(row, as_loaded[key])) for key, row in tasks(account).items()]
    matrix.check(name, "the next pass", expected=expected, stored=[*stored, *lost_tries(account)])


def a_due_run(account: Account) -> None:
    """A hybrid run whose task QUERY_HISTORY is due; the other types of it are not of interest."""
    moment = Moment.current()
    tables: dict[str, Any] = {
        "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}],
        "DELAYED_ENRICHMENT_QUEUE": [{"CREATED_AT": "-20m"}],
        "DELAYED_ENRICHMENT_TASKS": [{}],
        "QUERY_EXECUTIONS": [{"QUERY_ID": "q1"}],
        "QUERY_HISTORY": [
            HISTORY,
            {"QUERY_ID": "newest", "START_TIME": "-2m", "END_TIME": "-2m", "QUERY_TAG": "other"},
        ],
    }
    load_tables(account, moment.resolve(tables), moment)


def written(account: Account) -> list[Key]:
    """What is stored, and how the task and its tries ended."""
    rows = account.table("QUERY_EXECUTION_METRICS")
    tries = account.table("DELAYED_ENRICHMENT_ATTEMPTS")
    return [
        *(("QUERY_EXECUTION_METRICS", row["QUERY_ID"]) for row in rows),
        *(("TASK", row["STATUS"]) for row in tasks(account).values()),
        *(("TRY", row["OUTCOME"]) for row in tries),
    ]


class Killed(BaseException):
    """The end of a worker's process: nothing of it gets to say what happened."""


def die_after(step: str) -> Any:
    def look(_: Any, cursor: Any) -> None:
        if f"-- step: {step}\n" in (cursor.query or ""):
            raise Killed

    return look


def start_and_die(task: ClaimedTask, settings: Settings, step: str, *, try_number: int = 1) -> None:
    with pytest.raises(Killed):
        run_try(task, settings, try_number=try_number, observe=die_after(step))


@contextmanager
def held(account: Account, match: str, when: str = "before") -> Iterator[None]:
    """Hold the first statement that matches; it goes on at the end of the block."""
    account.put_faults([{"match": match, "hold": when, "times": 1}])
    try:
        yield
    finally:
        account.put_faults([])
        account.release()


def test_a_poison_task_fails_after_three_tries_and_says_so(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    a_due_run(account)
    for _ in range(settings.max_attempts):
        (task,) = claim(settings)
        start_and_die(task, settings, "reading")
        account.run(EXPIRE)
    assert claim(settings) == []
    assert claim(settings) == []
    (row,) = tasks(account).values()
    assert (row["REASON_CODE"], row["ATTEMPTS"]) == ("LEASE_EXPIRED", 3)
    for fragment in ("run-1", "QUERY_HISTORY", "the worker died in each of 3 tries", "pass-1", "retry the run"):
        assert fragment in row["LAST_ERROR"]
    expected = [("TASK", "FAILED"), *[("TRY", "LOST")] * 3]
    matrix.check("poison: kills its worker", "FAILED after three tries", expected=expected, stored=written(account))


def test_a_claim_that_was_never_started_is_given_back_without_a_counted_try(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    a_due_run(account)
    for _ in range(2):
        assert len(claim(settings)) == 1
        account.run(EXPIRE)
    (task,) = claim(settings)
    assert [row["ATTEMPTS"] for row in tasks(account).values()] == [0]
    assert run_try(task, settings).error is None
    expected = [WRITTEN, ("TASK", "COMPLETED"), ("TRY", "COMPLETED")]
    matrix.check("claimed, never started", "given back, uncounted", expected=expected, stored=written(account))


def test_a_rescued_task_keeps_its_place_before_those_that_became_due_later(account: Account) -> None:
    moment = Moment.current()
    rows = [
        {"JOB_ID": "lost", "STATUS": "IN_PROGRESS", "DUE_AT": "-900m", "LEASE_EXPIRES_AT": "-1m"},
        *({"JOB_ID": f"due-{n}", "DUE_AT": "-10m"} for n in range(5)),
    ]
    load_tables(account, {"DELAYED_ENRICHMENT_TASKS": moment.resolve(rows)}, moment)
    assert "lost" in {task.job_id for task in claim(Settings(batch_size=2))}


def test_a_task_that_completed_between_look_and_update_is_left_alone(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    """The sensor has seen an expired lease, the pass has begun; the worker was only slow."""
    a_due_run(account)
    (task,) = claim(settings, "delayed_enrichment/slow")
    with ThreadPoolExecutor(1) as pool:
        with held(account, r"UPDATE \S+ENRICHMENT_PASS_LOCK"):
            account.run(EXPIRE)
            rescuing = pool.submit(claim, settings)
            account.wait_for_held()
            assert run_try(task, settings).error is None
        assert rescuing.result(PATIENCE_SECONDS) == []
    expected = [WRITTEN, ("TASK", "COMPLETED"), ("TRY", "COMPLETED")]
    matrix.check("completed between look and rescue", "left alone", expected=expected, stored=written(account))


def test_a_task_that_another_try_took_over_between_look_and_update_is_left_alone(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    a_due_run(account)
    (task,) = claim(settings, "delayed_enrichment/slow")
    with ThreadPoolExecutor(1) as pool:
        with held(account, r"UPDATE \S+ENRICHMENT_PASS_LOCK"):
            account.run(EXPIRE)
            rescuing = pool.submit(claim, settings)
            account.wait_for_held()
            start_and_die(task, settings, "take_over", try_number=2)
        assert rescuing.result(PATIENCE_SECONDS) == []
    (row,) = tasks(account).values()
    assert row["CLAIM_TOKEN"] == f"{task.claim_token}:2"
    assert run_try(task, settings, try_number=3).error is None
    expected = [WRITTEN, ("TASK", "COMPLETED"), ("TRY", "COMPLETED")]
    matrix.check("taken over between look and rescue", "left alone", expected=expected, stored=written(account))


@pytest.mark.parametrize(
    ("place", "statement"), [("its first look", r"step: run\b"), ("its transaction", r"^\s*BEGIN")]
)
def test_a_slow_worker_that_was_rescued_meanwhile_writes_nothing(
    account: Account, settings: Settings, matrix: Matrix, place: str, statement: str
) -> None:
    a_due_run(account)
    (task,) = claim(settings, "delayed_enrichment/slow")
    with ThreadPoolExecutor(1) as pool, held(account, statement):
        slow = pool.submit(run_try, task, settings)
        account.wait_for_held()
        account.run(EXPIRE)
        (again,) = claim(settings)
        account.release()
        assert slow.result(PATIENCE_SECONDS).error == "CLAIM_LOST"
    assert [row["CLAIM_TOKEN"] for row in tasks(account).values()] == [again.claim_token]
    assert run_try(again, settings).error is None
    expected = [WRITTEN, ("TASK", "COMPLETED"), ("TRY", "LOST"), ("TRY", "COMPLETED")]
    matrix.check(f"slow worker, rescued before {place}", "its fence", expected=expected, stored=written(account))


def test_a_claim_that_died_after_its_commit_is_claimed_again_at_once(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    """The mapped tasks of both expansions run; those of the first have lost their claim."""
    a_due_run(account)
    (first,) = claim(settings)
    (second,) = claim(settings, is_retry=True)
    assert second.claim_token != first.claim_token
    assert run_try(first, settings).error == "CLAIM_LOST"
    assert run_try(second, settings).error is None
    assert [row["ATTEMPTS"] for row in tasks(account).values()] == [1]
    expected = [WRITTEN, ("TASK", "COMPLETED"), ("TRY", "COMPLETED")]
    matrix.check("claim died after COMMIT", "Airflow's retry", expected=expected, stored=written(account))


def test_a_claim_that_is_tried_again_leaves_alone_what_its_mapped_tasks_have_started(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    """A person cleared the claim while its mapped task was at work."""
    a_due_run(account)
    (task,) = claim(settings)
    with ThreadPoolExecutor(1) as pool:
        with held(account, r"step: read\b"):
            working = pool.submit(run_try, task, settings)
            account.wait_for_held()
            assert claim(settings, "delayed_enrichment/pass-1", is_retry=True) == []
        assert working.result(PATIENCE_SECONDS).error is None
    expected = [WRITTEN, ("TASK", "COMPLETED"), ("TRY", "COMPLETED")]
    matrix.check("claim cleared beside its tasks", "those go on", expected=expected, stored=written(account))


def test_the_first_try_of_a_claim_takes_nothing_from_a_dag_run_of_the_same_name_elsewhere(
    account: Account, settings: Settings
) -> None:
    a_due_run(account)
    (task,) = claim(settings)
    assert claim(settings) == []
    assert run_try(task, settings).error is None


def test_the_dag_says_which_try_of_the_claim_it_is(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags.delayed_enrichment import delayed_enrichment

    monkeypatch.setattr(enrichment_settings, "current", lambda: settings)
    dag = delayed_enrichment()
    claim_due_tasks: Any = dag.get_task("claim_due_tasks")
    a_due_run(account)

    def tokens(try_number: int) -> list[str]:
        ti = SimpleNamespace(try_number=try_number, xcom_push=lambda **_: None)
        claimed = claim_due_tasks.python_callable(dag_run=SimpleNamespace(run_id="scheduled"), dag=dag, ti=ti)
        return [task["claim_token"] for task in claimed]

    first, by_another_deployment, second = tokens(1), tokens(1), tokens(2)
    assert by_another_deployment == []
    assert len(first) == len(second) == 1
    assert first != second


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_worker_whose_clock_is_wrong_rescues_and_claims_what_is_due_by_snowflake_s(
    account: Account, settings: Settings, hours: int
) -> None:
    """A wrong clock makes the sensor start a pass too early or too late; the pass knows Snowflake's time only."""
    as_loaded = load(
        account,
        [
            stuck(LEFT_ALONE, "now+1m", JOB_ID="lives"),
            stuck(GIVEN_BACK, "now-1m", JOB_ID="lost"),
            stuck(LEFT_ALONE, None, JOB_ID="later", STATUS="PENDING", DUE_AT="now+1m"),
        ],
    )
    parameters = queue.sensor_parameters(settings)
    row = open_hook(CONN_ID, settings).get_first(render("queue/next_due.sql", settings), parameters=parameters)
    now = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=hours)
    assert bool(queue.QueueState(*row).due_work(now, timedelta(days=7))) is (hours > 0)
    claim(settings)
    found = {job: outcome(row, as_loaded[job, kind]) for (job, kind), row in tasks(account).items()}
    assert found == {"lives": LEFT_ALONE, "lost": GIVEN_BACK, "later": LEFT_ALONE}


def test_a_claim_outlives_the_pass_and_the_pass_its_tasks() -> None:
    """River's *Defaults*; what contradicts it is an import error of the DAG (``tests/dags/test_structure.py``)."""
    defaults = ParseSettings()
    assert defaults.task_timeout_minutes < defaults.pass_timeout_minutes < defaults.lease_minutes
