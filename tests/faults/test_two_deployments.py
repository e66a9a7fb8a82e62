"""Two deployments, each an Airflow with a metadata database of its own, work one queue."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from include.enrichment.queue import QueueState, claim_due_tasks, claim_parameters, sensor_parameters
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from local.deployment import Deployment, second_airflow
from local.sample_account import Account as SampleAccount
from local.sample_account import SampleRun
from tests.faults.conftest import ON_REQUEST, wait_for_first_pass
from tests.faults.matrix import Matrix
from tests.faults.person import clear_task, mapped, trigger_as, variables
from tests.faults.processes import holding, release, wait_for_held
from tests.faults.statements import TAKE_PASS_LOCK, hold, of_task, with_parts
from tests.faults.stored import check_whole, ended_runs, truth_of
from tests.sql.account import CONN_ID, Account
from tests.sql.cases import Moment, load_tables

DUE_TASKS = int(os.environ.get("FAULT_TASKS", "40"))
"""At least so many; ``make soak`` asks for hundreds."""

KINDS = ("standard-single-minute", "unistore-settled", "standard-settled", "interactive-settled")

DRAIN_SECONDS = 240 + 5 * DUE_TASKS
BATCH_SIZE = 20
SAME_DAG_RUN_ID = "manual__same_in_both"
TAG_OF_SECOND = "flakebench_enrichment_of_the_second_deployment"
TAGS = (Settings().query_tag, TAG_OF_SECOND)
PATIENT = {
    # the embedded Snowflake has one lock for all tables: the mirror waits for writers that it would not meet
    "FLAKEBENCH_ENRICHMENT_MIRROR_LOCK_TIMEOUT_SECONDS": "60",
    # a held statement counts towards it
    "FLAKEBENCH_ENRICHMENT_STATEMENT_TIMEOUT_SECONDS": "300",
    "FLAKEBENCH_ENRICHMENT_BATCH_SIZE": str(BATCH_SIZE),
}


@pytest.fixture(scope="module")
def both(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Deployment]]:
    """The deployment of the package, and another one on its queue."""
    with (
        second_airflow(
            deployment,
            tmp_path_factory.mktemp("second"),
            FLAKEBENCH_ENRICHMENT_QUERY_TAG=TAG_OF_SECOND,
            **ON_REQUEST,
            **PATIENT,
        ) as second,
        variables(deployment, PATIENT),
    ):
        wait_for_first_pass(second)
        yield deployment, second


def due_runs(deployment: Deployment, tasks: int) -> list[SampleAccount]:
    """Let runs end until they have so many due tasks together."""
    accounts: list[SampleAccount] = []
    due = 0
    for seed in count(4_000):
        kinds = [KINDS[(seed + n) % len(KINDS)] for n in range(len(KINDS))]
        accounts.append(ended_runs(deployment, seed, *kinds))
        due += sum(3 if name != "interactive-settled" else 2 for name in kinds)
        if due >= tasks:
            break
    return accounts


def attempts_of(deployment: Deployment, accounts: list[SampleAccount]) -> list[dict[str, Any]]:
    return deployment.rows(
        "SELECT RUN_ID, ENRICHMENT_TYPE, OUTCOME, CLAIM_TOKEN, CLAIMED_BY FROM DELAYED_ENRICHMENT_ATTEMPTS "
        "WHERE RUN_ID IN (%(ids)s) ORDER BY CREATED_AT",
        ids=[run.run_id for account in accounts for run in account.runs],
    )


def writers(deployment: Deployment, since: int) -> dict[str, str]:
    """Token of each try that wrote, to the query tag of the deployment that did."""
    statements = deployment.server("GET", "/statements", params={"since": since})["statements"]
    return {
        text.rpartition("CLAIM_TOKEN = '")[2].partition("'")[0]: item["query_tag"]
        for item in statements
        if "-- step: finish" in (text := item["text"]) and item["error"] is None
    }


def events_of(deployments: tuple[Deployment, ...], run_ids: set[str]) -> Counter[str]:
    """How often each run was announced."""
    found: Counter[str] = Counter()
    for deployment in deployments:
        for offset in count(0, 100):
            page = {"limit": 100, "offset": offset}
            events = deployment.client.request("GET", "/api/v2/assets/events", params=page)["asset_events"]
            found.update(event["extra"]["run_id"] for event in events if event["extra"]["run_id"] in run_ids)
            if len(events) < 100:
                break
    return found


def test_each_task_is_written_by_one_of_two_deployments(both: tuple[Deployment, Deployment], matrix: Matrix) -> None:
    first, _ = both
    accounts = due_runs(first, DUE_TASKS)
    since = first.server("GET", "/statements")["last"]
    with holding(first, hold(TAKE_PASS_LOCK, times=2)):
        for deployment in both:
            trigger_as(deployment, SAME_DAG_RUN_ID)
        held = wait_for_held(first, 2)
        assert {item["query_tag"] for item in held} == set(TAGS)
    for deployment in both:
        deployment.wait_until_quiet(DRAIN_SECONDS)

    run_ids = {run.run_id for account in accounts for run in account.runs}
    expected = [
        (run.run_id, name)
        for account in accounts
        for run in account.runs
        for name, task in truth_of(first, account, run).tasks.items()
        if task.status == "COMPLETED"
    ]
    assert len(expected) >= DUE_TASKS
    # on a busy machine a try may lose its lock and be tried again: what counts is who wrote, and how often
    attempts = [row for row in attempts_of(first, accounts) if row["OUTCOME"] == "COMPLETED"]
    assert Counter((row["RUN_ID"], row["ENRICHMENT_TYPE"]) for row in attempts) == Counter(expected)
    written_by = writers(first, since)
    shares = Counter(written_by[row["CLAIM_TOKEN"]] for row in attempts)
    assert set(shares) == set(TAGS)
    # of both first passes people see the same name; nothing but people reads it
    assert f"delayed_enrichment/{SAME_DAG_RUN_ID}" in {row["CLAIMED_BY"] for row in attempts}
    announced = events_of(both, run_ids)
    assert set(announced) == run_ids
    assert max(announced.values()) <= len(both)
    check_whole(
        matrix,
        f"two deployments discover and claim {len(expected)} tasks at once",
        f"the pass lock: {' and '.join(str(share) for share in sorted(shares.values()))} written, "
        f"{announced.total()} events for {len(run_ids)} jobs",
        first,
        *accounts,
    )


def expire(deployment: Deployment, run: SampleRun, enrichment_type: str, seconds: float = 0) -> None:
    """Let the lease of a task end."""
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET LEASE_EXPIRES_AT = DATEADD('millisecond', %(ms)s, SYSDATE()) "
        "WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(name)s AND STATUS = 'IN_PROGRESS'",
        run_id=run.run_id,
        name=enrichment_type,
        ms=round(seconds * 1000),
    )


def held_at(deployment: Deployment, pattern: str) -> dict[str, Any]:
    """Wait until a statement is held that matches."""
    found: list[dict[str, Any]] = []

    def is_held() -> bool:
        held = deployment.server("GET", "/held")
        found[:] = [item for item in held if re.search(pattern, item["text"], re.DOTALL)]
        return bool(found)

    deployment.wait(is_held)
    return found[0]


def wait_for_try(deployment: Deployment, dag_run_id: str, label: str, try_number: int, state: str) -> str:
    """Wait for the end of a try of a mapped task; returns its log."""

    def has_ended() -> bool:
        item = mapped(deployment, dag_run_id, label)
        return (item["try_number"], item["state"]) == (try_number, state)

    deployment.wait(has_ended)
    return deployment.log(dag_run_id, "enrich", mapped(deployment, dag_run_id, label)["map_index"], try_number)


def test_a_slow_worker_whose_lease_was_taken_over_writes_nothing(
    both: tuple[Deployment, Deployment], matrix: Matrix
) -> None:
    slow, fast = both
    account = ended_runs(slow, 5_000, "standard-settled", "interactive-settled")
    standard, interactive = account.run("standard-settled"), account.run("interactive-settled")
    before = of_task("take_over", standard, "QUERY_HISTORY")
    unstarted = of_task("take_over", interactive, "QUERY_HISTORY")
    reading = with_parts(r"step: read\b", "AGGREGATE_QUERY_HISTORY", standard.children[0].test_id)
    writing = with_parts(r"step: write\b", "INSERT INTO [^;]*QUERY_INSIGHTS_CACHE", standard.run_id)
    judging = with_parts("step: reading", "AGGREGATE_QUERY_METRICS", interactive.run_id)
    finishing = of_task("finish", interactive, "AGGREGATE")

    with holding(slow, *map(hold, (before, unstarted, reading, writing, judging))):
        trigger_as(slow, "manual__slow")
        wait_for_held(slow, 5)
        for name in ("QUERY_HISTORY", "AGGREGATE", "QUERY_INSIGHTS"):
            expire(slow, standard, name)
        for name in ("QUERY_HISTORY", "AGGREGATE"):
            expire(slow, interactive, name)

        # one of them is about to end: it holds the lock that the other deployment's rescue waits for
        slow.server("PUT", "/faults", json=[hold(finishing), hold(TAKE_PASS_LOCK), hold(before, "after")])
        release(slow, held_at(slow, judging))
        held_at(slow, finishing)
        trigger_as(fast, "manual__fast")
        release(slow, held_at(slow, TAKE_PASS_LOCK))
        release(slow, held_at(slow, finishing))

        # the other deployment has taken a task over, but not written it: neither the late try nor a cleared one may
        started = [held for held in slow.server("GET", "/held") if re.search(before, held["text"], re.DOTALL)]
        slow.wait(lambda: len(slow.server("GET", "/held")) == 5)
        release(slow, started[0])
        label = "standard-settled · QUERY_HISTORY"
        for try_number in (1, 2):
            log = wait_for_try(slow, "manual__slow", label, try_number, "skipped")
            assert "another DAG run, delayed_enrichment/manual__fast, holds it until" in log
            if try_number == 1:
                clear_task(slow, "manual__slow", ["enrich", mapped(slow, "manual__slow", label)["map_index"]])
        release(slow, held_at(slow, before))
        assert fast.client.wait_for_run("manual__fast", fast.supervisor) == "success"

        for pattern in (reading, writing, unstarted):
            release(slow, held_at(slow, pattern))
        assert slow.client.wait_for_run("manual__slow", slow.supervisor) == "success"
    for name in ("AGGREGATE", "QUERY_INSIGHTS"):
        log = wait_for_try(slow, "manual__slow", f"standard-settled · {name}", 1, "skipped")
        assert "its lease expired meanwhile; nothing was written" in log
        assert "it is COMPLETED, last claimed by delayed_enrichment/manual__fast" in log

    by_slow, by_fast = ("delayed_enrichment/manual__slow", "delayed_enrichment/manual__fast")
    history: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in attempts_of(slow, [account]):
        key = (account_name(account, row["RUN_ID"]), row["ENRICHMENT_TYPE"])
        history.setdefault(key, []).append((row["OUTCOME"], row["CLAIMED_BY"]))
    assert history == {
        ("standard-settled", "QUERY_HISTORY"): [("COMPLETED", by_fast)],
        ("standard-settled", "AGGREGATE"): [("LOST", by_slow), ("COMPLETED", by_fast)],
        ("standard-settled", "QUERY_INSIGHTS"): [("LOST", by_slow), ("COMPLETED", by_fast)],
        ("interactive-settled", "QUERY_HISTORY"): [("COMPLETED", by_fast), ("COMPLETED", by_slow)],
        ("interactive-settled", "AGGREGATE"): [("COMPLETED", by_slow)],
    }
    for fault, recovered in (
        ("taken over before the slow worker's take-over", "skipped, names the DAG run that holds it"),
        ("cleared while another deployment's claim runs it", "skipped, names the DAG run that holds it"),
        ("taken over while the slow worker reads", "0 rows at the fence, rolled back, skipped"),
        ("taken over before the slow worker's first write", "0 rows at the fence, rolled back, skipped"),
        ("lease ends in the last statement of the try", "the rescue waits for it, then leaves it alone"),
        ("written by another before the slow worker's take-over", "written again, replacing the same rows"),
    ):
        check_whole(matrix, fault, recovered, slow, account)


def account_name(account: SampleAccount, run_id: str) -> str:
    return next(run.name for run in account.runs if run.run_id == run_id)


@pytest.mark.parametrize("hours", [-1, 1], ids=["an hour behind", "an hour ahead"])
def test_a_worker_whose_clock_is_off_wakes_early_or_late_and_claims_what_is_due_by_snowflakes_clock(
    account: Account, settings: Settings, hours: int
) -> None:
    moment = Moment.current()
    tasks = [
        {"JOB_ID": "due", "DUE_AT": "-30m"},
        {"JOB_ID": "not-due", "DUE_AT": "+30m"},
        {"JOB_ID": "held", "STATUS": "IN_PROGRESS", "CLAIM_TOKEN": "other", "LEASE_EXPIRES_AT": "+30m"},
        {"JOB_ID": "lost", "STATUS": "IN_PROGRESS", "CLAIM_TOKEN": "other", "LEASE_EXPIRES_AT": "-30m"},
    ]
    load_tables(account, {"DELAYED_ENRICHMENT_TASKS": moment.resolve(tasks)}, moment)
    hook = open_hook(CONN_ID, settings)
    row = hook.get_first(render("queue/next_due.sql", settings), parameters=sensor_parameters(settings))
    state = QueueState(row[0], row[1], None, 0)
    workers_now = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=hours)
    assert bool(state.due_work(workers_now, timedelta(days=7))) is (hours > 0)

    parameters = claim_parameters(settings, claim_token="t", claimed_by="d/r", lease_minutes=90)
    assert not [name for name, value in parameters.items() if isinstance(value, datetime)]
    claimed = claim_due_tasks(hook, settings, claimed_by="pass", lease_minutes=90).tasks
    assert {task["job_id"] for task in claimed} == {"due", "lost"}
