"""Start, stop, login and the server's own pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError, ProgrammingError

from tests.local.conftest import REPOSITORY, RunningServer, runner, start_server

Run = Callable[..., list[tuple[Any, ...]]]


def test_health_answers_without_a_password(server: RunningServer) -> None:
    response = server.request("GET", "/health")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_connector_trusts_the_certificate_without_a_warning(server: RunningServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with server.connect() as connection:
            assert runner(connection)("SELECT 1") == [(1,)]


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"user": "SOMEBODY"}])
def test_wrong_login_is_refused(server: RunningServer, wrong: dict[str, str]) -> None:
    import snowflake.connector

    with pytest.raises(DatabaseError, match="Incorrect username or password was specified") as caught:
        snowflake.connector.connect(**{**server.connection.connector_kwargs(), **wrong})
    assert caught.value.errno == 390100


def test_session_functions_return_the_login(run: Run) -> None:
    sql = "SELECT CURRENT_ROLE(), CURRENT_USER(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()"
    assert run(sql) == [("FLAKEBENCH_ROLE", "FLAKEBENCH", "FLAKEBENCH_WH", "FLAKEBENCH", "TEST_RESULTS")]


def test_taken_port_is_said_and_ends_with_1(server: RunningServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.server", "--port", str(server.connection.port), "--state", str(tmp_path)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert f"Port {server.connection.port}" in ended.stderr


def test_restart_keeps_rows_databases_password_and_certificate(tmp_path: Path, server: RunningServer) -> None:
    trusted = os.environ["REQUESTS_CA_BUNDLE"]
    try:
        first = start_server(tmp_path)
        with first.connect() as connection:
            run = runner(connection)
            run("CREATE DATABASE LATER COMMENT = 'kept'")
            run("CREATE SCHEMA LATER.S")
            run("CREATE TABLE LATER.S.T (A INT)")
            run("INSERT INTO LATER.S.T VALUES (7)")
            run("CREATE DATABASE GONE")
            run("DROP DATABASE GONE")
        assert first.stop() == 0
        assert not (tmp_path / "connection.json").exists()
        started = time.monotonic()
        second = start_server(tmp_path, first.connection.port)
        warm_start_seconds = time.monotonic() - started
        with second.connect() as connection:
            assert runner(connection)("SELECT A FROM LATER.S.T") == [(7,)]
            assert "kept" in runner(connection)("SHOW DATABASES LIKE 'LATER'")[0]
            with pytest.raises(ProgrammingError, match="Database 'GONE' does not exist"):
                runner(connection)("SELECT 1 FROM GONE.S.T")
        assert second.connection == first.connection
        assert (tmp_path / "snowflake" / "password").stat().st_mode & 0o777 == 0o600
        assert second.stop() == 0
        assert warm_start_seconds < 6, "start in < 3 s on an idle machine"
    finally:
        os.environ["REQUESTS_CA_BUNDLE"] = trusted


def test_a_stopped_server_leaves_nothing_in_the_temporary_folder(
    tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.environ["REQUESTS_CA_BUNDLE"])  # start_server replaces it
    other = start_server(tmp_path)
    assert list(temporary.iterdir()) != []
    assert other.stop() == 0
    assert list(temporary.iterdir()) == []


def test_sessions_of_an_earlier_server_process_are_told_to_log_in(server: RunningServer) -> None:
    with server.connect() as connection:
        token = connection.rest._token  # type: ignore[union-attr]
        connection.rest._token = "unknown"  # type: ignore[union-attr]
        with pytest.raises(DatabaseError, match="Session no longer exists"):
            connection.cursor().execute("SELECT 1")
        connection.rest._token = token  # type: ignore[union-attr]


def test_airflow_hook_connects_unmodified(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", server.connection.airflow_json())
    hook_module = pytest.importorskip("airflow.providers.snowflake.hooks.snowflake")
    hook = hook_module.SnowflakeHook("snowflake_default", session_parameters={"QUERY_TAG": "hook"})
    assert hook.get_first("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == ("FLAKEBENCH", "TEST_RESULTS")


def test_fault_fails_as_many_statements_as_asked(server: RunningServer, run: Run) -> None:
    server.put_faults({"match": r"SELECT\s+42", "errno": 90073, "sqlstate": "57P03", "message": "Injected", "times": 1})
    try:
        with pytest.raises(DatabaseError, match="Injected") as caught:
            run("select\n 42")
        assert caught.value.sqlstate == "57P03"
        assert run("SELECT 42") == [(42,)]
    finally:
        server.put_faults()


def test_fault_delay_counts_towards_the_statement_timeout(
    server: RunningServer, connect: Callable[..., SnowflakeConnection]
) -> None:
    run = runner(connect(STATEMENT_TIMEOUT_IN_SECONDS=1))
    server.put_faults({"match": "slow one", "delay_seconds": 30})
    try:
        started = time.monotonic()
        with pytest.raises(ProgrammingError, match="timeout of 1 second") as caught:
            run("SELECT 'slow one'")
        assert caught.value.errno == 630
        assert time.monotonic() - started < 5
    finally:
        server.put_faults()


def test_faults_and_statements_need_the_password(server: RunningServer) -> None:
    for path in ("/faults", "/statements"):
        assert server.request("GET", path).status_code == 401
        assert server.request("GET", path, auth=("any", server.connection.password)).status_code == 200
    refused = server.request(
        "PUT", "/faults", data=json.dumps([{"nonsense": 1}]), auth=("", server.connection.password)
    )
    assert refused.status_code == 422


def test_statement_log_counts_statements_and_logins(
    server: RunningServer, connect: Callable[..., SnowflakeConnection]
) -> None:
    auth = ("", server.connection.password)
    before = server.request("GET", "/statements", auth=auth).json()
    run = runner(connect(QUERY_TAG="counted"))
    run("SELECT 1")
    with pytest.raises(ProgrammingError):
        run("SELECT * FROM MISSING")
    after = server.request("GET", f"/statements?since={before['last']}", auth=auth).json()
    assert after["logins"] == before["logins"] + 1
    mine = [item for item in after["statements"] if item["query_tag"] == "counted"]
    assert [(item["text"], item["error"]) for item in mine] == [("SELECT 1", None), ("SELECT * FROM MISSING", 2003)]
