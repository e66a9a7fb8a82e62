"""A real server process per test session, on a free port, reached by the unmodified connector."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from local.connection import LocalConnection

REPOSITORY = Path(__file__).parents[2]
IDLE_LIMIT_SECONDS = 2


@dataclass
class RunningServer:
    """A server process and how to talk to it."""

    process: subprocess.Popen[str]
    connection: LocalConnection

    def connect(self, *, autocommit: bool = True, **parameters: Any) -> SnowflakeConnection:
        return snowflake.connector.connect(
            **self.connection.connector_kwargs(**parameters), autocommit=autocommit, login_timeout=10
        )

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return requests.request(
            method, self.connection.url + path, verify=self.connection.ca_file, timeout=10, **arguments
        )

    def put_faults(self, *faults: dict[str, Any]) -> None:
        response = self.request("PUT", "/faults", data=json.dumps(faults), auth=("", self.connection.password))
        assert response.status_code == 200, response.text

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(directory: Path, port: int | None = None) -> RunningServer:
    """Start a server and wait until it is ready."""
    file = directory / "connection.json"
    command = [sys.executable, "-m", "local.server", "--state", str(directory / "snowflake")]
    command += ["--port", str(port or free_port()), "--idle-limit", str(IDLE_LIMIT_SECONDS)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not file.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "not ready after 30 s"
        time.sleep(0.02)
    connection = LocalConnection.read(file)
    os.environ["REQUESTS_CA_BUNDLE"] = connection.ca_file
    return RunningServer(process, connection)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    before = os.environ.get("REQUESTS_CA_BUNDLE")
    running = start_server(tmp_path_factory.mktemp("embedded"))
    yield running
    assert running.stop() == 0
    os.environ.pop("REQUESTS_CA_BUNDLE")
    if before is not None:
        os.environ["REQUESTS_CA_BUNDLE"] = before


@pytest.fixture
def connect(server: RunningServer) -> Iterator[Callable[..., SnowflakeConnection]]:
    """Open connections that are closed after the test."""
    opened: list[SnowflakeConnection] = []

    def open_connection(**arguments: Any) -> SnowflakeConnection:
        connection = server.connect(**arguments)
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def run(connect: Callable[..., SnowflakeConnection]) -> Callable[..., list[tuple[Any, ...]]]:
    """Run one statement in a session of the test's own."""
    return runner(connect())


def runner(connection: SnowflakeConnection) -> Callable[..., list[tuple[Any, ...]]]:
    def execute(sql: str, params: Any = None) -> list[tuple[Any, ...]]:
        return connection.cursor().execute(sql, params).fetchall()  # type: ignore[union-attr, return-value]

    return execute
