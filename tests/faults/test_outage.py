"""The scheduler, the embedded Snowflake and the tasks around the mapped ones are killed in the middle of a pass."""

from __future__ import annotations

from typing import Any

import pytest

from local.deployment import Deployment
from local.sample_account import Account
from tests.faults.matrix import Matrix
from tests.faults.processes import holding, kill_client, wait_for_held
from tests.faults.stored import check_whole, ended_runs

PATIENCE_SECONDS = 300.0
IN_TRANSACTION = {"match": r"step: write\n", "hold": "after", "times": 1}
AT_READ = {"match": r"step: reading\n", "hold": "before", "times": 2}


def started_pass(deployment: Deployment, seed: int, *faults: dict[str, Any]) -> tuple[Account, str]:
    """A pass over two runs, when the faults hold as many statements as they can."""
    account = ended_runs(deployment, seed, "hybrid-settled", "standard-settled")
    dag_run_id = deployment.client.trigger()
    wait_for_held(deployment, sum(fault["times"] for fault in faults))
    return account, dag_run_id


def finish(deployment: Deployment, dag_run_id: str) -> str:
    return deployment.client.wait_for_run(dag_run_id, deployment.supervisor, PATIENCE_SECONDS)


def finish_with_backoff(deployment: Deployment, dag_run_id: str) -> None:
    """Wait for a pass; what an outage has put off is due at once then, and the next pass does it."""
    if finish(deployment, dag_run_id) == "success":
        return
    put_off = deployment.rows("SELECT REASON_CODE FROM DELAYED_ENRICHMENT_TASKS WHERE STATUS = 'PENDING'")
    assert {row["REASON_CODE"] for row in put_off} <= {"NETWORK", "SESSION_EXPIRED"}, put_off
    deployment.rows("UPDATE DELAYED_ENRICHMENT_TASKS SET DUE_AT = SYSDATE() WHERE STATUS = 'PENDING'")
    assert finish(deployment, deployment.client.trigger()) == "success"


@pytest.mark.parametrize("with_tasks", [True, False], ids=["and its tasks", "alone"])
def test_a_killed_scheduler_loses_nothing(deployment: Deployment, matrix: Matrix, with_tasks: bool) -> None:
    faults = (IN_TRANSACTION, AT_READ)
    with holding(deployment, *faults):
        account, dag_run_id = started_pass(deployment, 200 + with_tasks, *faults)
        deployment.kill_scheduler(with_tasks=with_tasks)
    assert finish(deployment, dag_run_id) == "success", deployment.states(dag_run_id)
    fault = f"scheduler killed {'with its tasks' if with_tasks else 'alone'}"
    check_whole(matrix, fault, "the next scheduler", deployment, account)


def test_a_killed_snowflake_loses_nothing(deployment: Deployment, matrix: Matrix) -> None:
    faults = (IN_TRANSACTION, AT_READ)
    with holding(deployment, *faults):
        account, dag_run_id = started_pass(deployment, 210, *faults)
        deployment.restart_snowflake()
    finish_with_backoff(deployment, dag_run_id)
    check_whole(matrix, "Snowflake killed and restarted in the middle", "Airflow's retry", deployment, account)


KILLS = {
    "claim killed before its COMMIT": (r"UPDATE \S+ENRICHMENT_PASS_LOCK", "after"),
    "claim killed after its COMMIT": (r"FROM \S+DELAYED_ENRICHMENT_TASKS AS tasks.*tasks\.CLAIM_TOKEN = '", "before"),
    "roll-up killed before it": (r"UPDATE \S+DELAYED_ENRICHMENT_QUEUE\s+SET\s+STATUS = fresh\.STATUS", "before"),
    "killed between the roll-up and its events": (r"UPDATE \S+TEST_RESULTS\.TEST_RESULTS\s+SET", "after"),
    "killed before the events are recorded": (r"SET EVENT_EMITTED_AT = SYSDATE\(\)", "before"),
    "killed while the events are recorded": (r"SET EVENT_EMITTED_AT = SYSDATE\(\)", "after"),
}
"""The tasks around the mapped ones, in their order; each is tried three times."""


def test_the_tasks_around_the_mapped_ones_can_be_killed(deployment: Deployment, matrix: Matrix) -> None:
    faults = [{"match": match, "hold": hold, "times": 1} for match, hold in KILLS.values()]
    account = ended_runs(deployment, 220, "hybrid-settled", "standard-settled")
    with holding(deployment, *faults):
        dag_run_id = deployment.client.trigger()
        for _ in KILLS:
            (held,) = wait_for_held(deployment)
            kill_client(deployment, held)
        assert finish(deployment, dag_run_id) == "success", deployment.states(dag_run_id)
    for fault in KILLS:
        check_whole(matrix, fault, "Airflow's retry", deployment, account)
    events = deployment.client.request("GET", "/api/v2/assets/events", params={"limit": 500})["asset_events"]
    announced = [event["extra"]["run_id"] for event in events if event["source_run_id"] == dag_run_id]
    assert sorted(announced) == sorted(run.run_id for run in account.runs), "one event per settled job"
