"""The TCP connection is dropped in the middle of a statement: the real connector through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from include.enrichment.settings import Settings
from tests.faults.matrix import Matrix
from tests.faults.proxy import Proxy
from tests.sql.account import Account
from tests.sql.cases import Moment, load_claimed_task, run_try

QUERIES = ("q1", "q2", "q3")
STATEMENTS = {
    "the look at the run": (r"step: run\n", "before"),
    "the read of the view": (r"step: read\n", "before"),
    "the count": (r"step: reading\n", "before"),
    "the take-over": (r"step: take_over\n", "after"),
    "BEGIN": (r"^\s*BEGIN", "after"),
    "the delete": (r"DELETE FROM \S+QUERY_EXECUTION_METRICS", "after"),
    "the insert": (r"step: write\n", "after"),
    "the merge into QUERY_EXECUTIONS": (r"MERGE INTO \S+QUERY_EXECUTIONS", "before"),
    "the update of the task": (r"step: finish\n", "after"),
    "COMMIT, before it": (r"^\s*COMMIT", "before"),
    "COMMIT, after it": (r"^\s*COMMIT", "after"),
}
"""Where the connection is dropped: the statement, and whether it has run by then."""


@pytest.fixture
def proxy(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between the product's sessions and the server; the test's own session goes straight to it."""
    with Proxy(account.local.port) as running:
        for name, value in replace(account.local, port=running.port).environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_connection_dropped_in_the_middle_of_a_statement_loses_and_doubles_nothing(
    account: Account, settings: Settings, matrix: Matrix, proxy: Proxy, statement: str
) -> None:
    match, hold = STATEMENTS[statement]
    given = {
        "QUERY_EXECUTIONS": [{"QUERY_ID": name} for name in QUERIES],
        "QUERY_HISTORY": [{"QUERY_ID": name, "PARTITIONS_SCANNED": 3} for name in QUERIES],
        # of an earlier look: without it there is nothing to delete
        "QUERY_EXECUTION_METRICS": [{"QUERY_ID": QUERIES[0]}],
    }
    task = load_claimed_task(account, given, Moment.current(), "QUERY_HISTORY")
    account.put_faults([{"match": match, "hold": hold, "times": 1}])
    with ThreadPoolExecutor() as threads:
        attempt = threads.submit(run_try, task, settings)
        account.wait_for_held()
        proxy.cut()
        account.release()
        outcome = attempt.result(60)
    assert outcome.error is None, outcome.message
    tables = ("RUN_ENRICHMENT_SUMMARY", "DELAYED_ENRICHMENT_ATTEMPTS")
    matrix.check(
        f"connection dropped in {statement}",
        "the connector repeats the request, the server knows its id",
        expected=[*QUERIES, *tables],
        stored=[
            *(row["QUERY_ID"] for row in account.table("QUERY_EXECUTION_METRICS")),
            *(table for table in tables for _ in account.table(table)),
        ],
    )
    (row,) = account.table("DELAYED_ENRICHMENT_TASKS")
    assert (row["STATUS"], row["ATTEMPTS"], row["ROWS_WRITTEN"]) == ("COMPLETED", 1, len(QUERIES))
