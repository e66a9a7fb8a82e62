"""The truth of the sample account follows the specification, and its runs have the cases they are for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from local.sample.arithmetic import Between
from local.sample_account import Account, build_account, truth

NOW = datetime(2026, 11, 21, 9, 40, 31, tzinfo=UTC)
QUERY_HISTORY = "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"
AGGREGATE = "SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY"
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


def task(account: Account, name: str, kind: str, now: datetime = NOW) -> truth.ExpectedTask:
    return truth.expected(account.run(name), now, NOW).tasks[kind]


def test_no_expected_average_lies_half_way_between_two_stored_values(account: Account) -> None:
    """So that the comparison does not depend on how a database rounds halves."""
    for run in account.runs:
        for row in truth.expected(run, NOW).aggregate_query_metrics.values():
            for prefix in ("EXEC", "COMPILE", "ELAPSED", "QUEUED_OVERLOAD", "QUEUED_PROVISIONING"):
                mean = Fraction(row[f"{prefix}_SUM_MS"]) / row["QUERY_COUNT"]
                assert (mean * 2000).denominator != 1 or (mean * 1000).denominator == 1, (run.name, prefix)
            for prefix in ("BYTES_SCANNED", "ROWS_PRODUCED"):
                mean = Fraction(row[f"{prefix}_SUM"], row["QUERY_COUNT"])
                assert mean.denominator != 2, (run.name, prefix)


@pytest.mark.parametrize("name", SETTLED)
def test_what_is_expected_of_bounds_follows_from_the_raw_statements(account: Account, name: str) -> None:
    expected = truth.expected(account.run(name), NOW)
    for pattern_hash, row in expected.aggregate_query_metrics.items():
        if row["PERCENTILE_METHOD"] == "EXACT":
            continue
        for column, true in expected.true_percentiles[pattern_hash].items():
            low, high = (row[column.replace("_MS", f"_{suffix}_MS")] for suffix in ("LOW", "HIGH"))
            assert low.high == true == high.low


def test_percentiles_of_one_row_are_exact(account: Account) -> None:
    expected = truth.expected(account.run("standard-single-minute"), NOW)
    ((pattern_hash, row),) = expected.aggregate_query_metrics.items()
    assert row["PERCENTILE_METHOD"] == "EXACT"
    assert row["INTERVAL_COUNT"] == 1
    true = expected.true_percentiles[pattern_hash]
    assert row["EXEC_P99_MS"] == true["EXEC_P99_MS"] == row["EXEC_P99_LOW_MS"]
    assert row["EXEC_P95_MS"] == Between(row["EXEC_P90_MS"], row["EXEC_P99_MS"])
    assert row["EXEC_P95_LOW_MS"] <= true["EXEC_P95_MS"] <= row["EXEC_P95_HIGH_MS"]
    assert row["P999_IS_MAX"]
    assert row["EXEC_P999_MS"] == row["EXEC_MAX_MS"] >= true["EXEC_P999_MS"] == row["EXEC_P999_LOW_MS"]


def test_rows_that_only_the_release_tells_apart_both_count(account: Account, tables: Tables) -> None:
    twins = [row for row in tables[AGGREGATE] if row["QUERY_TEXT"].endswith("LIMIT ?") and "facts" in row["QUERY_TEXT"]]
    without_release = {json.dumps({**row, "RELEASE_VERSION": ""}, default=str) for row in twins}
    assert len(without_release) == 1
    assert {row["RELEASE_VERSION"] for row in twins} == {"10.31.102", "10.31.103"}
    rows = truth.expected(account.run("interactive-settled"), NOW).aggregate_query_metrics
    assert rows[twins[0]["QUERY_PARAMETERIZED_HASH"]]["QUERY_COUNT"] == 2


def test_hybrid_statements_are_mostly_absent_from_query_history(account: Account) -> None:
    found = task(account, "hybrid-settled", "QUERY_HISTORY")
    assert found.expected_count is not None
    assert found.found_count is not None
    assert 0 < found.found_count < found.expected_count / 50
    assert found.data_complete is None
    run = account.run("hybrid-settled")
    assert len(run.children) == 3
    assert len({query.session_id for query in run.queries}) == 6
    assert len({query.user for query in run.queries}) == 2


def test_lock_waits_are_of_every_kind(account: Account) -> None:
    expected = truth.expected(account.run("hybrid-settled"), NOW)
    rows = expected.lock_contention_events.values()
    assert Counter(row["WAIT_SOURCE"] for row in rows) == {
        "TRANSACTION_BLOCKED_TIME": 5,
        "ACQUIRED_AT": 1,
        None: 1,
    }
    assert sorted(len(row["FURTHER_BLOCKERS"]) for row in rows) == [0, 0, 0, 0, 0, 1, 1]
    assert expected.summary["LOCK_WAIT_COUNT"] == 7
    assert expected.summary["LOCK_WAIT_TOTAL_MS"] == Decimal(6200 + 7400 + 5300 + 11000 + 8050)
    assert expected.summary["LOCK_WAIT_MAX_MS"] == Decimal(11000)


def test_insights_are_of_every_kind(account: Account) -> None:
    rows = truth.expected(account.run("standard-settled"), NOW).query_insights_cache
    assert max(Counter(query_id for query_id, _ in rows).values()) > 1
    assert {row["IS_OPPORTUNITY"] for row in rows.values()} == {True, False, None}
    assert {row["INSIGHT_SEVERITY"] for row in rows.values()} == {"HIGH", "LOW"}
    assert any("\n" in (row["RECOMMENDATION"] or "") for row in rows.values())


def test_repeated_query_history_rows_end_with_the_true_one(account: Account, tables: Tables) -> None:
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tables[QUERY_HISTORY]:
        versions[row["QUERY_ID"]].append(row)
    expected = truth.expected(account.run("standard-settled"), NOW).query_execution_metrics
    repeated = [query_id for query_id in expected if len(versions[query_id]) > 1]
    assert len(repeated) > 5
    for query_id in repeated:
        last = max(versions[query_id], key=lambda row: (row["END_TIME"], row["TOTAL_ELAPSED_TIME"]))
        assert last["BYTES_SPILLED_TO_LOCAL_STORAGE"] == expected[query_id]["BYTES_SPILLED_LOCAL"]
        assert last["PARTITIONS_SCANNED"] == expected[query_id]["PARTITIONS_SCANNED"]


def test_executions_are_filled_where_found_and_null_elsewhere(account: Account) -> None:
    expected = truth.expected(account.run("standard-settled"), NOW)
    rows = expected.query_executions
    empty = [key for key, row in rows.items() if all(value is None for value in row.values())]
    assert empty
    assert all(query_id.startswith("LOCAL_") for _, query_id in empty)
    warmup = {query.query_id for query in account.run("standard-settled").queries if query.warmup}
    assert any(query_id in warmup for _, query_id in rows)
    assert not warmup & expected.query_execution_metrics.keys()


def test_a_pattern_without_hash_is_kept(account: Account) -> None:
    assert None in truth.expected(account.run("standard-settled"), NOW).aggregate_query_metrics


@pytest.mark.parametrize(
    ("name", "tag"),
    [("dynamic-settled", "nightly-dynamic-bench"), ("hybrid-settled", None), ("unistore-settled", None)],
)
def test_the_stored_tag_is_the_common_base(account: Account, name: str, tag: str | None) -> None:
    rows = truth.expected(account.run(name), NOW).aggregate_query_metrics.values()
    assert {row["QUERY_TAG"] for row in rows} == {tag}


def test_what_is_due_depends_on_the_age(account: Account) -> None:
    fresh = truth.expected(account.run("hybrid-fresh"), NOW)
    end = datetime(2026, 11, 21, 8, 40)
    assert {name: t.status for name, t in fresh.tasks.items()} == {
        "QUERY_HISTORY": "COMPLETED",
        "QUERY_INSIGHTS": "NOT_APPLICABLE",
        "AGGREGATE": "PENDING",
        "LOCK_CONTENTION": "PENDING",
        "HYBRID_CREDITS": "NOT_APPLICABLE",
    }
    assert fresh.tasks["AGGREGATE"].due_at == end + timedelta(minutes=195)
    assert fresh.job_status == "PENDING"
    new = truth.expected(account.run("standard-new"), NOW)
    assert {t.status for t in new.tasks.values()} == {"PENDING"}
    assert truth.expected(account.run("hybrid-fresh"), NOW + timedelta(hours=3)).job_status == "COMPLETED"


def test_a_view_that_is_still_filling_is_not_ready(account: Account) -> None:
    filling = truth.expected(account.run("standard-filling"), NOW)
    found = filling.tasks["AGGREGATE"]
    assert (found.status, found.reason_code, found.data_complete) == ("PENDING", "NOT_READY", False)
    assert found.coverage == pytest.approx(0.6, abs=0.02)
    assert filling.aggregate_query_metrics
    assert filling.job_status == "PENDING"


@pytest.mark.parametrize("name", SETTLED)
def test_settled_runs_are_complete(account: Account, name: str) -> None:
    expected = truth.expected(account.run(name), NOW)
    assert expected.job_status == "COMPLETED"
    assert expected.tasks["AGGREGATE"].coverage == 1.0
    assert expected.tasks["AGGREGATE"].data_complete


def test_credits_are_whole_rows_of_the_time_when_they_were_billed(account: Account) -> None:
    expected = truth.expected(account.run("hybrid-billed"), NOW)
    assert set(expected.tasks) == {"AGGREGATE", "LOCK_CONTENTION", "HYBRID_CREDITS"}
    assert expected.summary["HYBRID_CREDITS_USED"] == Decimal("0.013333332")
    assert expected.summary["HYBRID_CREDITS_START_TIME"] == datetime(2026, 2, 20, 9)
    assert truth.expected(account.run("hybrid-billed"), NOW + timedelta(days=365)).job_status == "SKIPPED"


@pytest.mark.parametrize("name", ["failed", "cancelled", "running"])
def test_unfinished_runs_have_no_job(account: Account, name: str) -> None:
    assert truth.expected(account.run(name), NOW).job_status is None


def test_postgres_has_a_job_without_types(account: Account) -> None:
    expected = truth.expected(account.run("postgres"), NOW)
    assert (expected.job_status, expected.tasks) == ("NOT_APPLICABLE", {})


@pytest.mark.parametrize(
    ("name", "reason", "wait"),
    [
        ("broken-no-tags", "NO_QUERY_TAG", timedelta()),
        ("broken-bare-tag", "NO_QUERY_TAG", timedelta()),
        ("broken-empty-tags", "NO_QUERY_TAG", timedelta()),
        ("broken-inverted", "BAD_WINDOW", timedelta()),
        ("broken-no-end", "BAD_WINDOW", timedelta(hours=4)),
        ("broken-future", "BAD_WINDOW", timedelta(hours=4)),
    ],
)
def test_broken_runs_fail_once_due(account: Account, name: str, reason: str, wait: timedelta) -> None:
    expected = truth.expected(account.run(name), NOW + wait, NOW)
    assert {(t.status, t.reason_code) for t in expected.tasks.values()} == {("FAILED", reason)}
    assert expected.job_status == "FAILED"
    assert not expected.aggregate_query_metrics
