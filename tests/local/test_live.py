"""The scratch database of the live tests: only what a run has made is written to and removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

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
