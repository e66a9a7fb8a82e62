"""What a single data case cannot show: the fence, repetition, and very long tags."""

from __future__ import annotations

from typing import Any

import pytest

from include.enrichment.catalogue import CATALOGUE
from include.enrichment.lifecycle import Attempt
from include.enrichment.settings import Settings
from include.enrichment.snowflake import AUTOCOMMIT_OF_LOGIN, open_hook
from include.enrichment.templates import render
from tests.sql.account import CONN_ID, Account, Row
from tests.sql.cases import Moment, load_claimed_task, run_try

TASKS = "FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_TASKS"
STATISTICS = {"sum": 100, "avg": 10, "stddev": 1, "min": 9, "median": 10, "p90": 11, "p99": 12, "p99.9": 12, "max": 12}
CLOCKS = {"CREATED_AT", "UPDATED_AT", "EXPIRES_AT"}
RESULTS = (
    "QUERY_EXECUTION_METRICS",
    "AGGREGATE_QUERY_METRICS",
    "LOCK_CONTENTION_EVENTS",
    "HYBRID_TABLE_CREDITS",
    "QUERY_INSIGHTS_CACHE",
    "QUERY_ACCELERATION_CREDITS",
    "RUN_ENRICHMENT_SUMMARY",
    "QUERY_EXECUTIONS",
)
TYPES = [entry.name for entry in CATALOGUE]


def a_run_with_rows_in_every_view() -> dict[str, Any]:
    return {
        "TEST_RESULTS": [{"TEST_ID": "run-1", "WAREHOUSE": "BENCH_WH"}, {"TEST_ID": "child-1"}],
        "QUERY_EXECUTIONS": [{"QUERY_ID": "q1"}],
        "QUERY_HISTORY": [{"QUERY_ID": "q1", "PARTITIONS_SCANNED": 3, "TRANSACTION_BLOCKED_TIME": 7000}],
        "AGGREGATE_QUERY_HISTORY": [{"EXECUTION_TIME": STATISTICS}, {"SESSION_ID": 2, "EXECUTION_TIME": STATISTICS}],
        "LOCK_WAIT_HISTORY": [{"BLOCKER_QUERIES": [{"transaction_id": 1, "query_id": "b"}]}],
        "HYBRID_TABLE_USAGE_HISTORY": [{"CREDITS_USED": 0.5}],
        "QUERY_INSIGHTS": [{"SUGGESTIONS": ["s"]}],
        "QUERY_ACCELERATION_HISTORY": [{"CREDITS_USED": 0.5}],
    }


def results(account: Account) -> dict[str, list[Row]]:
    return {
        table: sorted(
            ({name: value for name, value in row.items() if name not in CLOCKS} for row in account.table(table)),
            key=repr,
        )
        for table in RESULTS
    }


@pytest.fixture(params=TYPES)
def enrichment_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_second_try_changes_no_number_and_doubles_no_row(
    account: Account, settings: Settings, enrichment_type: str
) -> None:
    task = load_claimed_task(account, a_run_with_rows_in_every_view(), Moment.current(), enrichment_type)
    assert run_try(task, settings).error is None
    once = results(account)
    assert sum(map(len, once.values())) == 3  # its target, the summary and the execution
    assert run_try(task, settings, try_number=2).error is None
    assert results(account) == once
    assert [row["ATTEMPTS"] for row in account.table("DELAYED_ENRICHMENT_TASKS")] == [2]


@pytest.mark.parametrize("step", ["run", "read", "reading"])
def test_a_try_whose_token_was_taken_meanwhile_writes_nothing_at_all(
    account: Account, settings: Settings, step: str
) -> None:
    task = load_claimed_task(account, a_run_with_rows_in_every_view(), Moment.current(), "QUERY_HISTORY")
    taken: list[dict[str, list[str]]] = []

    def take_over(_: Any, cursor: Any) -> None:
        if not taken and f"-- step: {step}\n" in (cursor.query or ""):
            account.run(f"UPDATE {TASKS} SET CLAIM_TOKEN = 'claim-2:1', CLAIMED_BY = 'another'")
            taken.append(account.contents())

    outcome = run_try(task, settings, observe=take_over)
    assert outcome.error == "CLAIM_LOST"
    assert "run-1" in outcome.message
    assert account.contents() == taken[0]


def test_a_task_that_was_settled_meanwhile_is_not_settled_again(account: Account, settings: Settings) -> None:
    task = load_claimed_task(account, a_run_with_rows_in_every_view(), Moment.current(), "QUERY_HISTORY")

    def settle(_: Any, cursor: Any) -> None:
        if "-- step: reading\n" in (cursor.query or ""):
            account.run(f"UPDATE {TASKS} SET STATUS = 'SKIPPED', REASON_CODE = 'BY_HAND'")

    assert run_try(task, settings, observe=settle).error == "CLAIM_LOST"
    assert [row["REASON_CODE"] for row in account.table("DELAYED_ENRICHMENT_TASKS")] == ["BY_HAND"]
    assert account.table("QUERY_EXECUTION_METRICS") == []


def test_a_job_deleted_meanwhile_is_a_lost_claim(account: Account, settings: Settings) -> None:
    task = load_claimed_task(account, a_run_with_rows_in_every_view(), Moment.current(), "QUERY_HISTORY")

    def delete(_: Any, cursor: Any) -> None:
        if "-- step: take_over\n" in (cursor.query or ""):
            account.run(f"DELETE FROM {TASKS}")

    assert run_try(task, settings, observe=delete).error == "CLAIM_LOST"
    assert account.table("QUERY_EXECUTION_METRICS") == []


@pytest.mark.parametrize(
    "match",
    [r"step: write\n", r"MERGE INTO \S+RUN_ENRICHMENT_SUMMARY", r"^\s*INSERT INTO \S+ATTEMPTS", r"step: finish\n"],
)
def test_an_error_in_any_statement_of_the_transaction_writes_nothing(
    account: Account, settings: Settings, match: str
) -> None:
    given = a_run_with_rows_in_every_view() | {"QUERY_EXECUTION_METRICS": [{"QUERY_ID": "old"}]}
    task = load_claimed_task(account, given, Moment.current(), "QUERY_HISTORY")
    before = results(account)
    account.put_faults([{"match": match, "errno": 604, "sqlstate": "57014", "message": "canceled", "times": 1}])
    assert run_try(task, settings).error == "CANCELED"
    assert results(account) == before


@pytest.mark.parametrize("length", [200, 2000])
def test_a_tag_of_the_longest_length_is_matched_whole(account: Account, settings: Settings, length: int) -> None:
    base = f"flakebench:test_id=child-1:note={'x' * 200}"[:190]
    tag = f"{base}:{'y' * length}"[: length - 14] + ":phase=RUNNING"
    given = {
        "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1", "QUERY_TAG": base}],
        "QUERY_HISTORY": [
            {"QUERY_ID": "whole", "QUERY_TAG": tag if length > 200 else base},
            {"QUERY_ID": "one-less", "QUERY_TAG": base[:-1]},
            {"QUERY_ID": "one-more", "QUERY_TAG": base + "x"},
        ],
    }
    task = load_claimed_task(account, given, Moment.current(), "QUERY_HISTORY")
    assert run_try(task, settings).error is None
    assert [row["QUERY_ID"] for row in account.table("QUERY_EXECUTION_METRICS")] == ["whole"]


@pytest.mark.parametrize("whole_first", [True, False], ids=["whole, then needed", "needed, then whole"])
def test_a_statement_that_is_left_out_would_have_changed_nothing(
    account: Account, settings: Settings, enrichment_type: str, whole_first: bool
) -> None:
    """The template sent in whole stores the same as without what is behind ``-- when:``, on a first look and again."""
    task = load_claimed_task(account, a_run_with_rows_in_every_view(), Moment.current(), enrichment_type)

    def send_whole(try_number: int) -> None:
        attempt = Attempt(
            task, settings, try_number=try_number, claimed_by="delayed_enrichment/pass-1", lease_minutes=90
        )
        open_hook(CONN_ID, settings).run(
            render(attempt.entry.template, settings),
            autocommit=AUTOCOMMIT_OF_LOGIN,
            parameters=attempt.parameters,
            handler=attempt.observe,
            return_last=False,
        )

    def send_needed(try_number: int) -> None:
        assert run_try(task, settings, try_number=try_number).error is None

    first, second = (send_whole, send_needed) if whole_first else (send_needed, send_whole)
    first(1)
    once = results(account)
    assert sum(map(len, once.values())) == 3
    second(2)
    assert results(account) == once
