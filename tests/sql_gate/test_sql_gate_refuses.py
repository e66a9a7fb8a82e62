"""The gate itself: broken SQL does not pass, and what Snowflake allows does."""

from __future__ import annotations

import pytest
import sqlglot

from tests.sql_gate import functions, house_rules, style
from tests.sql_gate.known_schema import Schema
from tests.sql_gate.passed_binds import unknown_binds
from tests.sql_gate.resolver import migrated, resolve, resolve_all
from tests.sql_gate.template_statements import SAME_SCHEMA, fill, inline, parse

VIEW = "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"
AGGREGATE = "SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY"
LOCKS = "SNOWFLAKE.ACCOUNT_USAGE.LOCK_WAIT_HISTORY"
TESTS = "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"
EXECUTIONS = "FLAKEBENCH.TEST_RESULTS.QUERY_EXECUTIONS"
TASKS = "FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_TASKS"
SUMMARY = "FLAKEBENCH.TEST_RESULTS.RUN_ENRICHMENT_SUMMARY"
LOCK = "FLAKEBENCH.TEST_RESULTS.ENRICHMENT_PASS_LOCK"
MERGE = f"MERGE INTO {LOCK} AS t USING (SELECT 'a' AS N) AS f"
JSON_TEXT = f"WITH a AS (SELECT TO_JSON(ERRORS) AS E FROM {AGGREGATE})"
BOUNDS = "START_TIME >= %(window_start)s::TIMESTAMP_LTZ AND START_TIME < %(window_end)s::TIMESTAMP_LTZ"


@pytest.fixture
def schema() -> Schema:
    return migrated(SAME_SCHEMA)[0]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        pytest.param(f"SELECT RUNID FROM {TESTS};", "unknown column RUNID", id="SELECT"),
        pytest.param(f"SELECT r.RUNID FROM {TESTS} AS r;", "R has no such column", id="qualified"),
        pytest.param("SELECT 1 AS X FROM FLAKEBENCH.TEST_RESULTS.RUNS;", "unknown table", id="table"),
        pytest.param(f"SELECT x.RUN_ID FROM {TESTS} AS r;", "unknown column x.RUN_ID", id="alias"),
        pytest.param(f"SELECT r.RUN_ID FROM {TESTS} AS r WHERE r.ENDED > 1;", "unknown column r.ENDED", id="WHERE"),
        pytest.param(
            f"SELECT r.RUN_ID FROM {TESTS} AS r JOIN {EXECUTIONS} AS e ON e.RUN_ID = r.RUN_ID;",
            "unknown column e.RUN_ID",
            id="JOIN",
        ),
        pytest.param(
            f"SELECT r.RUN_ID FROM {TESTS} AS r JOIN {TASKS} AS a ON a.JOB_ID = b.JOB_ID JOIN {TASKS} AS b ON TRUE;",
            "unknown column b.JOB_ID",
            id="JOIN that looks to the right",
        ),
        pytest.param(
            f"SELECT RUN_ID FROM {TESTS} AS r JOIN {TASKS} AS t ON r.RUN_ID = t.RUN_ID;",
            "ambiguous column RUN_ID",
            id="ambiguous",
        ),
        pytest.param(f"WITH a AS (SELECT X FROM {TESTS}) SELECT X FROM a;", "unknown column X", id="in a CTE"),
        pytest.param(
            f"WITH a AS (SELECT RUN_ID FROM {TESTS}) SELECT TEST_ID FROM a;", "unknown column TEST_ID", id="of a CTE"
        ),
        pytest.param(
            f"WITH a AS (SELECT RUN_ID, RUN_ID FROM {TESTS}) SELECT 1 AS X FROM a;",
            "two columns RUN_ID",
            id="twice in a CTE",
        ),
        pytest.param(
            f"WITH a AS (SELECT MAX(RUN_ID) FROM {TESTS}) SELECT 1 AS X FROM a;",
            "has no name",
            id="without a name in a CTE",
        ),
        pytest.param(
            "WITH a AS (SELECT X FROM b), b AS (SELECT 1 AS X) SELECT X FROM a;", "unknown table B", id="CTE order"
        ),
        pytest.param(f"SELECT (SELECT MAX(X) FROM {TESTS}) AS M;", "unknown column X", id="scalar subquery"),
        pytest.param(f"SELECT RUN_ID FROM {TESTS} ORDER BY X;", "unknown column X", id="ORDER BY"),
        pytest.param(
            f"SELECT RUN_ID FROM {TESTS} QUALIFY ROW_NUMBER() OVER (ORDER BY X) = 1;", "column X", id="window"
        ),
        pytest.param(
            f"INSERT INTO {LOCK} (LOCKNAME) SELECT 'a' AS LOCKNAME;", "unknown column LOCKNAME", id="INSERT list"
        ),
        pytest.param(f"INSERT INTO {LOCK} SELECT 'a' AS LOCK_NAME;", "without a column list", id="INSERT without list"),
        pytest.param(
            f"INSERT INTO {LOCK} (LOCK_NAME, HELD_BY) SELECT 'a' AS LOCK_NAME;",
            "lists 2 columns and selects 1",
            id="arity",
        ),
        pytest.param(
            f"INSERT INTO {LOCK} (LOCK_NAME, HELD_BY) SELECT 'b' AS HELD_BY, 'a' AS LOCK_NAME;",
            "(LOCK_NAME) selects HELD_BY in its place",
            id="INSERT order",
        ),
        pytest.param(
            f"INSERT INTO {LOCK} (HELD_BY) SELECT 'b' AS HELD_BY;", "NOT NULL", id="INSERT without a NOT NULL column"
        ),
        pytest.param(f"UPDATE {LOCK} SET HOLDER = 'a';", "unknown column HOLDER", id="UPDATE SET"),
        pytest.param(
            f"UPDATE {LOCK} SET HELD_BY = f.X FROM (SELECT 1 AS Y) AS f;", "unknown column f.X", id="UPDATE FROM"
        ),
        pytest.param(f"UPDATE {LOCK} SET HELD_BY = 'a' WHERE NAME = 'a';", "unknown column NAME", id="UPDATE WHERE"),
        pytest.param(
            f"UPDATE {LOCK} SET HELD_BY = 'b' FROM (SELECT 'a' AS LOCK_NAME) AS f WHERE LOCK_NAME = 'a';",
            "ambiguous column LOCK_NAME",
            id="ambiguous in UPDATE",
        ),
        pytest.param(f"UPDATE {LOCK} SET ENRICHMENT_PASS_LOCK.HELD_BY = 'a';", "name alone", id="qualified SET"),
        pytest.param(
            f"{MERGE} ON t.LOCK_NAME = f.N WHEN MATCHED THEN UPDATE SET X = f.N;",
            "unknown column X",
            id="MERGE SET",
        ),
        pytest.param(
            f"{MERGE} ON t.NAME = f.N WHEN MATCHED THEN UPDATE SET HELD_BY = f.N;",
            "unknown column t.NAME",
            id="MERGE ON",
        ),
        pytest.param(
            f"{MERGE} ON t.LOCK_NAME = f.N WHEN NOT MATCHED THEN INSERT (LOCK_NAME) VALUES (t.LOCK_NAME);",
            "unknown column t.LOCK_NAME",
            id="MERGE INSERT from the target",
        ),
        pytest.param(
            f"{MERGE} ON t.LOCK_NAME = f.N WHEN NOT MATCHED THEN INSERT (LOCK_NAME, HELD_BY) VALUES (f.N);",
            "2 columns and 1 values",
            id="MERGE arity",
        ),
        pytest.param(f"DELETE FROM {LOCK} WHERE NAME = 'a';", "unknown column NAME", id="DELETE"),
        pytest.param(f"ALTER TABLE {LOCK} DROP COLUMN X;", "unknown column X", id="ALTER"),
        pytest.param(f'SELECT EXECUTION_TIME:"p95" AS P FROM {AGGREGATE};', "unknown key 'p95'", id="key"),
        pytest.param(f"SELECT EXECUTION_TIME:p99.9 AS P FROM {AGGREGATE};", "unknown key", id="key that needs quotes"),
        pytest.param(f'SELECT ERRORS:"code":"x" AS P FROM {AGGREGATE};', "unknown key", id="key below a key"),
        pytest.param(f'SELECT QUERY_TAG:"phase" AS P FROM {VIEW};', "it is no object", id="key of a text column"),
        pytest.param(
            f'SELECT e.VALUE:"error_code" AS C FROM {AGGREGATE} AS s, LATERAL FLATTEN(INPUT => s.ERRORS) AS e;',
            "unknown key 'error_code'",
            id="key of an element",
        ),
        pytest.param(
            f'SELECT b.VALUE:"transactionId" AS T FROM {LOCKS} AS s, LATERAL FLATTEN(INPUT => s.BLOCKER_QUERIES) AS b;',
            "unknown key 'transactionId'",
            id="key of a blocker",
        ),
        pytest.param(
            f'WITH a AS (SELECT TO_JSON(EXECUTION_TIME) AS T FROM {AGGREGATE}) SELECT PARSE_JSON(T):"p95" AS P FROM a;',
            "unknown key 'p95'",
            id="key through JSON text and a CTE",
        ),
        pytest.param(
            f'{JSON_TEXT} SELECT a.E:"code" AS C FROM a;',
            "PARSE_JSON it first",
            id="key of JSON text",
        ),
        pytest.param(
            f"{JSON_TEXT} SELECT f.VALUE FROM a, LATERAL FLATTEN(INPUT => a.E) AS f;",
            "FLATTEN of text",
            id="FLATTEN of JSON text",
        ),
        pytest.param("SHOW TABLES;", "does not know", id="kind of statement"),
    ],
)
def test_unknown_names_are_refused_and_located(sql: str, problem: str, schema: Schema) -> None:
    problems = resolve_all(inline(sql), schema)
    assert any(problem in found for found in problems), problems
    assert all(found.startswith("inline#1: ") for found in problems)


def test_the_columns_of_a_temporary_table_are_those_of_its_query(schema: Schema) -> None:
    create = "CREATE OR REPLACE TEMPORARY TABLE S AS SELECT EXECUTION_TIME AS T FROM " + AGGREGATE
    assert resolve_all(inline(f'{create}; SELECT T:"p99.9" AS P FROM S;'), schema.copy()) == []
    assert resolve_all(inline(f"{create}; SELECT U FROM S;"), schema.copy()) == ["inline#2: unknown column U"]
    (problem,) = resolve_all(inline(f'{create}; SELECT T:"p50" AS P FROM S;'), schema.copy())
    assert "unknown key 'p50'" in problem


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT RUN_ID AS A, UPPER(A) AS B FROM {TESTS} WHERE B = 'X' GROUP BY A ORDER BY B;",
        f"SELECT a.* FROM (SELECT RUN_ID, TEST_ID FROM {TESTS}) AS a;",
        f'SELECT e.VALUE:"code"::VARCHAR AS C FROM {AGGREGATE} AS s, LATERAL FLATTEN(INPUT => s.ERRORS) AS e;',
        f"SELECT r.RUN_ID FROM {TESTS} AS r WHERE EXISTS (SELECT 1 AS X FROM {TASKS} AS t WHERE t.RUN_ID = r.RUN_ID);",
        "SELECT VALUE:\"anything\" AS A FROM TABLE(FLATTEN(INPUT => PARSE_JSON('[]')));",
        f"SELECT RUN_ID FROM {TESTS} UNION ALL SELECT RUN_ID FROM {TASKS};",
    ],
)
def test_what_snowflake_allows_passes(sql: str, schema: Schema) -> None:
    assert resolve_all(inline(sql), schema) == []


@pytest.mark.parametrize(
    "name", ["STRPOS", "GROUP_CONCAT", "FROB", "DATE_ADD", "JSON_EXTRACT_PATH", "UNNEST", "IFNULL_", "QUANTILE"]
)
def test_a_function_that_snowflake_lacks_is_refused(name: str) -> None:
    assert functions.unknown(f"SELECT {name}(RUN_ID, 'x') AS X FROM {TESTS}") == {name}


@pytest.mark.parametrize(
    "clock",
    ["CURRENT_TIMESTAMP()", "CURRENT_TIMESTAMP", "GETDATE()", "NOW()", "SYSTIMESTAMP()", "CURRENT_DATE", "LOCALTIME"],
)
def test_a_clock_other_than_sysdate_is_refused(clock: str) -> None:
    (found,) = functions.clocks(parse(f"SELECT {clock} AS T"))
    assert not functions.is_sysdate(found)


@pytest.mark.parametrize("sql", ["SELECT FROM a b c", "UPDATE SET x = 1", "", "SELECT 1; SELECT 2"])
def test_what_is_no_sql_is_refused_by_sqlglot(sql: str) -> None:
    with pytest.raises(sqlglot.errors.ParseError):
        parse(sql)


@pytest.mark.parametrize("sql", ["SELECT 1 AS X FROM a WHERE", "INSERT INTO t (a) SELEC 1", "UPDATE t SET RETURNING x"])
def test_what_is_no_sql_is_refused_by_sqlfluff(sql: str) -> None:
    assert any(violation.is_parse_error for violation in style.lint(sql))


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("select 1 AS X", "CP01"),
        ("SELECT max(A) AS X FROM T", "CP03"),
        ("SELECT null AS X", "CP04"),
        ("SELECT 1::integer AS X", "CP05"),
        ("SELECT 1  AS X", "LT01"),
        ("SELECT\n   1 AS X", "LT02"),
        ("SELECT MAX (A) AS X FROM T", "LT06"),
    ],
)
def test_style_is_refused(sql: str, rule: str) -> None:
    assert rule in {violation.rule for violation in style.lint(sql)}


@pytest.mark.parametrize(
    "where",
    [
        "TRUE",
        "START_TIME >= %(window_start)s::TIMESTAMP_LTZ",
        "START_TIME < %(window_end)s::TIMESTAMP_LTZ",
        "START_TIME >= '2026-01-01'::TIMESTAMP_LTZ AND START_TIME < %(window_end)s::TIMESTAMP_LTZ",
        "END_TIME >= %(window_start)s::TIMESTAMP_LTZ AND END_TIME < %(window_end)s::TIMESTAMP_LTZ",
        f"({BOUNDS}) OR QUERY_ID = 'x'",
    ],
)
def test_a_view_without_both_bounds_is_refused(where: str, schema: Schema) -> None:
    assert house_rules.unbounded_reads(parse(fill(f"SELECT QUERY_ID FROM {VIEW} WHERE {where}")), schema)


def test_each_view_of_a_join_needs_its_own_bounds(schema: Schema) -> None:
    sql = f"SELECT q.QUERY_ID FROM {VIEW} AS q JOIN {LOCKS} AS w ON q.QUERY_ID = w.QUERY_ID WHERE {BOUNDS}"
    assert len(house_rules.unbounded_reads(parse(fill(sql.replace("START_TIME", "q.START_TIME"))), schema)) == 2
    assert house_rules.unbounded_reads(parse(fill(f"SELECT QUERY_ID FROM {VIEW} WHERE {BOUNDS}")), schema) == []


@pytest.mark.parametrize("sql", [f"SELECT * FROM {VIEW}", f"SELECT v.* FROM {VIEW} AS v JOIN {TESTS} AS r ON TRUE"])
def test_a_star_of_a_view_is_refused(sql: str, schema: Schema) -> None:
    assert house_rules.stars_of_account_usage(parse(sql), schema)
    assert not house_rules.stars_of_account_usage(parse(f"SELECT COUNT(*) AS N FROM {VIEW}"), schema)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT QUERY_ID FROM {EXECUTIONS} WHERE SUCCESS",
        f"SELECT QUERY_ID FROM {EXECUTIONS} WHERE SUCCESS OR TEST_ID IN (%(child_ids)s)",
        f"UPDATE {EXECUTIONS} SET ERROR = NULL WHERE QUERY_ID = 'x'",
        f"MERGE INTO {EXECUTIONS} AS e USING S ON e.QUERY_ID = S.QUERY_ID WHEN MATCHED THEN UPDATE SET ERROR = NULL",
    ],
)
def test_query_executions_without_its_children_is_refused(sql: str) -> None:
    assert house_rules.unrestricted_executions(parse(fill(sql)))


@pytest.mark.parametrize("operator", ["LIKE", "ILIKE", "RLIKE", "REGEXP", "LIKE ANY", "NOT LIKE"])
def test_like_is_refused(operator: str) -> None:
    assert house_rules.pattern_matches(parse(f"SELECT QUERY_ID FROM {VIEW} WHERE QUERY_TAG {operator} ('x%')"))


def test_ddl_inside_a_transaction_is_refused() -> None:
    assert house_rules.ddl_in_transaction(inline("BEGIN; DROP TABLE T; COMMIT;"))
    assert house_rules.ddl_in_transaction(inline("BEGIN; DELETE FROM T;"))
    assert house_rules.ddl_in_transaction(inline("DELETE FROM T; COMMIT;"))
    assert not house_rules.ddl_in_transaction(inline("DROP TABLE T; BEGIN; DELETE FROM T; COMMIT;"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SYSDATE() AS T",
        "SELECT RUN_ID FROM FLAKEBENCH.TEST_RESULTS.RUN_STATUS",
        "SELECT JOB_ID FROM FLAKEBENCH.TEST_RESULTS.V_DELAYED_ENRICHMENT_STATUS",
    ],
)
def test_a_question_that_the_result_cache_cannot_answer_is_refused(sql: str, schema: Schema) -> None:
    assert house_rules.uncacheable(parse(sql), schema)


def test_update_returning_is_refused() -> None:
    assert house_rules.returning(parse(f"UPDATE {LOCK} SET HELD_BY = 'a' RETURNING LOCK_NAME"))


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE {LOCK} SET HELD_BY = (SELECT MAX(t.CLAIMED_BY) FROM {TASKS} AS t WHERE t.JOB_ID = LOCK_NAME)",
        f"SELECT (SELECT MAX(t.JOB_ID) FROM {TASKS} AS t WHERE t.RUN_ID = r.RUN_ID) AS J FROM {TESTS} AS r",
    ],
)
def test_a_correlated_subquery_outside_where_is_refused(sql: str, schema: Schema) -> None:
    assert house_rules.correlated_outside_where(resolve(parse(sql), schema))


@pytest.mark.parametrize(
    ("sql", "is_refused"),
    [
        (f"SELECT x.RUN_ID FROM (SELECT RUN_ID FROM {TESTS} LIMIT 1) AS x", True),
        (f"SELECT RUN_ID FROM {TESTS} WHERE RUN_ID IN (SELECT RUN_ID FROM {TASKS} LIMIT 1)", True),
        (
            f"SELECT RUN_ID FROM {TESTS} AS r WHERE 1 = (SELECT 1 AS X FROM {TASKS} WHERE r.QUERY_TAG = 'x' LIMIT 1)",
            True,
        ),
        (f"WITH x AS (SELECT RUN_ID FROM {TESTS} LIMIT 1) SELECT RUN_ID FROM x", True),
        (f"SELECT RUN_ID FROM {TESTS} WHERE RUN_ID = (SELECT RUN_ID FROM {TASKS} LIMIT 1)", False),
        (f"SELECT RUN_ID FROM {TESTS} LIMIT 1", False),
    ],
)
def test_a_limit_in_a_subquery_is_refused_unless_scalar(sql: str, is_refused: bool, schema: Schema) -> None:
    tree = parse(sql)
    assert bool(house_rules.misplaced_limits(tree, resolve(tree, schema))) is is_refused


def test_a_reserved_word_as_a_name_is_refused() -> None:
    assert house_rules.reserved_identifiers(parse('SELECT 1 AS "ORDER"')) == ["ORDER"]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE OR ALTER TABLE T (A INT)",
        "CREATE TABLE T (A INT) CLUSTER BY (A)",
        "ALTER TABLE T CLUSTER BY (A)",
        "ALTER TABLE T ADD SEARCH OPTIMIZATION",
    ],
)
def test_ddl_that_drops_or_costs_is_refused(sql: str) -> None:
    assert house_rules.forbidden_ddl(sql)
    assert not house_rules.forbidden_ddl("-- no CLUSTER BY\nCREATE TABLE T (A INT) COMMENT = 'no CLUSTER BY'")


def test_a_percent_sign_outside_a_bind_is_refused() -> None:
    assert house_rules.stray_percent_signs("SELECT %(a)s -- 99 % of it")
    assert not house_rules.stray_percent_signs("SELECT %(a)s, %(b)s")


def test_a_bind_that_nothing_fills_is_refused() -> None:
    assert unknown_binds("queue/next_due.sql", inline("SELECT %(now)s;")) == ["inline#1: nothing fills %(now)s"]
    early = inline("SELECT %(window_start)s;\n-- step: run\nSELECT %(run_id)s;\nSELECT %(window_start)s, %(replace)s;")
    assert unknown_binds("enrich/x.sql", early) == [
        "inline#1: nothing fills %(window_start)s",
        "inline#3: nothing fills %(replace)s",
    ]
