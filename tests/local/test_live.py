"""The scratch database of the live tests: only what a run has made is written to and removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from include.enrichment.settings import Settings, of_shell
from local.airflow_home import AirflowHome
from local.environment import conn_id, only_settings
from local.live import NotOursError, ScratchDatabase, scratch_database
from local.schemas import catalogue
from tests.local.conftest import RunningServer


@pytest.fixture(autouse=True)
def _connection(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.connection.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def session(server: RunningServer) -> Iterator[SnowflakeConnection]:
    with closing(server.connect()) as found:
        yield found


@pytest.fixture
def foreign(session: SnowflakeConnection) -> Iterator[ScratchDatabase]:
    """A database with a table that another run, or a person, has made."""
    scratch = ScratchDatabase.new()
    session.cursor().execute(f"CREATE DATABASE {scratch.name}")
    session.cursor().execute(f"CREATE TABLE {scratch.name}.PUBLIC.PRECIOUS (A INTEGER)")
    yield scratch
    session.cursor().execute(f"DROP DATABASE {scratch.name}")


SETTING = "FLAKEBENCH_ENRICHMENT_"
OTHERS = {
    **dict.fromkeys(("RESULTS_DATABASE", "RESULTS_SCHEMA", "OWN_SCHEMA", "ACCOUNT_USAGE_DATABASE"), "PROD"),
    "DISABLED_TYPES": "AGGREGATE",
    "NOTIFIERS": '[{"notifier": "their.Pager"}]',
    "QUERY_TAG": "theirs",
}
"""What a person has set for a deployment of theirs."""

ASKED = """
import json
from airflow.sdk import Variable
from include.enrichment import settings
Variable.keys = classmethod(lambda cls, prefix=None: [])  # a new metadata database has none
found = [settings.of_server(), settings.current(), settings.parse(), settings.of_shell()]
print("ANSWER" + json.dumps([item.model_dump(mode="json") for item in found]))
"""
"""Each way in which a process of Airflow, or one that it starts, finds its settings."""


def settings_of(home: AirflowHome) -> list[dict[str, Any]]:
    """The settings that the processes of an Airflow find, in a real one with the environment that they are given."""
    ended = subprocess.run(
        [sys.executable, "-c", ASKED], env=home.environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("ANSWER")]
    found: list[dict[str, Any]] = json.loads(line.removeprefix("ANSWER"))
    return found


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which a person works with a deployment of theirs, in every way in which that finds its settings."""
    for name, value in OTHERS.items():
        monkeypatch.setenv(f"{SETTING}{name}", value)
        monkeypatch.setenv(f"{SETTING}{name}".lower(), value)
        monkeypatch.setenv(f"AIRFLOW_VAR_{SETTING}{name}", value)
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({f"{SETTING}{name}": value for name, value in OTHERS.items()}))
    where = json.dumps({"variables_file_path": str(variables)})
    configuration = tmp_path / "theirs.cfg"
    configuration.write_text(f"[secrets]\nbackend = {backend}\nbackend_kwargs = {where}\n")
    monkeypatch.setenv("AIRFLOW_CONFIG", str(configuration))
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", where)


def databases(session: SnowflakeConnection) -> set[str]:
    cursor = session.cursor()
    cursor.execute("SHOW DATABASES")
    return {str(row[1]) for row in cursor}


def tables(session: SnowflakeConnection, database: str) -> set[str]:
    cursor = session.cursor()
    cursor.execute(f"SELECT TABLE_SCHEMA, TABLE_NAME FROM {database}.INFORMATION_SCHEMA.TABLES")
    return {f"{row[0]}.{row[1]}" for row in cursor}


def test_it_has_every_table_of_both_catalogues_is_where_a_session_begins_and_is_gone_afterwards(
    session: SnowflakeConnection,
) -> None:
    before = databases(session)
    with scratch_database() as scratch:
        assert databases(session) == {*before, scratch.name}
        assert {f"{table.schema}.{table.name}" for table in catalogue().values() if not table.over} <= tables(
            session, scratch.name
        )
        with closing(scratch.connect()) as own:
            assert (own.database, own.schema) == (scratch.name, "TEST_RESULTS")
    assert databases(session) == before


def test_it_is_gone_when_a_test_fails(session: SnowflakeConnection) -> None:
    before = databases(session)
    with pytest.raises(AssertionError, match="a test"), scratch_database():
        raise AssertionError("a test")
    assert databases(session) == before


@pytest.mark.usefixtures("theirs")
def test_airflow_works_there_whatever_a_person_has_set_for_a_deployment_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW_VAR_{SETTING}WAREHOUSE", "FLAKEBENCH_WH")
    monkeypatch.setenv(f"{SETTING}ROLE", "FLAKEBENCH_ROLE")
    before = dict(os.environ)
    ours = {f"{SETTING}NOTIFIERS": '[{"notifier": "a.test.Notifier"}]'}
    with scratch_database() as scratch:
        found = settings_of(AirflowHome(tmp_path / "airflow", 1, {**scratch.environment(), **ours}))
    wanted = {
        "results_database": scratch.name,
        "results_schema": "TEST_RESULTS",
        "own_schema": "TEST_RESULTS",
        "account_usage_database": scratch.name,
        "disabled_types": [],
        "query_tag": "flakebench_enrichment",
        "role": "FLAKEBENCH_ROLE",
    }
    assert [{name: settings[name] for name in wanted} for settings in found] == [wanted] * 4
    assert [[item["notifier"] for item in settings["notifiers"]] for settings in found] == [["a.test.Notifier"]] * 4
    of_airflow, of_task, _, of_a_shell = found
    assert {settings["warehouse"] for settings in (of_airflow, of_task, of_a_shell)} == {"FLAKEBENCH_WH"}
    assert dict(os.environ) == before


@pytest.mark.usefixtures("theirs")
def test_the_embedded_snowflake_is_used_whatever_a_person_has_set(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{SETTING}CONN_ID", "prod")
    assert of_shell().results_database == "PROD"
    with only_settings(server.connection.environment()):
        assert conn_id() == "snowflake_default"
        assert of_shell().model_dump() == Settings.model_construct().model_dump()


@pytest.mark.parametrize("failing", [r"^CREATE SCHEMA", r"^CREATE TABLE"])
def test_it_is_gone_when_it_cannot_be_filled(failing: str, session: SnowflakeConnection, server: RunningServer) -> None:
    before = databases(session)
    server.put_faults({"match": failing, "errno": 606, "sqlstate": "57P03", "message": "No active warehouse"})
    try:
        with pytest.raises(ProgrammingError, match="No active warehouse"), scratch_database():
            pytest.fail("it has no tables")
    finally:
        server.put_faults()
    assert databases(session) == before


def test_it_is_gone_when_the_answer_to_its_creation_is_lost(
    session: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = databases(session)
    create = ScratchDatabase.create

    def without_answer(scratch: ScratchDatabase, own: SnowflakeConnection) -> None:
        create(scratch, own)
        raise ConnectionError("lost")

    monkeypatch.setattr(ScratchDatabase, "create", without_answer)
    with pytest.raises(ConnectionError, match="lost"), scratch_database():
        pytest.fail("nobody knows whether it exists")
    assert databases(session) == before


def test_nothing_is_removed_when_the_role_may_not_make_one(session: SnowflakeConnection, server: RunningServer) -> None:
    before = databases(session)
    refused = {"match": r"^CREATE DATABASE", "errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}
    server.put_faults(refused)
    try:
        with pytest.raises(ProgrammingError, match="Insufficient privileges"), scratch_database():
            pytest.fail("there is none")
    finally:
        server.put_faults()
    assert databases(session) == before


def test_a_database_of_the_same_name_is_left_alone(
    foreign: ScratchDatabase, session: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScratchDatabase, "new", lambda: foreign)
    with pytest.raises(NotOursError, match=f"{foreign.name} was not made by this run"), scratch_database():
        pytest.fail("it is not ours")
    assert tables(session, foreign.name) == {"PUBLIC.PRECIOUS"}


def test_a_database_that_exists_is_not_taken(foreign: ScratchDatabase, session: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError):
        foreign.create(session)
    assert tables(session, foreign.name) == {"PUBLIC.PRECIOUS"}


def test_a_database_without_our_token_is_neither_written_to_nor_removed(
    foreign: ScratchDatabase, session: SnowflakeConnection
) -> None:
    for refused in (foreign.create_tables, foreign.drop):
        with pytest.raises(NotOursError, match=f"{foreign.name} was not made by this run"):
            refused(session)
    assert tables(session, foreign.name) == {"PUBLIC.PRECIOUS"}


def test_the_database_of_another_run_is_neither_written_to_nor_removed(session: SnowflakeConnection) -> None:
    with scratch_database() as scratch:
        other = replace(scratch, token="of another run")
        for refused in (other.create_tables, other.drop):
            with pytest.raises(NotOursError):
                refused(session)
        assert scratch.name in databases(session)
