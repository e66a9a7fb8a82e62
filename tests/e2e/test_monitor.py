"""``enrichment_monitor`` and the deadline in a real scheduler: who is told of what, through a notifier of a setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.deployment import Deployment
from tests.e2e.conftest import ALERTS

MONITOR, HANGING = "enrichment_monitor", "a_pass_that_hangs"


def told(deployment: Deployment, key: str) -> list[str]:
    """What the deployment's notifier was told of an objective."""
    file = deployment.home.folder.parent / ALERTS
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.removeprefix(f"{key}: ") for line in lines if line.startswith(f"{key}: ")]


@pytest.fixture
def no_pass(deployment: Deployment) -> Iterator[None]:
    """What is due stays due."""
    deployment.client.pause(paused=True)
    deployment.wait_until_quiet()
    yield
    deployment.client.pause(paused=False)


def test_jobs_that_stay_due_are_told_of_once_and_once_more_when_a_pass_has_done_them(
    deployment: Deployment, no_pass: None, variable: Any
) -> None:
    """The passes are paused, as somebody may forget them: the runbook's first cause of jobs that stay due."""
    variable("FLAKEBENCH_ENRICHMENT_THRESHOLDS", '{"due_jobs": {"warning": 0}}')

    def look() -> None:
        dag_run_id, state = deployment.run_dag(MONITOR)
        assert state == "success", deployment.log(dag_run_id, "look", dag_id=MONITOR)

    deployment.requeue("standard-settled", "QUERY_HISTORY")
    look()
    (started,) = told(deployment, "due_jobs")
    assert started.startswith("FlakeBench enrichment WARNING started: Jobs that are due. Now 1 jobs (warning above 0)")
    assert started.endswith("What to do: docs/operate.md#due-jobs")
    look()
    assert told(deployment, "due_jobs") == [started]

    deployment.client.pause(paused=False)
    deployment.run_pass()
    assert deployment.task("standard-settled", "QUERY_HISTORY")["STATUS"] == "COMPLETED"
    look()
    look()
    first, ended = told(deployment, "due_jobs")
    assert first == started
    assert ended.startswith("FlakeBench enrichment WARNING ended: Jobs that are due. Now 0 jobs")


def test_a_pass_that_hangs_is_told_of_while_it_runs(deployment: Deployment) -> None:
    deployment.client.pause(paused=False, dag_id=HANGING)
    deployment.run_dag(HANGING)  # as usual
    dag_run_id = deployment.client.trigger(HANGING, {"hangs": True})
    try:
        deployment.wait(lambda: bool(told(deployment, "hanging_pass")), patience_seconds=60)
        (line,) = told(deployment, "hanging_pass")
        assert f"CRITICAL started: Pass {dag_run_id} takes too long" in line
        run = next(run for run in deployment.client.dag_runs(HANGING) if run["dag_run_id"] == dag_run_id)
        assert run["state"] == "running"
    finally:
        path = f"/api/v2/dags/{HANGING}/dagRuns/{dag_run_id}"
        deployment.client.request("PATCH", path, json={"state": "failed"})
