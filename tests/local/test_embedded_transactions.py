"""Writers wait, readers do not, and a failed statement rolls back only itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from tests.local.conftest import IDLE_LIMIT_SECONDS, RunningServer, runner

Connect = Callable[..., SnowflakeConnection]
Run = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def table(run: Run) -> Iterator[str]:
    run("CREATE OR REPLACE TABLE COUNTERS (ID INT, N INT)")
    run("INSERT INTO COUNTERS VALUES (1, 0)")
    yield "COUNTERS"
    run("DROP TABLE COUNTERS")


def test_concurrent_updates_of_one_row_wait_and_none_is_lost(server: RunningServer, run: Run, table: str) -> None:
    def add(_: int) -> None:
        with server.connect() as connection:
            mine = runner(connection)
            for _ in range(5):
                mine("BEGIN")
                mine("SELECT N FROM COUNTERS")
                mine("UPDATE COUNTERS SET N = N + 1 WHERE ID = 1")
                mine("COMMIT")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert run("SELECT N FROM COUNTERS") == [(40,)]


def test_readers_do_not_wait_for_a_writer(connect: Connect, run: Run, table: str) -> None:
    writer = runner(connect())
    writer("BEGIN")
    writer("UPDATE COUNTERS SET N = 1")
    assert run("SELECT N FROM COUNTERS") == [(0,)]
    assert writer("SELECT N FROM COUNTERS") == [(1,)]
    writer("ROLLBACK")


def test_transaction_sees_what_was_committed_before_its_first_write(connect: Connect, run: Run, table: str) -> None:
    other = runner(connect())
    other("BEGIN")
    other("SELECT N FROM COUNTERS")
    run("UPDATE COUNTERS SET N = 5")
    other("UPDATE COUNTERS SET N = N + 1")
    other("COMMIT")
    assert run("SELECT N FROM COUNTERS") == [(6,)]


def test_lock_timeout(connect: Connect, table: str) -> None:
    holder, waiter = runner(connect()), runner(connect(LOCK_TIMEOUT=1))
    holder("BEGIN")
    holder("UPDATE COUNTERS SET N = 1")
    with pytest.raises(ProgrammingError, match="LOCK_TIMEOUT") as caught:
        waiter("UPDATE COUNTERS SET N = 2")
    assert (caught.value.errno, caught.value.sqlstate) == (625, "57014")
    holder("COMMIT")
    waiter("UPDATE COUNTERS SET N = 2")


def test_statement_timeout_covers_the_wait_for_a_lock(connect: Connect, table: str) -> None:
    holder, waiter = runner(connect()), runner(connect(STATEMENT_TIMEOUT_IN_SECONDS=1))
    holder("BEGIN")
    holder("UPDATE COUNTERS SET N = 1")
    with pytest.raises(ProgrammingError) as caught:
        waiter("UPDATE COUNTERS SET N = 2")
    assert caught.value.errno == 630
    holder("ROLLBACK")


def test_idle_transaction_yields_to_a_waiter_and_says_so(connect: Connect, run: Run, table: str) -> None:
    idle = runner(connect())
    idle("BEGIN")
    idle("UPDATE COUNTERS SET N = 100")
    started = time.monotonic()
    run("UPDATE COUNTERS SET N = N + 1")
    assert IDLE_LIMIT_SECONDS - 0.5 < time.monotonic() - started < IDLE_LIMIT_SECONDS + 5
    for statement in ("UPDATE COUNTERS SET N = 7", "SELECT 1", "COMMIT"):
        with pytest.raises(ProgrammingError, match="was rolled back: it was idle"):
            idle(statement)
    assert idle("SELECT N FROM COUNTERS") == [(1,)]


def test_closing_a_session_rolls_back(connect: Connect, run: Run, table: str) -> None:
    leaving = connect()
    runner(leaving)("BEGIN")
    runner(leaving)("UPDATE COUNTERS SET N = 100")
    leaving.close()
    run("UPDATE COUNTERS SET N = N + 1")
    assert run("SELECT N FROM COUNTERS") == [(1,)]


@pytest.mark.parametrize(
    "failing",
    [
        "INSERT INTO COUNTERS VALUES ('x', 1)",
        "SELECT * FROM MISSING",
        "SELECT 1 / (N - 1) FROM COUNTERS",
        "SELECT NOWHERE FROM COUNTERS",
        "MERGE INTO COUNTERS t USING (SELECT 1 ID UNION ALL SELECT 1) s ON t.ID = s.ID"
        " WHEN MATCHED THEN UPDATE SET N = 9",
    ],
)
def test_failed_statement_keeps_the_transaction(connect: Connect, run: Run, table: str, failing: str) -> None:
    mine = runner(connect())
    mine("BEGIN")
    mine("UPDATE COUNTERS SET N = 1")
    mine("INSERT INTO COUNTERS SELECT 2, N FROM COUNTERS")
    with pytest.raises(ProgrammingError):
        mine(failing)
    mine("UPDATE COUNTERS SET N = N + 1 WHERE ID = 1")
    mine("COMMIT")
    assert sorted(run("SELECT ID, N FROM COUNTERS")) == [(1, 2), (2, 1)]


def test_autocommit_off_commits_only_on_commit(connect: Connect, run: Run, table: str) -> None:
    connection = connect(autocommit=False)
    runner(connection)("UPDATE COUNTERS SET N = 1")
    assert run("SELECT N FROM COUNTERS") == [(0,)]
    connection.rollback()
    runner(connection)("UPDATE COUNTERS SET N = 2")
    connection.commit()
    assert run("SELECT N FROM COUNTERS") == [(2,)]


def test_ddl_commits_the_open_transaction(connect: Connect, run: Run, table: str) -> None:
    mine = runner(connect())
    mine("BEGIN")
    mine("UPDATE COUNTERS SET N = 3")
    mine("CREATE OR REPLACE TEMPORARY TABLE SCRATCH AS SELECT N FROM COUNTERS")
    mine("ROLLBACK")
    assert run("SELECT N FROM COUNTERS") == [(3,)]


def test_commit_and_rollback_outside_a_transaction_do_nothing(run: Run) -> None:
    run("COMMIT")
    run("ROLLBACK")


def test_one_transaction_cannot_write_to_two_databases(connect: Connect, run: Run, table: str) -> None:
    mine = runner(connect())
    mine("BEGIN")
    mine("UPDATE COUNTERS SET N = 1")
    with pytest.raises(ProgrammingError, match="one transaction that writes to two databases") as caught:
        mine("INSERT INTO SNOWFLAKE.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY (OBJECT_ID) VALUES (1)")
    assert caught.value.errno == 2
    mine("COMMIT")
    assert run("SELECT N FROM COUNTERS") == [(1,)]


def test_temporary_table_is_private_and_feeds_a_transaction(connect: Connect, run: Run, table: str) -> None:
    mine = runner(connect())
    for _ in range(2):
        mine("CREATE OR REPLACE TEMPORARY TABLE FRESH AS SELECT 5 AS N")
    mine("BEGIN")
    mine("DELETE FROM COUNTERS")
    mine("INSERT INTO COUNTERS SELECT 1, N FROM FRESH")
    assert mine("SELECT COUNT(*) FROM FRESH") == [(1,)]
    mine("COMMIT")
    assert run("SELECT N FROM COUNTERS") == [(5,)]
    with pytest.raises(ProgrammingError, match=r"Object 'FLAKEBENCH\.TEST_RESULTS\.FRESH' does not exist"):
        run("SELECT * FROM FRESH")
    mine("CREATE TEMPORARY TABLE FLAKEBENCH.TEST_RESULTS.QUALIFIED AS SELECT 1 AS A")
    assert mine("SELECT A FROM FLAKEBENCH.TEST_RESULTS.QUALIFIED") == [(1,)]


def test_temporary_tables_of_one_name_are_made_at_once_in_many_sessions(server: RunningServer) -> None:
    def make(_: int) -> None:
        with server.connect() as connection:
            mine = runner(connection)
            for _ in range(20):
                mine("CREATE OR REPLACE TEMPORARY TABLE FRESH AS SELECT 5 AS N")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))


def test_clock_moves_within_a_transaction(run: Run, table: str) -> None:
    run("BEGIN")
    run("UPDATE COUNTERS SET N = 1")
    first = run("SELECT SYSDATE()")
    time.sleep(0.01)
    assert run("SELECT SYSDATE()") > first
    run("ROLLBACK")


def test_cancelled_statement_stops(connect: Connect) -> None:
    connection = connect()
    cursor = connection.cursor()
    heavy = "WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) SELECT SUM(n) FROM r"
    stopper = threading.Timer(1, lambda: connection._cancel_query(heavy, cursor._request_id))
    stopper.start()
    with pytest.raises(ProgrammingError) as caught:
        cursor.execute(heavy)
    assert caught.value.errno == 604


def test_statement_timeout_of_a_running_statement(connect: Connect) -> None:
    run = runner(connect())
    run("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    with pytest.raises(ProgrammingError, match=r"timeout of 1 second\(s\) and was canceled") as caught:
        run("WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) SELECT SUM(n) FROM r")
    assert (caught.value.errno, caught.value.sqlstate) == (630, "57014")
    assert run("SELECT 1") == [(1,)]


def test_divergence_one_lock_for_all_tables(connect: Connect, run: Run, table: str) -> None:
    run("CREATE OR REPLACE TABLE ELSEWHERE (A INT)")
    holder, waiter = runner(connect()), runner(connect(LOCK_TIMEOUT=1))
    holder("BEGIN")
    holder("UPDATE COUNTERS SET N = 1")
    with pytest.raises(ProgrammingError, match="LOCK_TIMEOUT"):
        waiter("INSERT INTO ELSEWHERE VALUES (1)")
    holder("COMMIT")
    run("DROP TABLE ELSEWHERE")


def test_divergence_repeated_writes_draw_new_random_values(run: Run) -> None:
    run("CREATE OR REPLACE TABLE IDS (ID VARCHAR)")
    run("BEGIN")
    run("INSERT INTO IDS SELECT UUID_STRING()")
    before = run("SELECT ID FROM IDS")
    with pytest.raises(ProgrammingError):
        run("SELECT 'x'::INT")
    after = run("SELECT ID FROM IDS")
    run("COMMIT")
    assert len(before) == len(after) == 1
    assert before != after
    run("DROP TABLE IDS")
