"""What every tier shares: tiers as markers, an Airflow home of the test session, and the embedded Snowflake.

``embedded_snowflake`` is one real server process per session, reached through the unmodified ``SnowflakeHook`` and
connector; ``account`` hands a test its emptied tables. Nothing here starts before a test asks for it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.faults import matrix

if TYPE_CHECKING:
    from include.enrichment.settings import Settings
    from local.connection import LocalConnection
    from tests.sql.account import Account

REPOSITORY = Path(__file__).parents[1]
TIERS = {
    "enrichment": "unit",
    "plugins": "unit",
    "local": "unit",
    "sql_gate": "unit",
    "sql": "sql",
    "dags": "dag",
    "repository": "unit",
    "docs": "unit",
    "benchmarks": "unit",
    "e2e": "e2e",
    "faults": "faults",
    "browser": "browser",
}
"""Folder below ``tests`` to the marker of its tests, unless a test has the marker of a tier of its own."""

_CREATED_HOME = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--live", action="store_true", help="end-to-end tests in a scratch database of the account in .env"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Airflow reads its home when it is imported, so it is set before any test module is; each worker has its own."""
    if "AIRFLOW_HOME" not in os.environ or hasattr(config, "workerinput"):
        config.stash[_CREATED_HOME] = tempfile.mkdtemp(prefix="airflow_home_")
        os.environ["AIRFLOW_HOME"] = config.stash[_CREATED_HOME]
        os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _CREATED_HOME in config.stash:
        os.environ.pop("AIRFLOW_HOME", None)
        shutil.rmtree(config.stash[_CREATED_HOME], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tiers, tests = set(TIERS.values()), REPOSITORY / "tests"
    for item in items:
        folder = item.path.relative_to(tests).parts[0] if item.path.is_relative_to(tests) else ""
        if folder in TIERS and not any(mark.name in tiers for mark in item.iter_markers()):
            is_live = folder == "e2e" and config.getoption("live")
            item.add_marker("live" if is_live else TIERS[folder])


class ByFolder(LoadScopeScheduling):
    """A folder is run by one worker: its tests share a deployment."""

    def _split_scope(self, nodeid: str) -> str:
        return "/".join(nodeid.split("/")[:2])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder | None:
    return ByFolder(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI nothing may be skipped: a tier that does not run protects nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI") == "true" and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"CI accepts no skipped test: {len(skipped)} were", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := matrix.lines_of(terminalreporter):
        terminalreporter.section("fault matrix")
        for line in matrix.table(lines):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def embedded_snowflake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalConnection]:
    """A server with an empty account, the migrations applied; stopped by its process id at the end."""
    from include.enrichment.migrations import migrate
    from include.enrichment.settings import Settings
    from local.connection import LocalConnection

    directory = tmp_path_factory.mktemp("embedded_snowflake")
    file = directory / "connection.json"
    log = (directory / "server.log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "local.server", "--port", "0", "--state", str(directory / "snowflake")],
        cwd=REPOSITORY,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 60
        while not file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                pytest.fail(f"The embedded Snowflake did not start:\n{log.read()}")
            time.sleep(0.02)  # polls for the file that the server writes when it is ready
        connection = LocalConnection.read(file)
        with pytest.MonkeyPatch.context() as patch:
            _point_airflow_at(connection, patch)
            from include.enrichment.snowflake import open_hook

            settings = Settings()
            migrate(open_hook("snowflake_default", settings), settings)
        yield connection
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


def _point_airflow_at(connection: LocalConnection, patch: pytest.MonkeyPatch) -> None:
    for name, value in connection.environment().items():
        patch.setenv(name, value)


@pytest.fixture
def settings() -> Settings:
    """The defaults, whatever the machine's environment says."""
    from include.enrichment.settings import PREFIX, Settings

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(name)
        return Settings()


@pytest.fixture(scope="session")
def _session_account(embedded_snowflake: LocalConnection) -> Iterator[Account]:
    from tests.sql.account import Account

    with pytest.MonkeyPatch.context() as patch:
        _point_airflow_at(embedded_snowflake, patch)
        account = Account.connect(embedded_snowflake)
    yield account
    account.close()


@pytest.fixture
def account(embedded_snowflake: LocalConnection, _session_account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account of this test: every table empty, ``snowflake_default`` pointing at it."""
    _point_airflow_at(embedded_snowflake, monkeypatch)
    _session_account.empty()
    return _session_account
