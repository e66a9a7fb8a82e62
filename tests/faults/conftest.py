"""The fault matrix of the session, and its report."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Matrix

_MATRIX = pytest.StashKey[Matrix]()


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Matrix:
    """Where each test enters its line."""
    return pytestconfig.stash.setdefault(_MATRIX, Matrix())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    matrix = config.stash.get(_MATRIX, None)
    if matrix is not None and matrix.lines:
        terminalreporter.section("fault matrix")
        for line in matrix.report():
            terminalreporter.write_line(line)
