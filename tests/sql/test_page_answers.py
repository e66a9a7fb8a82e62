"""The typed answers of a run's page, read by its reader from the embedded account."""

from __future__ import annotations

from typing import Any

import pytest

from enrichment_view.run_pages import SECTIONS
from include.enrichment.page.badge import State, Tone
from include.enrichment.page.compare import ComparisonError, Verdict, compare
from include.enrichment.page.credits import hybrid_credits
from include.enrichment.page.history import history
from include.enrichment.page.insights import query_insights
from include.enrichment.page.lock_contention import Blocker, lock_contention
from include.enrichment.page.partitions import partitions
from include.enrichment.page.query_acceleration import AcceleratedHour, query_acceleration
from include.enrichment.page.reader import Reader
from include.enrichment.page.rows import UnknownRunError
from include.enrichment.page.run_page import run_page
from include.enrichment.page.sections import SectionState
from include.enrichment.page.server_metrics import server_metrics
from include.enrichment.settings import Settings
from tests.sql.account import CONN_ID, Account
from tests.sql.cases import Moment, load_tables

HYBRID = [{"TEST_ID": "run-1", "TABLE_TYPE": "HYBRID"}, {"TEST_ID": "child-1", "TABLE_TYPE": "HYBRID"}]
EVERY_SECTION = (server_metrics, lock_contention, hybrid_credits, query_acceleration, query_insights, partitions)


@pytest.fixture
def reader(account: Account, settings: Settings) -> Reader:
    return Reader(CONN_ID, settings)


def load(account: Account, **tables: list[dict[str, Any]]) -> None:
    moment = Moment.current()
    load_tables(account, moment.resolve(tables), moment)


def test_an_id_that_nothing_has_is_unknown_everywhere(reader: Reader) -> None:
    for read in (run_page, history, *EVERY_SECTION):
        with pytest.raises(UnknownRunError):
            read(reader, "nobody")


def test_a_run_that_is_not_queued_yet_shows_what_will_come_and_when(account: Account, reader: Reader) -> None:
    load(account, TEST_RESULTS=[{**row, "END_TIME": "-10m"} for row in HYBRID])
    found = run_page(reader, "run-1")

    assert found.state is State.NOT_QUEUED
    assert [item.enrichment_type for item in found.types] == ["QUERY_HISTORY", "AGGREGATE", "LOCK_CONTENTION"]
    assert found.ended_at is not None
    assert [int((item.due_at - found.ended_at).total_seconds() / 60) for item in found.types if item.due_at] == [
        50,
        195,
        195,
    ]
    assert not found.is_settled
    for read in EVERY_SECTION:
        section = read(reader, "run-1")
        assert section.state in {SectionState.COMING, SectionState.NOT_APPLICABLE}
        assert not section.is_shown
        assert section.data_complete is None


def test_an_optional_type_is_to_come_where_the_settings_name_it(account: Account) -> None:
    load(account, TEST_RESULTS=[{"TEST_ID": "run-1", "END_TIME": "-10m", "START_TIME": "-20m"}])
    found = run_page(Reader(CONN_ID, Settings(optional_types=("QUERY_ACCELERATION",))), "run-1")
    assert found.types[-1].enrichment_type == "QUERY_ACCELERATION"


def test_the_section_of_an_optional_type_is_shown_of_runs_that_have_it_and_where_the_settings_name_it(
    account: Account, reader: Reader
) -> None:
    task = {"ENRICHMENT_TYPE": "QUERY_ACCELERATION", "STATUS": "COMPLETED", "ROWS_WRITTEN": 1}
    load(
        account,
        TEST_RESULTS=[{"TEST_ID": "run-1"}, {"TEST_ID": "run-2", "RUN_ID": "run-2"}],
        DELAYED_ENRICHMENT_TASKS=[
            task,
            {"RUN_ID": "run-2", "TEST_ID": "run-2", "JOB_ID": "job-2", "ENRICHMENT_TYPE": "AGGREGATE"},
        ],
        QUERY_ACCELERATION_CREDITS=[{"WAREHOUSE_NAME": "WH", "CREDITS_USED": 0.5, "CREDIT_SCOPE": "WAREHOUSE"}],
    )
    named = Settings(optional_types=("QUERY_ACCELERATION",))
    section = SECTIONS["query-acceleration"]
    with_it, without = run_page(reader, "run-1"), run_page(reader, "run-2")
    assert [section.is_shown(run, reader.settings) for run in (with_it, without)] == [True, False]
    assert section.is_shown(without, named)
    assert all(item.is_shown(without, reader.settings) for name, item in SECTIONS.items() if item is not section)

    found = query_acceleration(reader, "run-1")
    assert (found.credits, found.scope, found.hours) == (0.5, "WAREHOUSE", (AcceleratedHour("WH", None, None, 0.5),))


def test_a_run_of_which_a_type_failed_is_partial_and_may_be_retried(account: Account, reader: Reader) -> None:
    tasks = [
        {
            "STATUS": "COMPLETED",
            "DATA_COMPLETE": True,
            "ROWS_WRITTEN": 4,
            "COMPLETED_AT": "-240m",
            "STARTED_AT": "-241m",
        },
        {"ENRICHMENT_TYPE": "AGGREGATE", "STATUS": "FAILED", "LAST_ERROR": "no tag", "COMPLETED_AT": "-100m"},
    ]
    load(account, TEST_RESULTS=HYBRID, DELAYED_ENRICHMENT_TASKS=tasks)
    found = run_page(reader, "child-1")

    assert (found.run_id, found.state, found.badge.tone) == ("run-1", State.PARTIAL, Tone.WARNING)
    assert found.may_be_retried
    assert found.is_settled
    assert {item.enrichment_type: item.behind_minutes for item in found.types} == {
        "QUERY_HISTORY": 60,
        "AGGREGATE": None,
    }


def test_postgres_says_why_there_is_nothing(account: Account, reader: Reader) -> None:
    rows = [{**row, "TABLE_TYPE": "POSTGRES"} for row in HYBRID]
    load(account, TEST_RESULTS=rows, DELAYED_ENRICHMENT_QUEUE=[{"STATUS": "NOT_APPLICABLE", "TABLE_TYPE": "POSTGRES"}])

    assert run_page(reader, "run-1").state is State.NOT_APPLICABLE
    for read in EVERY_SECTION:
        assert "Postgres" in read(reader, "run-1").message


def test_unknown_blockers_and_waits_are_counted_and_not_made_up(account: Account, reader: Reader) -> None:
    waits = [
        {
            "EVENT_ID": "a",
            "QUERY_ID": "q1",
            "REQUESTED_AT": "-305m",
            "WAIT_DURATION_MS": 6200,
            "BLOCKING_TRANSACTION_ID": 1760000000126000000,
            "FURTHER_BLOCKERS": [{"transaction_id": 18, "is_snowflake": False}],
        },
        {"EVENT_ID": "b", "QUERY_ID": "q2", "REQUESTED_AT": "-304m"},
    ]
    load(
        account,
        TEST_RESULTS=HYBRID,
        DELAYED_ENRICHMENT_TASKS=[{"ENRICHMENT_TYPE": "LOCK_CONTENTION", "STATUS": "COMPLETED", "ROWS_WRITTEN": 2}],
        LOCK_CONTENTION_EVENTS=waits,
    )
    found = lock_contention(reader, "run-1")

    assert found.waits[0].blockers == (Blocker("1760000000126000000", None), Blocker("18", None, is_snowflake=False))
    assert (found.waits[1].blockers, found.waits[1].wait_ms) == ((), None)
    assert (found.unknown_blocker_count, found.unknown_wait_count) == (1, 1)


def test_a_value_whose_bounds_are_equal_is_exact_and_any_other_an_estimate(account: Account, reader: Reader) -> None:
    summary = {
        "QUERY_COUNT": 10,
        "QUERY_PATTERN_COUNT": 1,
        "EXEC_MEDIAN_MS": 5,
        "EXEC_MEDIAN_LOW_MS": 5,
        "EXEC_MEDIAN_HIGH_MS": 5,
        "EXEC_P95_MS": 9,
        "EXEC_P95_LOW_MS": 8,
        "EXEC_P95_HIGH_MS": 12,
    }
    load(
        account,
        TEST_RESULTS=HYBRID,
        DELAYED_ENRICHMENT_TASKS=[{"ENRICHMENT_TYPE": "AGGREGATE", "STATUS": "COMPLETED", "ROWS_WRITTEN": 1}],
        RUN_ENRICHMENT_SUMMARY=[summary],
    )
    found = server_metrics(reader, "run-1").execution

    assert not found.percentile("p50").is_estimated
    assert found.percentile("p95").is_estimated
    assert (found.percentile("p99").value, found.percentile("p99").is_estimated) == (None, False)


def test_insights_that_have_expired_leave_their_numbers_and_say_so(account: Account, reader: Reader) -> None:
    load(
        account,
        TEST_RESULTS=[{"TEST_ID": "run-1"}],
        DELAYED_ENRICHMENT_TASKS=[{"ENRICHMENT_TYPE": "QUERY_INSIGHTS", "STATUS": "COMPLETED", "ROWS_WRITTEN": 5}],
        RUN_ENRICHMENT_SUMMARY=[{"QUERY_INSIGHTS_COUNT": 5, "QUERY_INSIGHTS_HIGH_SEVERITY_COUNT": 3}],
    )
    found = query_insights(reader, "run-1")

    assert (found.insight_count, found.total) == (5, 0)
    assert "expired" in found.notices[0]


def test_the_history_names_the_task_log_and_what_changed(account: Account, reader: Reader) -> None:
    attempt = {
        "CLAIM_TOKEN": "c2:2",
        "CLAIMED_BY": "delayed_enrichment/scheduled__2026-03-10T12:00:00+00:00",
        "STARTED_AT": "-100m",
        "CHANGES": {"QUERY_COUNT": {"from": 1, "to": 9}},
    }
    load(
        account,
        TEST_RESULTS=HYBRID,
        DELAYED_ENRICHMENT_TASKS=[{"STATUS": "COMPLETED"}],
        DELAYED_ENRICHMENT_ATTEMPTS=[attempt],
    )
    (found,) = history(reader, "run-1").attempts

    assert found.log is not None
    assert (found.log.dag_run_id, found.log.try_number) == ("scheduled__2026-03-10T12:00:00+00:00", 2)
    assert found.log.label == "benchmark · QUERY_HISTORY"
    assert [(item.column, item.before, item.after) for item in found.changes] == [("QUERY_COUNT", 1, 9)]


def test_tries_that_were_cleaned_up_are_not_taken_for_none(account: Account, reader: Reader) -> None:
    load(account, TEST_RESULTS=HYBRID, DELAYED_ENRICHMENT_TASKS=[{"STATUS": "COMPLETED", "ATTEMPTS": 1}])
    found = history(reader, "run-1")

    assert found.state is SectionState.EMPTY
    assert "deleted 30 days after" in found.message


def test_runs_are_compared_in_the_order_given_the_first_as_the_baseline(account: Account, reader: Reader) -> None:
    other = [{"TEST_ID": "run-2", "RUN_ID": "run-2", "TABLE_TYPE": "HYBRID", "WAREHOUSE_SIZE": "LARGE"}]
    load(
        account,
        TEST_RESULTS=[*HYBRID, *other],
        RUN_ENRICHMENT_SUMMARY=[
            {"EXEC_P95_MS": 40, "EXEC_P95_LOW_MS": 35, "EXEC_P95_HIGH_MS": 45},
            {"RUN_ID": "run-2", "TEST_ID": "run-2", "EXEC_P95_MS": 20, "EXEC_P95_LOW_MS": 15, "EXEC_P95_HIGH_MS": 25},
        ],
        DELAYED_ENRICHMENT_QUEUE=[
            {"STATUS": "COMPLETED"},
            {"JOB_ID": "job-2", "RUN_ID": "run-2", "STATUS": "COMPLETED"},
        ],
    )
    found = compare(reader, ["run-2", "child-1"])
    p95 = next(metric for metric in found.metrics if metric.name == "exec_p95")

    assert [run.run_id for run in found.runs] == ["run-2", "run-1"]
    assert [value.verdict for value in p95.values] == [Verdict.BASELINE, Verdict.HIGHER]
    assert [value.is_best for value in p95.values] == [True, False]
    assert found.data_complete is None
    assert next(item for item in found.configuration if item.name == "warehouse size").is_different


@pytest.mark.parametrize(
    ("run_ids", "message"),
    [
        (["run-1"], "2 to 5"),
        (["run-1", "run-1"], "2 to 5"),
        ([f"run-{number}" for number in range(6)], "not 6"),
        (["run-1", "nobody"], "No run has the id nobody"),
        (["run-1", "child-1"], "one and the same run"),
    ],
)
def test_what_cannot_be_compared_says_why(account: Account, reader: Reader, run_ids: list[str], message: str) -> None:
    load(account, TEST_RESULTS=HYBRID)

    with pytest.raises(ComparisonError, match=message):
        compare(reader, run_ids)
