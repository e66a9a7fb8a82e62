"""Where fakesnow differs from Snowflake and the layer does not."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError, ProgrammingError

from tests.local.conftest import RunningServer

Run = Callable[..., list[tuple[Any, ...]]]
UTC = datetime.UTC


@pytest.fixture
def table(run: Run) -> Iterator[Run]:
    run("CREATE OR REPLACE TABLE THINGS (ID INT, NAME VARCHAR(20), DATA VARIANT)")
    yield run
    run("DROP TABLE IF EXISTS THINGS")


def test_null_and_early_timestamps(run: Run) -> None:
    early = datetime.datetime(1960, 5, 1, 10, 11, 12, 123456)
    rows = run(
        "SELECT NULL::TIMESTAMP_NTZ, NULL::TIMESTAMP_LTZ, '1960-05-01 10:11:12.123456'::TIMESTAMP_NTZ, "
        "'1960-05-01 10:11:12.123456'::TIMESTAMP_LTZ, '1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ"
    )
    last = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)
    assert rows == [(None, None, early, early.replace(tzinfo=UTC), last)]


def test_timestamps_with_some_nulls_keep_their_rows(run: Run) -> None:
    rows = run("SELECT COLUMN1::TIMESTAMP_NTZ FROM VALUES (NULL), ('2026-01-01 00:00:00.000001'), (NULL)")
    assert rows == [(None,), (datetime.datetime(2026, 1, 1, 0, 0, 0, 1),), (None,)]


def test_clock_functions(run: Run) -> None:
    ((sysdate, current),) = run("SELECT SYSDATE(), CURRENT_TIMESTAMP()")
    now = datetime.datetime.now(UTC)
    assert sysdate.tzinfo is None
    assert current.utcoffset() == datetime.timedelta(0)
    assert abs(now - current) < datetime.timedelta(seconds=5)
    assert abs(now - sysdate.replace(tzinfo=UTC)) < datetime.timedelta(seconds=5)


@pytest.mark.parametrize(
    ("sql", "errno", "sqlstate", "text"),
    [
        ("SELECT * FROM NOPE", 2003, "02000", "SQL compilation error:\nObject 'FLAKEBENCH.TEST_RESULTS.NOPE' does not"),
        ("SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.NOPE", 2003, "02000", "Object 'SNOWFLAKE.ACCOUNT_USAGE.NOPE' does not"),
        ("INSERT INTO NOPE VALUES (1)", 2003, "02000", "Object 'FLAKEBENCH.TEST_RESULTS.NOPE' does not exist or not"),
        ("SELECT * FROM NOPE.A.B", 2003, "02000", "Database 'NOPE' does not exist or not authorized."),
        (
            "SELECT * FROM FLAKEBENCH.NOPE.B",
            2003,
            "02000",
            "Schema 'FLAKEBENCH.NOPE' does not exist or not authorized.",
        ),
        ("DESCRIBE TABLE NOPE", 2003, "02000", "Object 'FLAKEBENCH.TEST_RESULTS.NOPE' does not exist"),
        ("SELECT NOPE FROM TEST_RESULTS", 904, "42000", "error line 0 at position 0\ninvalid identifier 'NOPE'"),
        ("SELECT T.NOPE FROM TEST_RESULTS T", 904, "42000", "invalid identifier 'T.NOPE'"),
        ("UPDATE TEST_RESULTS SET NOPE = 1", 904, "42000", "invalid identifier 'NOPE'"),
        ("INSERT INTO TEST_RESULTS (NOPE) VALUES (1)", 904, "42000", "invalid identifier"),
        ("SELEC 1", 1003, "42000", "SQL compilation error"),
        ("SELECT (1", 1003, "42000", "SQL compilation error"),
        ("SELECT NOPE(1)", 2140, "42601", "Unknown function NOPE"),
        ("SELECT 'x'::INT", 100038, "22018", "Numeric value 'x' is not recognized"),
        ("SELECT 'x'::TIMESTAMP_NTZ", 100035, "22007", "Timestamp 'x' is not recognized"),
        ("SELECT PARSE_JSON('{a')", 100069, "22P02", "Error parsing JSON"),
        ("SELECT 1 / 0", 100051, "22012", "Division by zero"),
        ("INSERT INTO TEST_RESULTS (TEST_ID) VALUES ('x')", 100072, "22000", "NULL result in a non-nullable column"),
        ("SELECT 1; SELECT 2", 8, "0A000", "Actual statement count 2 did not match the desired statement count 1."),
    ],
)
def test_errors_are_snowflakes(run: Run, sql: str, errno: int, sqlstate: str, text: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        run(sql)
    assert (caught.value.errno, caught.value.sqlstate) == (errno, sqlstate)
    assert text in str(caught.value.msg)


def test_unsupported_statement_is_an_error_reply_not_http_500(run: Run) -> None:
    with pytest.raises(ProgrammingError):
        run("CREATE PROCEDURE P() RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN 1; END'")
    assert run("SELECT 1") == [(1,)]


def test_session_parameters_are_remembered(run: Run) -> None:
    run("ALTER SESSION SET QUERY_TAG = 'mine', LOCK_TIMEOUT = 7, TIMEZONE = 'UTC'")
    assert run("SHOW PARAMETERS LIKE 'QUERY_TAG' IN SESSION")[0][:2] == ("QUERY_TAG", "mine")
    assert run("SHOW PARAMETERS LIKE 'LOCK%' IN SESSION")[0][:2] == ("LOCK_TIMEOUT", "7")
    run("ALTER SESSION UNSET QUERY_TAG")
    assert run("SHOW PARAMETERS LIKE 'QUERY_TAG' IN SESSION")[0][:2] == ("QUERY_TAG", "")


@pytest.mark.parametrize(
    "columns",
    [
        "ID INT PRIMARY KEY, NAME VARCHAR UNIQUE",
        "ID INT, NAME VARCHAR, PRIMARY KEY (ID), UNIQUE (NAME)",
        "ID INT, NAME VARCHAR, CONSTRAINT PK PRIMARY KEY (ID), CONSTRAINT U UNIQUE (NAME)",
    ],
)
def test_keys_are_not_enforced_but_not_null_is(run: Run, columns: str) -> None:
    run(f"CREATE OR REPLACE TABLE KEYED ({columns}) CLUSTER BY (ID)")
    assert run("INSERT INTO KEYED VALUES (1, 'a'), (1, 'a')") == [(2,)]
    with pytest.raises(DatabaseError, match="non-nullable"):
        run("INSERT INTO KEYED VALUES (NULL, 'b')")
    run("DROP TABLE KEYED")


def test_hybrid_table_is_accepted(run: Run) -> None:
    run("CREATE HYBRID TABLE IF NOT EXISTS FAST (ID INT, N INT, CONSTRAINT PK PRIMARY KEY (ID), INDEX IX (N))")
    run("INSERT INTO FAST VALUES (1, 2)")
    run("DROP TABLE FAST")


def test_create_or_alter_keeps_rows_adds_and_drops(table: Run) -> None:
    table("INSERT INTO THINGS (ID, NAME) VALUES (1, 'a')")
    table("CREATE OR ALTER TABLE THINGS (ID INT NOT NULL, EXTRA NUMBER(10,2) DEFAULT 5, LAST TIMESTAMP_NTZ)")
    names = [row[0] for row in table("DESCRIBE TABLE THINGS")]
    assert names == ["ID", "EXTRA", "LAST"]
    assert table("SELECT ID, LAST FROM THINGS") == [(1, None)]
    table("CREATE OR ALTER TABLE THINGS (ID INT NOT NULL, EXTRA NUMBER(10,2), LAST TIMESTAMP_NTZ)")
    table("CREATE OR ALTER TABLE FRESH_THING (ID INT)")
    assert table("SELECT * FROM FRESH_THING") == []
    table("DROP TABLE FRESH_THING")


def test_merge_counts_and_expressions(table: Run) -> None:
    table("INSERT INTO THINGS (ID, NAME) VALUES (1, 'a'), (2, 'b')")
    counts = table(
        "MERGE INTO THINGS t USING (SELECT 1 AS ID, 'x' AS N UNION ALL SELECT 2, 'y' UNION ALL SELECT 3, 'z') s "
        "ON t.ID = s.ID WHEN MATCHED AND s.ID = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET t.NAME = s.N || t.NAME "
        "WHEN NOT MATCHED THEN INSERT (ID, NAME) VALUES (s.ID, UPPER(s.N))"
    )
    assert counts == [(1, 1, 1)]
    assert table("SELECT ID, NAME FROM THINGS ORDER BY ID") == [(1, "xa"), (3, "Z")]


def test_merge_with_two_sources_for_one_target_fails(table: Run) -> None:
    table("INSERT INTO THINGS (ID, NAME) VALUES (1, 'a')")
    with pytest.raises(ProgrammingError, match="Duplicate row detected during DML action") as caught:
        table(
            "MERGE INTO THINGS t USING (SELECT 1 AS ID, 'x' AS N UNION ALL SELECT 1, 'y') s ON t.ID = s.ID "
            "WHEN MATCHED THEN UPDATE SET NAME = s.N"
        )
    assert (caught.value.errno, caught.value.sqlstate) == (100090, "42P18")
    assert table("SELECT NAME FROM THINGS") == [("a",)]


def test_update_from_with_two_sources_takes_one(table: Run) -> None:
    table("INSERT INTO THINGS (ID, NAME) VALUES (1, 'a')")
    table(
        "UPDATE THINGS t SET t.NAME = s.N FROM (SELECT 1 AS ID, 'x' AS N UNION ALL SELECT 1, 'y') s WHERE t.ID = s.ID"
    )
    assert table("SELECT NAME FROM THINGS")[0][0] in {"x", "y"}


@pytest.mark.parametrize("database", ["FLAKEBENCH", "SNOWFLAKE", None])
def test_flatten_in_any_current_database(server: RunningServer, database: str | None) -> None:
    arguments = {**server.connection.connector_kwargs(), "database": database, "schema": None}
    with snowflake.connector.connect(**arguments) as connection:
        cursor = connection.cursor().execute(
            "SELECT f.INDEX, f.VALUE:a::INT FROM TABLE(FLATTEN(INPUT => PARSE_JSON('[{\"a\": 5}, {}]'))) f ORDER BY 1"
        )
        assert cursor is not None
        assert cursor.fetchall() == [(0, 5), (1, None)]


def test_flatten_of_objects_scalars_and_outer(table: Run) -> None:
    table("INSERT INTO THINGS (ID, DATA) SELECT 1, PARSE_JSON('{\"k.x\": [1, 2]}')")
    table("INSERT INTO THINGS (ID, DATA) SELECT 2, PARSE_JSON('5')")
    table("INSERT INTO THINGS (ID) VALUES (3)")
    assert table("SELECT t.ID, f.KEY FROM THINGS t, LATERAL FLATTEN(INPUT => t.DATA) f") == [(1, "k.x")]
    outer = table("SELECT t.ID, f.KEY FROM THINGS t, LATERAL FLATTEN(INPUT => t.DATA, OUTER => TRUE) f ORDER BY 1")
    assert outer == [(1, "k.x"), (2, None), (3, None)]
    nested = table('SELECT f.VALUE::INT FROM THINGS t, LATERAL FLATTEN(INPUT => t.DATA:"k.x") f ORDER BY 1')
    assert nested == [(1,), (2,)]


def test_variant_cast_to_text_has_no_quotes(table: Run) -> None:
    table("INSERT INTO THINGS (ID, NAME, DATA) SELECT 1, 'n', PARSE_JSON('[\"a\", \"b\"]')")
    table("INSERT INTO THINGS (ID, DATA) SELECT 2, PARSE_JSON('\"text\"')")
    assert table("SELECT f.VALUE::VARCHAR FROM THINGS t, LATERAL FLATTEN(INPUT => t.DATA) f ORDER BY 1") == [
        ("a",),
        ("b",),
    ]
    assert table("SELECT DATA::VARCHAR, ID::VARCHAR, NAME::VARCHAR(5) FROM THINGS WHERE ID = 2") == [
        ("text", "2", None)
    ]


def test_variant_functions(run: Run) -> None:
    assert run(
        "SELECT TYPEOF(PARSE_JSON('{}')), TYPEOF(PARSE_JSON('1')), IS_ARRAY(PARSE_JSON('[1]')), "
        "IS_OBJECT(PARSE_JSON('[1]')), ARRAY_CONTAINS('a'::VARIANT, ARRAY_CONSTRUCT('a', 'b'))"
    ) == [("OBJECT", "INTEGER", True, False, True)]
    ((distinct, keys),) = run("SELECT ARRAY_DISTINCT(ARRAY_CONSTRUCT(1, 1)), OBJECT_KEYS(PARSE_JSON('{\"a\": 1}'))")
    assert (json.loads(distinct), json.loads(keys)) == ([1], ["a"])


def test_describe_and_information_schema_of_another_database(run: Run) -> None:
    described = run("DESCRIBE TABLE SNOWFLAKE.ACCOUNT_USAGE.LOCK_WAIT_HISTORY")
    listed = run(
        "SELECT COLUMN_NAME FROM SNOWFLAKE.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'LOCK_WAIT_HISTORY' "
        "AND TABLE_SCHEMA = 'ACCOUNT_USAGE' ORDER BY ORDINAL_POSITION"
    )
    assert [row[0] for row in described] == [row[0] for row in listed]
    assert {row[0]: row[1] for row in described}["REQUESTED_AT"] == "TIMESTAMP_LTZ"


def test_decimals_keep_their_digits(run: Run) -> None:
    assert run("SELECT 0.000000001::NUMBER(38,9), SUM(COLUMN1) FROM VALUES (1), (2)") == [
        (decimal.Decimal("0.000000001"), 3)
    ]


def test_bind_values_on_the_server(server: RunningServer) -> None:
    moment = datetime.datetime(2026, 1, 1, 23, 59, 59, 999999)
    values = (None, 5, 1.5, "it's", True, moment, moment.replace(tzinfo=UTC), moment.date())
    with snowflake.connector.connect(**server.connection.connector_kwargs(), paramstyle="qmark") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT ?, ?, ?, ?, ?, ?::TIMESTAMP_NTZ, ?::TIMESTAMP_LTZ, ?", values)
        assert cursor.fetchone() == values
        cursor.execute("CREATE OR REPLACE TEMPORARY TABLE BOUND (A INT, B VARCHAR)")
        cursor.executemany("INSERT INTO BOUND VALUES (?, ?)", [(1, "a"), (2, None)])
        assert cursor.rowcount == 2
        assert cursor.execute("SELECT A, B FROM BOUND ORDER BY A").fetchall() == [(1, "a"), (2, None)]


def test_divergence_hybrid_key_is_not_enforced(run: Run) -> None:
    run("CREATE OR REPLACE HYBRID TABLE FAST (ID INT PRIMARY KEY)")
    assert run("INSERT INTO FAST VALUES (1), (1)") == [(2,)]
    run("DROP TABLE FAST")


def test_divergence_grants_are_ignored(run: Run) -> None:
    run("GRANT SELECT ON TABLE NOT_THERE TO ROLE NOBODY")


def test_divergence_varchar_length_is_not_enforced(run: Run) -> None:
    run("CREATE OR REPLACE TEMPORARY TABLE NARROW (V VARCHAR(2))")
    assert run("INSERT INTO NARROW VALUES ('longer')") == [(1,)]


def test_divergence_whole_numbers_of_own_tables_keep_64_bits(run: Run) -> None:
    run("CREATE OR REPLACE TEMPORARY TABLE WHOLE (N NUMBER(38, 0))")
    assert run(f"INSERT INTO WHOLE VALUES ({2**63 - 1})") == [(1,)]
    with pytest.raises(ProgrammingError):
        run(f"INSERT INTO WHOLE VALUES ({2**63})")


def test_divergence_array_to_string_leaves_null_out(run: Run) -> None:
    assert run("SELECT ARRAY_TO_STRING(PARSE_JSON('[\"a\", null, \"b\"]'), '-')") == [("a-b",)]


def test_divergence_timestamps_keep_microseconds(run: Run) -> None:
    assert run("SELECT TO_CHAR('2026-01-01 00:00:00.123456789'::TIMESTAMP_NTZ, 'YYYY-MM-DD HH24:MI:SS.FF9')") == [
        ("2026-01-01 00:00:00.123456000",)
    ]


def test_divergence_time_zone_is_always_utc(run: Run) -> None:
    run("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
    ((moment,),) = run("SELECT '2026-01-01 00:00:00'::TIMESTAMP_LTZ")
    assert moment == datetime.datetime(2026, 1, 1, tzinfo=UTC)


def test_divergence_a_warehouse_is_a_name(run: Run, connect: Callable[..., SnowflakeConnection]) -> None:
    cursor = connect().cursor()
    cursor.execute("SHOW WAREHOUSES LIKE 'flakebench_wh'")
    names = [column.name for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    wanted = {"name": "FLAKEBENCH_WH", "state": "STARTED", "auto_suspend": 60, "auto_resume": "true", "is_current": "Y"}
    assert [{name: row[name] for name in wanted} for row in rows] == [wanted]
    assert run("SHOW WAREHOUSES LIKE 'OTHER_WH'") == []
    run("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 7")
    assert run("SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS' IN SESSION")[0][1] == "7"
    assert run("SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS' IN WAREHOUSE")[0][1] == "172800"


def test_the_comment_of_a_database_is_shown(run: Run, connect: Callable[..., SnowflakeConnection]) -> None:
    run("CREATE DATABASE WITH_COMMENT COMMENT = 'it''s mine'")
    run("CREATE DATABASE IF NOT EXISTS WITH_COMMENT COMMENT = 'no, mine'")
    cursor = connect().cursor(snowflake.connector.DictCursor)
    cursor.execute("SHOW DATABASES LIKE 'with_comment'")
    assert [(row["name"], row["comment"]) for row in cursor.fetchall()] == [("WITH_COMMENT", "it's mine")]
    run("DROP DATABASE WITH_COMMENT")
    run("CREATE DATABASE WITH_COMMENT")
    cursor.execute("SHOW DATABASES LIKE 'WITH_COMMENT'")
    assert [row["comment"] for row in cursor.fetchall()] == [""]
    run("DROP DATABASE WITH_COMMENT")


def test_offset_is_dropped_from_a_timestamp_without_zone(run: Run) -> None:
    assert run("SELECT '2026-01-01T10:00:00+02:00'::TIMESTAMP_NTZ") == [(datetime.datetime(2026, 1, 1, 10),)]


def test_divergence_division_is_floating_point(run: Run) -> None:
    assert run("SELECT 1 / 4::NUMBER(38,0)") == [(0.25,)]
    assert isinstance(run("SELECT 1 / 4::NUMBER(38,0)")[0][0], float)


def test_divergence_declared_types_of_other_tables(run: Run) -> None:
    run("CREATE OR REPLACE TABLE TYPED (L TIMESTAMP_LTZ, O OBJECT)")
    assert [row[1] for row in run("DESCRIBE TABLE TYPED")] == ["TIMESTAMP_TZ(9)", "VARIANT"]
    run("DROP TABLE TYPED")


def test_array_agg_leaves_null_out_and_gives_an_empty_array_for_no_rows(run: Run) -> None:
    rows = run(
        "SELECT ARRAY_AGG(X), ARRAY_AGG(X) WITHIN GROUP (ORDER BY X DESC), ARRAY_AGG(DISTINCT X) "
        "FROM (SELECT 1 AS X UNION ALL SELECT NULL UNION ALL SELECT 2)"
    )
    assert [sorted(json.loads(value)) for value in rows[0]] == [[1, 2]] * 3
    assert json.loads(rows[0][1]) == [2, 1]
    assert run("SELECT ARRAY_AGG(1) FROM (SELECT 1 AS X) WHERE X = 2") == [("[]",)]


def test_count_if_counts_zero_for_no_rows(run: Run) -> None:
    assert run("SELECT COUNT_IF(X > 1) FROM (SELECT 1 AS X) WHERE X = 2") == [(0,)]
    assert run("SELECT COUNT_IF(X > 1) OVER () FROM (SELECT 1 AS X UNION ALL SELECT 2)") == [(1,), (1,)]


def test_array_to_string(run: Run) -> None:
    rows = run(
        "SELECT ARRAY_TO_STRING(PARSE_JSON('[\"a\", 1]'), '-'), ARRAY_TO_STRING(PARSE_JSON('[]'), ','), "
        "ARRAY_TO_STRING(NULL, ','), ARRAY_TO_STRING(SPLIT('a,b', ','), '+')"
    )
    assert rows == [("a-1", "", None, "a+b")]
