"""What people do in the UI while passes run: clear, trigger, pause, mark, delete. No number may change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import timezone
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction

from local.deployment import Deployment
from local.environment import PROJECT
from local.sample_account import Account, SampleRun, build_account
from tests.faults.matrix import Matrix
from tests.faults.person import (
    DAG,
    clear_dag_run,
    clear_task,
    dag_run,
    mapped,
    mark_dag_run,
    mark_mapped,
    paused,
)
from tests.faults.processes import client_of, holding, release, wait_for_held
from tests.faults.statements import hold, of_task
from tests.faults.stored import check_whole, ended_runs

STANDARD, HYBRID = "standard-settled", "unistore-settled"


@dataclass(frozen=True)
class Pass:
    """A pass that has ended, and the runs that it has enriched."""

    dag_run_id: str
    account: Account


@pytest.fixture(scope="module")
def old(deployment: Deployment) -> Pass:
    account = ended_runs(deployment, 7_000, STANDARD)
    dag_run_id, state = deployment.run_pass()
    assert state == "success"
    return Pass(dag_run_id, account)


@pytest.fixture(autouse=True)
def _quiet(deployment: Deployment) -> Iterator[None]:
    deployment.wait_until_quiet()
    yield
    deployment.wait_until_quiet()


def while_it_runs(run: SampleRun, enrichment_type: str) -> dict[str, Any]:
    """The fault that holds a try when it has taken its task over."""
    return hold(of_task("take_over", run, enrichment_type), "after")


def requeue(deployment: Deployment, run: SampleRun, enrichment_type: str) -> None:
    """Make a task due again, as a retry would."""
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET STATUS = 'PENDING', ATTEMPTS = 0, CLAIM_TOKEN = NULL, "
        "COMPLETED_AT = NULL, EVENT_EMITTED_AT = NULL WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(name)s",
        run_id=run.run_id,
        name=enrichment_type,
    )


def expire_leases(deployment: Deployment, account: Account) -> list[str]:
    """Let the leases of an account's tasks end; returns the types that were held."""
    ids = [run.run_id for run in account.runs]
    held = deployment.rows(
        "SELECT ENRICHMENT_TYPE FROM DELAYED_ENRICHMENT_TASKS WHERE RUN_ID IN (%(ids)s) AND STATUS = 'IN_PROGRESS'",
        ids=ids,
    )
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET LEASE_EXPIRES_AT = SYSDATE() "
        "WHERE RUN_ID IN (%(ids)s) AND STATUS = 'IN_PROGRESS'",
        ids=ids,
    )
    return sorted(row["ENRICHMENT_TYPE"] for row in held)


def announcements(deployment: Deployment) -> int:
    """Number of events emitted so far."""
    return int(deployment.client.request("GET", "/api/v2/assets/events", params={"limit": 1})["total_entries"])


def test_what_is_cleared_or_triggered_while_a_pass_runs_waits_its_turn(
    deployment: Deployment, old: Pass, matrix: Matrix
) -> None:
    sample = old.account.run(STANDARD)
    label = f"{STANDARD} · AGGREGATE"
    item = mapped(deployment, old.dag_run_id, label)
    requeue(deployment, sample, "AGGREGATE")
    with holding(deployment, while_it_runs(sample, "AGGREGATE")):
        newer = deployment.client.trigger()
        (held,) = wait_for_held(deployment)
        clear_task(deployment, old.dag_run_id, ["enrich", item["map_index"]], downstream=True)
        by_hand = deployment.client.trigger()
        release(deployment, held)
        deployment.wait_until_quiet()
    runs = [dag_run(deployment, dag_run_id) for dag_run_id in (newer, old.dag_run_id, by_hand)]
    assert [run["state"] for run in runs] == ["success"] * 3
    assert all(run["start_date"] > runs[0]["end_date"] for run in runs[1:])
    again = mapped(deployment, old.dag_run_id, label)
    assert (again["state"], again["try_number"]) == ("success", item["try_number"] + 1)
    assert set().union(*deployment.states(by_hand).values()) == {"skipped"}
    waits = "max_active_runs: it waits, then repeats the task"
    check_whole(matrix, "mapped task cleared while a newer pass runs it", waits, deployment, old.account)
    waits = "max_active_runs: it waits, then finds nothing due"
    check_whole(matrix, "triggered by hand in the middle of a pass", waits, deployment, old.account)


def test_clearing_only_the_roll_up_or_only_the_record_of_events_repeats_no_event(
    deployment: Deployment, old: Pass, matrix: Matrix
) -> None:
    before = announcements(deployment)
    for task in ("record_events", "roll_up_jobs"):
        clear_task(deployment, old.dag_run_id, task)
        assert deployment.client.wait_for_run(old.dag_run_id, deployment.supervisor) == "success"
        assert announcements(deployment) == before
        check_whole(matrix, f"{task} cleared", "nothing is stale or unannounced", deployment, old.account)


def test_a_whole_old_dag_run_that_is_cleared_when_nothing_is_due_rolls_up_and_announces_nothing(
    deployment: Deployment, old: Pass, matrix: Matrix
) -> None:
    before = announcements(deployment)
    clear_dag_run(deployment, old.dag_run_id)
    assert deployment.client.wait_for_run(old.dag_run_id, deployment.supervisor) == "success"
    # the XCom of a claim that is skipped stays, so the roll-up does not know that the tick was idle
    states = deployment.states(old.dag_run_id)
    assert {task for task, found in states.items() if found != {"skipped"}} <= {"roll_up_jobs"}
    assert announcements(deployment) == before
    check_whole(matrix, "whole old DAG run cleared", "nothing is due: skipped", deployment, old.account)


def test_a_whole_old_dag_run_that_is_cleared_is_a_pass_like_any_other_and_one_pass_catches_up_after_a_pause(
    deployment: Deployment, old: Pass, matrix: Matrix
) -> None:
    known = {run["dag_run_id"] for run in deployment.client.dag_runs()}
    with paused(deployment):
        during = build_account(datetime.now(UTC) - timedelta(hours=20), seed=7_100, include=[HYBRID, STANDARD])
        deployment.write(during)
        clear_dag_run(deployment, old.dag_run_id)
    assert deployment.client.wait_for_run(old.dag_run_id, deployment.supervisor) == "success"
    deployment.wait_until_quiet()
    assert {run["dag_run_id"] for run in deployment.client.dag_runs()} == known
    recovered = "one pass, a cleared DAG run, catches up"
    check_whole(matrix, "paused for a day, then resumed", recovered, deployment, old.account, during)


def test_after_a_day_of_pause_the_schedule_starts_one_pass_not_one_per_five_minutes() -> None:
    bag = DagBag(str(PROJECT / "dags" / "delayed_enrichment.py"))
    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["delayed_enrichment"]))
    now = timezone.utcnow()
    last, started = DataInterval.exact(now - timedelta(days=1)), 0
    while started <= 288:
        info = dag.timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=TimeRestriction(dag.start_date, None, dag.catchup)
        )
        if info is None or info.run_after > timezone.utcnow():
            break
        last, started = info.data_interval, started + 1
    assert started == 1


def test_what_a_person_ends_while_it_runs_is_tried_again_when_its_lease_ends(
    deployment: Deployment, matrix: Matrix
) -> None:
    account = ended_runs(deployment, 7_200, STANDARD, HYBRID)
    standard, hybrid = account.run(STANDARD), account.run(HYBRID)
    held_types = ("QUERY_HISTORY", "QUERY_INSIGHTS", "AGGREGATE")
    with holding(
        deployment,
        *(while_it_runs(standard, name) for name in held_types),
        while_it_runs(hybrid, "QUERY_HISTORY"),
    ):
        dag_run_id = deployment.client.trigger()
        held = wait_for_held(deployment, 4)
        cleared = f"{STANDARD} · QUERY_HISTORY"
        clear_task(deployment, dag_run_id, ["enrich", mapped(deployment, dag_run_id, cleared)["map_index"]])
        mark_mapped(deployment, dag_run_id, f"{STANDARD} · QUERY_INSIGHTS", "failed")
        mark_mapped(deployment, dag_run_id, f"{STANDARD} · AGGREGATE", "success")
        others = (cleared, f"{HYBRID} · AGGREGATE", f"{HYBRID} · LOCK_CONTENTION")
        deployment.wait(lambda: all(mapped(deployment, dag_run_id, label)["state"] == "success" for label in others))
        assert mapped(deployment, dag_run_id, cleared)["try_number"] == 2
        mark_dag_run(deployment, dag_run_id, "failed")
        wait_for_end(deployment, held)
    assert expire_leases(deployment, account) == ["AGGREGATE", "QUERY_HISTORY", "QUERY_INSIGHTS"]

    with holding(deployment, while_it_runs(hybrid, "QUERY_HISTORY")):
        deleted = deployment.client.trigger()
        held = wait_for_held(deployment)
        deployment.client.request("DELETE", f"{DAG}/dagRuns/{deleted}", accept=(409,))
        mark_dag_run(deployment, deleted, "failed")
        deployment.client.request("DELETE", f"{DAG}/dagRuns/{deleted}", accept=(204,))
        wait_for_end(deployment, held)
    expire_leases(deployment, account)
    assert deployment.run_pass()[1] == "success"
    for fault, recovered in (
        ("mapped task cleared while it runs", "ended; its next try takes over"),
        ("mapped task marked failed while it runs", "ended; rescued when its lease ends"),
        ("mapped task marked success while it runs", "ended; rescued when its lease ends"),
        ("DAG run ended while a mapped task runs", "ended; rescued when its lease ends"),
        ("DAG run deleted while a mapped task runs", "ended; rescued when its lease ends"),
    ):
        check_whole(matrix, fault, recovered, deployment, account)


def wait_for_end(deployment: Deployment, held: list[dict[str, Any]]) -> None:
    """Wait until Airflow has ended the processes behind held statements."""

    def has_ended(item: dict[str, Any]) -> bool:
        try:
            client_of(deployment, item)
        except LookupError:
            return True
        return False

    deployment.wait(lambda: all(map(has_ended, held)))
