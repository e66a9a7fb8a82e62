"""In a real scheduler: a task process inherits the Snowflake connector, a process that only parses DAGs does not."""

from __future__ import annotations

from local.deployment import Deployment

PROBE = "what_is_imported"


def test_a_task_process_has_the_connector_when_it_starts(deployment: Deployment) -> None:
    deployment.client.pause(paused=False, dag_id=PROBE)
    dag_run_id, state = deployment.run_dag(PROBE)
    assert state == "success"
    assert deployment.answer(PROBE, dag_run_id, "is_inherited") is True


def test_the_dag_processor_does_not_pay_for_it(deployment: Deployment) -> None:
    assert deployment.client.request("GET", f"/api/v2/dags/{PROBE}")["description"] == "inherited: False"
