"""What a person does to a DAG run in the UI, by the calls that the UI makes; nothing here waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.airflow_home import DAG_ID
from local.deployment import Deployment

DAG = f"/api/v2/dags/{DAG_ID}"


def trigger_as(deployment: Deployment, dag_run_id: str) -> None:
    """Start a pass under an id of one's own."""
    deployment.client.request("POST", f"{DAG}/dagRuns", json={"dag_run_id": dag_run_id, "logical_date": None})


def clear_task(deployment: Deployment, dag_run_id: str, task: str | list[Any], *, downstream: bool = False) -> None:
    """Clear a task: its name, or name and map index."""
    body = {
        "dag_run_id": dag_run_id,
        "task_ids": [task],
        "include_downstream": downstream,
        "dry_run": False,
        "only_failed": False,
    }
    deployment.client.request("POST", f"{DAG}/clearTaskInstances", json=body)


def clear_dag_run(deployment: Deployment, dag_run_id: str) -> None:
    """Clear every task of a DAG run."""
    deployment.client.request(
        "POST", f"{DAG}/dagRuns/{dag_run_id}/clear", json={"dry_run": False, "only_failed": False}
    )


def mark_mapped(deployment: Deployment, dag_run_id: str, label: str, state: str) -> None:
    """Mark an enrichment success or failed."""
    index = mapped(deployment, dag_run_id, label)["map_index"]
    path = f"{DAG}/dagRuns/{dag_run_id}/taskInstances/enrich/{index}"
    deployment.client.request("PATCH", path, json={"new_state": state})


def mark_dag_run(deployment: Deployment, dag_run_id: str, state: str) -> None:
    """Mark a DAG run success or failed, which ends its running tasks, as its timeout does."""
    deployment.client.request("PATCH", f"{DAG}/dagRuns/{dag_run_id}", json={"state": state})


@contextmanager
def paused(deployment: Deployment) -> Iterator[None]:
    """The DAG switched off for a while."""
    deployment.client.pause(paused=True)
    try:
        yield
    finally:
        deployment.client.pause(paused=False)


@contextmanager
def variables(deployment: Deployment, values: dict[str, str]) -> Iterator[None]:
    """Airflow Variables for a while."""
    for key, value in values.items():
        deployment.client.request("POST", "/api/v2/variables", json={"key": key, "value": value})
    try:
        yield
    finally:
        for key in values:
            deployment.client.request("DELETE", f"/api/v2/variables/{key}", accept=(204,))


def dag_run(deployment: Deployment, dag_run_id: str) -> dict[str, Any]:
    """A pass, as the API describes it."""
    return dict(deployment.client.request("GET", f"{DAG}/dagRuns/{dag_run_id}"))


def mapped(deployment: Deployment, dag_run_id: str, label: str) -> dict[str, Any]:
    """The mapped task instance with this label, ``<run name> · <type>``."""
    return next(item for item in deployment.instances(dag_run_id, "enrich") if item["rendered_map_index"] == label)
