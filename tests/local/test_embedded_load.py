"""The two schemas, and loading rows into them."""

from __future__ import annotations

import datetime
import decimal
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from local.load import load_rows
from local.schemas import catalogue
from tests.local.conftest import runner

Connect = Callable[..., SnowflakeConnection]


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_table_has_exactly_the_documented_columns(connect: Connect, name: str) -> None:
    described = [(row[0], row[1]) for row in runner(connect())(f"DESCRIBE TABLE {name}")]
    assert described == [(column.name, column.type) for column in catalogue()[name].columns]


@pytest.mark.parametrize("database", ["FLAKEBENCH", "SNOWFLAKE"])
def test_there_are_no_other_tables(connect: Connect, database: str) -> None:
    rows = runner(connect())(f"SELECT TABLE_SCHEMA, TABLE_NAME FROM {database}.INFORMATION_SCHEMA.TABLES")
    tables = {(table.schema, table.name) for table in catalogue().values() if table.database == database}
    views = {(table.schema, table.name) for table in catalogue().values() if table.over}
    assert set(rows) | views >= tables
    assert set(rows) <= tables


def test_rows_with_different_keys_nested_values_and_types(connect: Connect) -> None:
    connection = connect()
    moment = datetime.datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=datetime.UTC)
    statistics = {"sum": 10, "p99.9": 2.5, "max": None}
    rows: list[dict[str, Any]] = [
        {"CALLS": 5, "INTERVAL_START_TIME": moment, "TOTAL_ELAPSED_TIME": statistics, "ERRORS": [{"code": 1}]},
        {"calls": 6, "QUERY_TAG": "quote \" ' backslash \\ percent %s"},
    ]
    assert load_rows(connection, "AGGREGATE_QUERY_HISTORY", rows) == 2
    run = runner(connection)
    loaded = run(
        "SELECT CALLS, INTERVAL_START_TIME, TOTAL_ELAPSED_TIME, ERRORS, QUERY_TAG, "
        'TOTAL_ELAPSED_TIME:"p99.9"::FLOAT FROM SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY ORDER BY CALLS'
    )
    assert loaded[0][:2] == (5, moment)
    assert json.loads(loaded[0][2]) == statistics
    assert json.loads(loaded[0][3]) == [{"code": 1}]
    assert loaded[0][5] == 2.5
    assert loaded[1] == (6, None, None, None, rows[1]["QUERY_TAG"], None)
    run("DELETE FROM SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY")


def test_credits_keep_nine_decimals(connect: Connect) -> None:
    connection = connect()
    amount = decimal.Decimal("12345.123456789")
    load_rows(connection, "SNOWFLAKE.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY", [{"CREDITS_USED": amount}])
    run = runner(connection)
    assert run("SELECT CREDITS_USED FROM SNOWFLAKE.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY") == [(amount,)]
    run("DELETE FROM SNOWFLAKE.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY")


def test_unknown_names_are_refused(connect: Connect) -> None:
    with pytest.raises(KeyError, match="NOWHERE"):
        load_rows(connect(), "NOWHERE", [])
    with pytest.raises(KeyError, match="NOPE"):
        load_rows(connect(), "QUERY_HISTORY", [{"NOPE": 1}])


def test_five_thousand_queries_load_in_seconds(connect: Connect) -> None:
    connection = connect()
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    rows = [
        {
            "QUERY_ID": f"q{number}",
            "QUERY_TEXT": "SELECT C FROM T WHERE K = ?",
            "START_TIME": start + datetime.timedelta(seconds=number),
            "END_TIME": start + datetime.timedelta(seconds=number, milliseconds=7),
            "TOTAL_ELAPSED_TIME": 7,
            "QUERY_TAG": "flakebench:test_id=x:phase=RUNNING",
            "PARTITIONS_SCANNED": 1,
        }
        for number in range(5_000)
    ]
    started = time.monotonic()
    load_rows(connection, "QUERY_HISTORY", rows)
    assert time.monotonic() - started < 10
    run = runner(connection)
    assert run("SELECT COUNT(*), MIN(START_TIME) FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY") == [(5_000, start)]
    run("DELETE FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY")
