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


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An account without runs, and an Airflow that starts a pass when a test asks for one, not by its schedule."""
    with deploy(
        tmp_path_factory.mktemp("deployment"),
        FLAKEBENCH_ENRICHMENT_SCHEDULE_MINUTES="59",
        FLAKEBENCH_ENRICHMENT_RETRY_DELAY_SECONDS="1",
    ) as running:
        running.wait_until_quiet()
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    matrix = config.stash.get(_MATRIX, None)
    if matrix is not None and matrix.lines:
        terminalreporter.section("fault matrix")
        for line in matrix.report():
            terminalreporter.write_line(line)
