"""Translations that are kept: what a session runs for the third time is what a translation in full would be."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot

from local.dialect_gaps import Context, parse
from local.faults import FaultList, Holds, StatementLog
from local.plans import MOST_PLANS, Plans, Split, Translation
from local.session import Account, Login, Session
from local.storage import Storage
from local.write_lock import WriteLock

CONTEXT = Context(
    now=datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    user="USER",
    role="ROLE",
    warehouse="WAREHOUSE",
    database="DATABASE",
    schema="SCHEMA",
    session_id=1,
    last_query_id="one",
    temporary=set(),
)


def translated(text: str) -> Translation:
    expression = sqlglot.parse_one(text, read="snowflake")
    return Translation(expression, expression.sql(dialect="duckdb"))


def told(plans: Plans, text: str, context: Context = CONTEXT) -> None:
    """A session has translated a statement in full."""
    plans.learn(plans.occurrence(text, context), context, parse(text), translated(text))


def known(plans: Plans, text: str, context: Context = CONTEXT) -> str | None:
    found = plans.find(plans.occurrence(text, context), context)
    return found[1].text if found else None


@pytest.fixture
def plans() -> Plans:
    return Plans()


@pytest.mark.parametrize(
    "template",
    [
        "SELECT A FROM T WHERE B = '{0}' AND C > {1}",
        "UPDATE T SET A = {1}, B = '{0}' WHERE C = TO_CHAR(D, 'YYYY') AND E = '{0}'",
        "INSERT INTO T (A, B) SELECT {1}, X FROM S WHERE S.RUN_ID IN ('{0}', 'b', 'c')",
        "DELETE FROM T WHERE A = '{0}' -- 'x' in a comment is none",
        "MERGE INTO T USING (SELECT '{0}' AS K) AS S ON T.K = S.K WHEN MATCHED THEN UPDATE SET N = {1}",
        "CREATE OR REPLACE TEMPORARY TABLE T AS SELECT A, \"1 b\" FROM S WHERE C = '{0}' LIMIT {1}",
        """SELECT PARSE_JSON('[{{"tag": "{0}"}}]') AS A, {1} AS N""",
    ],
)
def test_a_third_statement_is_translated_as_in_full(plans: Plans, template: str) -> None:
    for number, run in enumerate(("run-1", "run-2"), start=1):
        assert known(plans, template.format(run, number)) is None
        told(plans, template.format(run, number))
    third = template.format("another", 123456)
    assert known(plans, third) == translated(third).text


def test_a_list_of_another_length_is_the_same_statement(plans: Plans) -> None:
    for names in ("'a'", "'b','c'"):
        told(plans, f"SELECT A FROM T WHERE B IN ({names})")
    assert known(plans, "SELECT A FROM T WHERE B IN ('x', 'y', 'z')") == "SELECT A FROM T WHERE B IN ('x', 'y', 'z')"


def test_a_value_that_never_changed_so_far_is_not_replaced(plans: Plans) -> None:
    for run in ("run-1", "run-2"):
        told(plans, f"SELECT A FROM T WHERE B = '{run}' AND C = 'same'")
    assert known(plans, "SELECT A FROM T WHERE B = 'run-3' AND C = 'same'") is not None
    assert known(plans, "SELECT A FROM T WHERE B = 'run-3' AND C = 'other'") is None


def test_two_values_that_were_equal_so_far_are_told_apart_before_they_are_replaced(plans: Plans) -> None:
    text = "SELECT A FROM T WHERE B = '{}' AND C = '{}'"
    for run in ("run-1", "run-2"):
        told(plans, text.format(run, run))
    assert known(plans, text.format("run-3", "run-3")) == text.format("run-3", "run-3")
    assert known(plans, text.format("run-3", "run-4")) is None
    told(plans, text.format("run-3", "run-4"))
    assert known(plans, text.format("run-5", "run-6")) == text.format("run-5", "run-6")


@pytest.mark.parametrize("value", ["it''s", "back\\\\slash", "100 %", ""])
def test_a_text_that_is_not_plain_stands_for_itself(plans: Plans, value: str) -> None:
    for run in ("run-1", "run-2"):
        told(plans, f"SELECT A FROM T WHERE B = '{run}'")
    assert known(plans, f"SELECT A FROM T WHERE B = '{value}'") is None


def test_a_value_that_decides_the_translation_is_never_replaced(plans: Plans) -> None:
    for unit in ("minute", "hour"):
        told(plans, f"SELECT DATEADD('{unit}', 1, A) FROM T")
    for unit in ("minute", "hour", "day"):
        found = known(plans, f"SELECT DATEADD('{unit}', 1, A) FROM T")
        assert found in {None, translated(f"SELECT DATEADD('{unit}', 1, A) FROM T").text}


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, database="OTHER"),
        replace(CONTEXT, schema=None),
        replace(CONTEXT, role="OTHER"),
        replace(CONTEXT, temporary={("DATABASE", "SCHEMA", "T")}),
    ],
)
def test_names_of_another_session_make_another_statement(plans: Plans, other: Context) -> None:
    for run in ("run-1", "run-2"):
        told(plans, f"SELECT A FROM T WHERE B = '{run}'")
    assert known(plans, "SELECT A FROM T WHERE B = 'run-3'", other) is None


def test_what_is_neither_a_query_nor_a_change_of_rows_is_not_kept(plans: Plans) -> None:
    for text in ("CREATE TABLE T (A INT)", "DROP TABLE T", "CREATE TABLE T AS SELECT 1 AS A", "SHOW TABLES"):
        for _ in range(2):
            told(plans, text)
        assert known(plans, text) is None


def test_a_change_of_a_schema_forgets_everything(plans: Plans) -> None:
    told(plans, "SELECT A FROM T")
    plans.forget()
    assert known(plans, "SELECT A FROM T") is None


def test_so_many_are_kept_and_no_more(plans: Plans) -> None:
    for number in range(MOST_PLANS + 1):
        told(plans, f"SELECT A FROM T{number}")
    assert known(plans, "SELECT A FROM T0") is None
    assert known(plans, f"SELECT A FROM T{MOST_PLANS}") is not None


def test_comments_quoted_names_and_numbers_in_names_are_no_values() -> None:
    text = "-- '1' in a comment\nSELECT T1.\"2 x\", $$'3'$$ /* 4 */ FROM T1 WHERE A = '5''6' AND B < 7.5"
    split = Split.of(text, "snowflake")
    assert split.values == ("'5''6'", "7.5")
    assert "".join(part for pair in zip(split.pieces, (*split.values, ""), strict=True) for part in pair) == text


@pytest.mark.filterwarnings("ignore:Arrow output:UserWarning")  # DuckDB's, of fakesnow
class TestSession:
    """In a session, with fakesnow's translation."""

    @pytest.fixture
    def account(self, tmp_path: Path) -> Account:
        return Account(Storage(tmp_path), WriteLock(10), FaultList(), Holds(), StatementLog(), Plans())

    @staticmethod
    def rows(account: Account, *texts: str) -> list[list[str | None]]:
        """What the last of these statements returns, in a session of its own."""
        session = Session(account, 1, Login("USER", "ROLE", "WAREHOUSE", "FLAKEBENCH", "TEST_RESULTS"), {})
        try:
            for text in texts:
                session.execute(text, [])
            return session.connection._duck_conn.execute("SELECT * FROM T ORDER BY ALL").fetchall()  # type: ignore[return-value]
        finally:
            session.close()

    def test_each_statement_has_its_own_values_clock_and_temporary_table(self, account: Account) -> None:
        for number in range(4):
            found = self.rows(
                account,
                f"CREATE TEMPORARY TABLE T AS SELECT '{number}' || 'x' AS A, {number} AS N, SYSDATE() AS AT",
                f"INSERT INTO T SELECT 'y-{number}', N + {number}, SYSDATE() FROM T WHERE A = '{number}x'",
                f"UPDATE T SET N = {number * 10} WHERE A = 'y-{number}'",
            )
            now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
            assert [row[:2] for row in found] == [(f"{number}x", number), (f"y-{number}", number * 10)]
            assert all(abs((row[2] - now).total_seconds()) < 60 for row in found)  # type: ignore[operator]
            assert found[0][2] < found[1][2]  # type: ignore[operator]
