"""One deployment for all end-to-end tests: the embedded Snowflake with the sample account, and a real Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment, deploy

GROUPS = ("healthy", "broken")
_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
BUNDLES = [
    {"name": "dags-folder", "classpath": _BUNDLE, "kwargs": {}},
    {"name": "tests", "classpath": _BUNDLE, "kwargs": {"path": str(Path(__file__).parent / "dags")}},
]
"""The package's DAGs, and those of tests."""
ALERTS = "alerts"
"""File with a line per alert, below the folder of the deployment."""


@pytest.fixture(scope="package")  # it ends before the other tiers begin
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The sample account, broken runs included, enriched by one pass of a real scheduler."""
    folder = tmp_path_factory.mktemp("deployment")
    kwargs = {"path": str(folder / ALERTS), "line": "{{ alert.objective.key }}: {{ alert.text }}"}
    environment = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
        "FLAKEBENCH_ENRICHMENT_NOTIFIERS": json.dumps(
            [{"notifier": "tests.e2e.file_notifier.FileNotifier", "kwargs": kwargs}]
        ),
    }
    with deploy(folder, GROUPS, **environment) as running:
        running.run_pass()
        running.wait_until_quiet()
        # the schedule may have been faster than the trigger
        running.first_pass = next(
            run["dag_run_id"]
            for run in running.client.dag_runs()
            if any(item["map_index"] >= 0 for item in running.instances(run["dag_run_id"], "enrich"))
        )
        yield running


@pytest.fixture
def variable(deployment: Deployment) -> Any:
    """Sets an Airflow Variable for one test."""
    names: set[str] = set()

    def put(name: str, value: str) -> None:
        method, path = ("PATCH", f"/api/v2/variables/{name}") if name in names else ("POST", "/api/v2/variables")
        names.add(name)
        deployment.client.request(method, path, json={"key": name, "value": value})

    yield put
    for name in names:
        deployment.client.request("DELETE", f"/api/v2/variables/{name}", accept=(204,))


@pytest.fixture
def faults(deployment: Deployment) -> Any:
    """Makes statements fail for one test."""
    yield lambda *faults: deployment.server("PUT", "/faults", json=list(faults))
    deployment.server("DELETE", "/faults")
