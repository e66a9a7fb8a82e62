"""One deployment for all end-to-end tests: a real Airflow, and the sample account in the embedded Snowflake.

With ``--live`` the sample account is in a scratch database of the account that ``.env`` connects to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from dotenv import load_dotenv

from local.deployment import Deployment, deploy
from local.environment import PROJECT, connection_variable
from local.live import scratch_database

GROUPS = ("healthy", "broken")
_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
BUNDLES = [
    {"name": "dags-folder", "classpath": _BUNDLE, "kwargs": {}},
    {"name": "tests", "classpath": _BUNDLE, "kwargs": {"path": str(Path(__file__).parent / "dags")}},
]
"""The package's DAGs, and those of tests."""
ALERTS = "alerts"
"""File with a line per alert, below the folder of the deployment."""


EMBEDDED_ONLY = {"faults", "statements"}
"""Fixtures that ask the embedded Snowflake for what no account does."""

_NOT_ASKED = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--live``: what an account can be asked, and where it is.

    :raises pytest.UsageError: there is no connection
    """
    if not config.getoption("live"):
        return
    load_dotenv(PROJECT / ".env")
    if not os.environ.get(connection_variable()):
        raise pytest.UsageError(f"--live needs a connection: set {connection_variable()} in .env")
    left_out = [item for item in items if EMBEDDED_ONLY & set(getattr(item, "fixturenames", ()))]
    config.stash[_NOT_ASKED] = len(left_out)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With ``--live``: what differs. On the embedded Snowflake every one of these tests passes in each build."""
    if not config.getoption("live"):
        return
    differing = [*terminalreporter.stats.get("failed", []), *terminalreporter.stats.get("error", [])]
    terminalreporter.section("the account against the embedded Snowflake")
    terminalreporter.write_line(f"the same: {len(terminalreporter.stats.get('passed', []))} tests")
    terminalreporter.write_line(f"not asked, for it needs the embedded one: {config.stash.get(_NOT_ASKED, 0)} tests")
    terminalreporter.write_line(f"different: {len(differing)} tests")
    by_reason: dict[str, list[str]] = {}
    for report in differing:
        crash = getattr(report.longrepr, "reprcrash", None)
        by_reason.setdefault(crash.message if crash else report.longreprtext, []).append(report.nodeid)
    for reason, tests in by_reason.items():
        terminalreporter.write_line("\n".join(["", *tests, f"    {reason}"]))


@pytest.fixture(scope="package")  # it ends before the other tiers begin
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The sample account, broken runs included, enriched by one pass of a real scheduler."""
    folder = tmp_path_factory.mktemp("deployment")
    kwargs = {"path": str(folder / ALERTS), "line": "{{ alert.objective.key }}: {{ alert.text }}"}
    environment = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
        "FLAKEBENCH_ENRICHMENT_NOTIFIERS": json.dumps(
            [{"notifier": "tests.e2e.file_notifier.FileNotifier", "kwargs": kwargs}]
        ),
    }
    with (
        scratch_database() if request.config.getoption("live") else nullcontext() as scratch,
        deploy(folder, GROUPS, scratch, **environment) as running,
    ):
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
def statements(deployment: Deployment) -> Any:
    """``statements()()``: what Snowflake was sent between the first call and the second."""

    def start() -> Any:
        last = deployment.server("GET", "/statements")["last"]
        return lambda: deployment.server("GET", "/statements", params={"since": last})["statements"]

    return start


@pytest.fixture
def faults(deployment: Deployment) -> Any:
    """Makes statements fail for one test."""
    yield lambda *faults: deployment.server("PUT", "/faults", json=list(faults))
    deployment.server("DELETE", "/faults")
