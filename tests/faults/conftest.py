"""The fault matrix, and one deployment for the faults that need a real scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from local.deployment import Deployment, deploy
from tests.faults.matrix import Matrix


@pytest.fixture
def matrix(record_property: Callable[[str, object], None]) -> Matrix:
    """Where the test enters its lines."""
    return Matrix(record_property)


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
