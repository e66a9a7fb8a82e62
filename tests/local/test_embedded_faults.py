"""Statements that are held back on demand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError

from tests.local.conftest import RunningServer, runner

Connect = Callable[..., SnowflakeConnection]
TABLE = "FLAKEBENCH.TEST_RESULTS.HELD"


@pytest.fixture
def look(server: RunningServer, connect: Connect) -> Any:
    """A table, and a way to count its rows."""
    run = runner(connect())
    run(f"CREATE OR REPLACE TABLE {TABLE} (C NUMBER)")
    yield lambda: run(f"SELECT COUNT(*) FROM {TABLE}")[0][0]
    server.put_faults()
    held(server, "DELETE")
    run(f"DROP TABLE {TABLE}")


def held(server: RunningServer, method: str = "GET", **parameters: Any) -> list[dict[str, Any]]:
    reply = server.request(method, "/held", params=parameters, auth=("", server.connection.password))
    assert reply.status_code == 200, reply.text
    return list(reply.json())


def wait_for_held(server: RunningServer) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while not (found := held(server)):
        assert time.monotonic() < deadline, "nothing was held in 10 s"
        time.sleep(0.02)
    return found[0]


@pytest.mark.parametrize(("hold", "rows_while_held"), [("before", 0), ("after", 1)])
def test_a_held_statement_has_not_begun_or_has_run(
    server: RunningServer, connect: Connect, look: Callable[[], int], hold: str, rows_while_held: int
) -> None:
    server.put_faults({"match": "INSERT INTO HELD", "hold": hold, "times": 1})
    run = runner(connect(QUERY_TAG="held-one"))
    with ThreadPoolExecutor() as threads:
        insert = threads.submit(run, "INSERT INTO HELD SELECT 1")
        item = wait_for_held(server)
        assert (item["query_tag"], item["text"]) == ("held-one", "INSERT INTO HELD SELECT 1")
        assert look() == rows_while_held
        assert not insert.done()
        assert held(server, "DELETE", id=item["hold_id"]) == []
        insert.result(10)
    assert look() == 1


def test_the_process_of_a_held_statement_is_found_by_its_port(
    server: RunningServer, connect: Connect, look: Callable[[], int]
) -> None:
    server.put_faults({"match": "INSERT INTO HELD", "hold": "before", "times": 1})
    with ThreadPoolExecutor() as threads:
        insert = threads.submit(runner(connect()), "INSERT INTO HELD SELECT 1")
        port = wait_for_held(server)["client_port"]
        owners = {item.pid for item in psutil.net_connections("tcp") if item.laddr.port == port and item.pid}
        held(server, "DELETE")
        insert.result(10)
    assert os.getpid() in owners


def test_a_held_statement_ends_at_its_timeout(server: RunningServer, connect: Connect, look: Callable[[], int]) -> None:
    server.put_faults({"match": "INSERT INTO HELD", "hold": "before", "times": 1})
    with pytest.raises(DatabaseError) as caught:
        runner(connect(STATEMENT_TIMEOUT_IN_SECONDS=1))("INSERT INTO HELD SELECT 1")
    assert caught.value.errno == 630
    assert held(server) == []
    assert look() == 0


def test_an_unknown_hold_is_refused(server: RunningServer) -> None:
    reply = server.request(
        "PUT", "/faults", json=[{"match": "x", "hold": "never"}], auth=("", server.connection.password)
    )
    assert (reply.status_code, "never" in reply.text) == (422, True)
    assert server.request("GET", "/held").status_code == 401


def test_an_aborted_session_loses_its_transaction(
    server: RunningServer, connect: Connect, look: Callable[[], int]
) -> None:
    run = runner(connect())
    run("BEGIN")
    run("INSERT INTO HELD SELECT 1")
    (row,) = run("SELECT CURRENT_SESSION()")
    reply = server.request("DELETE", "/sessions", params={"id": row[0]}, auth=("", server.connection.password))
    assert reply.status_code == 200
    with pytest.raises(DatabaseError):
        run("COMMIT")
    assert look() == 0
