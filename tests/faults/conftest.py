"""The fault matrix of the session with its report, and one deployment for the faults that need a real scheduler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.deployment import Deployment, deploy
from tests.faults.matrix import Matrix

_MATRIX = pytest.StashKey[Matrix]()


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Matrix:
    """Where each test enters its line."""
    return pytestconfig.stash.setdefault(_MATRIX, Matrix())


ON_REQUEST = {
    "FLAKEBENCH_ENRICHMENT_SCHEDULE_MINUTES": "1440",
    "FLAKEBENCH_ENRICHMENT_RETRY_DELAY_SECONDS": "1",
}
"""Environment of an Airflow that starts a pass when a test asks for one, and by its schedule once a day."""


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An account without runs, and an Airflow that starts a pass when a test asks for one."""
    with deploy(tmp_path_factory.mktemp("deployment"), **ON_REQUEST) as running:
        wait_for_first_pass(running)
        yield running


def wait_for_first_pass(deployment: Deployment) -> None:
    """Wait for the end of the pass that the schedule starts at once; it would claim what a test means for its own."""
    deployment.wait(lambda: any(run["run_type"] == "scheduled" for run in deployment.client.dag_runs()))
    deployment.wait_until_quiet()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    matrix = config.stash.get(_MATRIX, None)
    if matrix is not None and matrix.lines:
        terminalreporter.section("fault matrix")
        for line in matrix.report():
            terminalreporter.write_line(line)
