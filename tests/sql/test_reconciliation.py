"""What is stored against the views, both ways: no difference for what settled, and every difference is seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.enrichment import queue
from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from local.sample_account import build_account, write_account
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account, Row
from tests.sql.cases import run_try

USAGE = "SNOWFLAKE.ACCOUNT_USAGE"


@pytest.fixture
def enriched(account: Account, settings: Settings) -> Account:
    """The sample account after as many passes as it takes."""
    account.loaded.update(account.tables)
    write_account(account.connection, build_account(datetime.now(UTC)))
    hook = open_hook(CONN_ID, settings)
    while tasks := queue.claim_due_tasks(hook, settings, claimed_by="pass", lease_minutes=90).tasks:
        for task in tasks:
            run_try(ClaimedTask(**task), settings)
    return account


def reconcile(account: Account, settings: Settings) -> dict[tuple[str, str], Row]:
    now = datetime.now(UTC).replace(tzinfo=None)
    binds: dict[str, Any] = {
        "window_start": str(now - timedelta(days=400)),
        "window_end": str(now),
        "usage_start": str(now - timedelta(days=401)),
    }
    rows = account.rows(render("monitor/reconciliation.sql", settings), binds)
    return {(row["RUN_ID"], row["ENRICHMENT_TYPE"]): row for row in rows}


def test_settled_runs_show_no_difference_and_every_difference_is_seen(enriched: Account, settings: Settings) -> None:
    found = reconcile(enriched, settings)
    tasks = enriched.table("DELAYED_ENRICHMENT_TASKS")
    assert set(found) == {(row["RUN_ID"], row["ENRICHMENT_TYPE"]) for row in tasks if row["STATUS"] == "COMPLETED"}
    assert {name for _, name in found} == {row["ENRICHMENT_TYPE"] for row in tasks}
    assert [tuple(row.values()) for row in found.values() if row["DIFFERENCES"]] == []
    assert all(found[key]["STORED_ROWS"] == found[key]["SOURCE_ROWS"] for key in found)
    types = {name for _, name in found}
    largest = {name: max((row["STORED_ROWS"], key) for key, row in found.items() if key[1] == name) for name in types}
    assert all(rows > 0 for rows, _ in largest.values())

    run_id = largest["QUERY_HISTORY"][1][0]
    one = f"(SELECT MIN(QUERY_ID) FROM {OWN_SCHEMA}.QUERY_EXECUTION_METRICS WHERE RUN_ID = %s)"
    metrics = f"{OWN_SCHEMA}.QUERY_EXECUTION_METRICS"
    enriched.run(f"DELETE FROM {metrics} WHERE RUN_ID = %s AND QUERY_ID = {one}", (run_id, run_id))
    enriched.run(f"DELETE FROM {USAGE}.QUERY_HISTORY WHERE QUERY_ID = {one}", (run_id,))
    row = reconcile(enriched, settings)[run_id, "QUERY_HISTORY"]
    assert (row["ONLY_IN_SOURCE"], row["ONLY_STORED"], row["DIFFERENCES"]) == (1, 1, 2)

    run_id = largest["AGGREGATE"][1][0]
    metrics = f"{OWN_SCHEMA}.AGGREGATE_QUERY_METRICS"
    enriched.run(f"UPDATE {metrics} SET QUERY_COUNT = QUERY_COUNT + 1 WHERE RUN_ID = %s", (run_id,))
    row = reconcile(enriched, settings)[run_id, "AGGREGATE"]
    assert (row["ONLY_IN_SOURCE"], row["ONLY_STORED"]) == (0, 0)
    assert row["DIFFERENCES"] == row["STORED_ROWS"]
