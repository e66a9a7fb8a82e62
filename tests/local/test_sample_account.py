"""The sample account agrees with itself, with the documented columns and with the specification."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.sample.belonging import base_of, base_tags, window
from local.sample.expected_rows import counted
from local.sample.lineup import PLANS
from local.sample_account import Account, build_account, names, truth

NOW = datetime(2026, 11, 21, 9, 40, 31, tzinfo=UTC)
QUERY_HISTORY = "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"
AGGREGATE = "SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY"
LOCKS = "SNOWFLAKE.ACCOUNT_USAGE.LOCK_WAIT_HISTORY"
INSIGHTS = "SNOWFLAKE.ACCOUNT_USAGE.QUERY_INSIGHTS"
EXECUTIONS = "FLAKEBENCH.TEST_RESULTS.QUERY_EXECUTIONS"
RESULTS = "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"
SETTLED = (
    "hybrid-settled",
    "standard-settled",
    "standard-single-minute",
    "interactive-settled",
    "dynamic-settled",
    "unistore-settled",
    "hybrid-billed",
)

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def account() -> Account:
    return build_account(NOW, include=("healthy", "broken"))


@pytest.fixture(scope="module")
def tables(account: Account) -> Tables:
    return account.tables()


def distinct(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in {json.dumps(row, default=str, sort_keys=True) for row in rows}]


def test_same_seed_and_moment_give_the_same_account(tables: Tables) -> None:
    assert build_account(NOW, include=("healthy", "broken")).tables() == tables


def test_ids_do_not_depend_on_the_moment(account: Account) -> None:
    later = build_account(NOW + timedelta(days=1), include=("healthy", "broken"))
    assert [run.run_id for run in later.runs] == [run.run_id for run in account.runs]
    assert build_account(NOW, seed=8).runs[0].run_id != account.runs[0].run_id


def test_broken_runs_come_only_when_asked_for() -> None:
    assert {run.group for run in build_account(NOW).runs} == {"healthy"}
    assert names(("broken-no-tags", "postgres")) == ("postgres", "broken-no-tags")
    with pytest.raises(ValueError, match="no-such-run"):
        build_account(NOW, include=("no-such-run",))


def test_a_broken_run_changes_nothing_of_a_healthy_one(account: Account) -> None:
    alone = build_account(NOW)
    for run in alone.runs:
        assert account.run(run.name) == run


CATALOGUE = Path(__file__).parents[2] / "local" / "catalogue"


def columns_of(table: str) -> dict[str, dict[str, Any]]:
    """Columns that the embedded Snowflake offers, by name."""
    database, _, name = table.split(".")
    file, kind = ("account_usage", "views") if database == "SNOWFLAKE" else ("flakebench", "tables")
    listed = json.loads((CATALOGUE / f"{file}.json").read_text())[kind][name]["columns"]
    return {column["name"]: column for column in listed}


def test_view_rows_have_documented_columns_and_aware_times(tables: Tables) -> None:
    for table in (table for table in tables if table.startswith("SNOWFLAKE.")):
        columns = columns_of(table).keys()
        for row in tables[table]:
            assert row.keys() <= columns
            assert all(value.tzinfo is UTC for value in row.values() if isinstance(value, datetime))


def test_flakebench_rows_have_known_columns_and_naive_times(tables: Tables) -> None:
    for table in (EXECUTIONS, RESULTS, "FLAKEBENCH.TEST_RESULTS.RUN_STATUS"):
        columns = columns_of(table)
        required = {name for name, column in columns.items() if not column["nullable"] and not column["default"]}
        for row in tables[table]:
            assert row.keys() <= columns.keys()
            assert all(row[name] is not None for name in required), table
            assert all(value.tzinfo is None for value in row.values() if isinstance(value, datetime))


def test_rows_of_a_table_have_the_same_columns(tables: Tables) -> None:
    for table, rows in tables.items():
        assert len({tuple(row) for row in rows}) <= 1, table


def test_it_is_small_enough_to_load(tables: Tables) -> None:
    assert len(tables[QUERY_HISTORY]) < 4000
    assert len(tables[EXECUTIONS]) < 6000


def test_query_ids_are_unique(account: Account) -> None:
    ids = Counter(query.query_id for query in account.queries())
    assert max(ids.values()) == 1


def test_parent_counts_are_the_children_s_sums(tables: Tables) -> None:
    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tables[RESULTS]:
        if row["TEST_ID"] != row["RUN_ID"]:
            children[row["RUN_ID"]].append(row)
    for row in tables[RESULTS]:
        if row["TEST_ID"] == row["RUN_ID"]:
            for column in ("TOTAL_OPERATIONS", "FAILED_OPERATIONS", "READ_OPERATIONS", "WRITE_OPERATIONS"):
                assert row[column] == sum(child[column] for child in children[row["RUN_ID"]]), row["TEST_NAME"]


def test_failed_operations_are_stored_under_a_local_id(tables: Tables) -> None:
    failed = [row for row in tables[EXECUTIONS] if not row["SUCCESS"]]
    assert sum(row["QUERY_ID"].startswith("LOCAL_") for row in failed) == len(failed) - 1
    assert all(not row["QUERY_ID"].startswith("LOCAL_") for row in tables[EXECUTIONS] if row["SUCCESS"])


def test_no_statement_of_another_run_or_of_anybody_belongs_to_a_run(account: Account) -> None:
    for run in account.runs:
        bases, span = base_tags(run), window(run, NOW)
        own = {query.query_id for query in run.queries}
        if span is not None:
            strangers = [query for query in account.queries() if query.query_id not in own]
            assert not [q for q in strangers if base_of(q, bases) is not None and span.holds(q.started_at)], run.name


def test_foreign_traffic_is_of_every_kind(account: Account) -> None:
    run = account.run("hybrid-settled")
    span = window(run, NOW)
    assert span is not None
    tag = run.children[0].stored_tag or ""
    inside = [query.tag for query in run.intruders if span.holds(query.started_at)]
    like = re.compile(tag.replace("_", ".") + ".*")
    assert {None, "", "flakebench", f"{tag}x", f"{tag}1:phase=RUNNING"} <= set(inside)
    assert any(foreign and like.fullmatch(foreign) and not foreign.startswith(tag) for foreign in inside)
    assert any((query.tag or "").startswith("flakebench_enrichment") for query in run.intruders)
    assert any(query.tag == f"{tag}:phase=RUNNING" and not span.holds(query.started_at) for query in run.intruders)
    assert any(query.lock_waits for query in run.intruders)
    assert any(query.insights for query in run.intruders)


def test_both_histories_are_newer_than_every_finished_window(account: Account, tables: Tables) -> None:
    windows = [window(run, NOW) for run in account.runs if run.status != "RUNNING"]
    newest_end = max(span.end for span in windows if span is not None)
    background = {query.query_id for query in account.background}
    assert max(r["START_TIME"] for r in tables[QUERY_HISTORY] if r["QUERY_ID"] in background) > newest_end
    sessions = {query.session_id for query in account.background}
    assert max(r["INTERVAL_END_TIME"] for r in tables[AGGREGATE] if r["SESSION_ID"] in sessions) > newest_end
    assert max(r["START_TIME"] for r in tables[QUERY_HISTORY]) <= NOW


@pytest.mark.parametrize("name", [plan.name for plan in PLANS if plan.table_type != "POSTGRES"])
def test_warm_up_and_cooldown_surround_the_measured_part(account: Account, name: str) -> None:
    queries = account.run(name).queries
    parts = ["warmup" if q.warmup else "measured" if q.measured else "cooldown" for q in queries]
    assert parts == sorted(parts, key=["warmup", "measured", "cooldown"].index)
    assert set(parts) == {"warmup", "measured", "cooldown"}


@pytest.mark.parametrize("name", SETTLED)
def test_distinct_view_rows_add_up_to_the_stored_rows(account: Account, tables: Tables, name: str) -> None:
    """The rows of the view, read the way the specification says, give the same sums as the raw statements."""
    run = account.run(name)
    span = window(run, NOW)
    assert span is not None
    measured = {query.tag for query in counted(run, span)}
    start, end = span.start, span.end
    rows = [r for r in tables[AGGREGATE] if r["QUERY_TAG"] in measured and start <= r["INTERVAL_START_TIME"] < end]
    assert len(distinct(rows)) < len(rows) or len(rows) < 3
    sums: dict[str | None, Counter[str]] = defaultdict(Counter)
    for row in distinct(rows):
        stored = sums[row["QUERY_PARAMETERIZED_HASH"]]
        stored["QUERY_COUNT"] += row["CALLS"]
        stored["EXEC_SUM_MS"] += row["EXECUTION_TIME"]["sum"]
        stored["HYBRID_REQUESTS_THROTTLED_COUNT"] += row["HYBRID_TABLE_REQUESTS_THROTTLED_COUNT"]
        stored["ERRORS_COUNT"] += sum(error["count"] for error in row["ERRORS"])
    expected = truth.expected(run, NOW).aggregate_query_metrics
    assert expected.keys() == sums.keys()
    for pattern_hash, stored in sums.items():
        assert {column: expected[pattern_hash][column] for column in stored} == stored
