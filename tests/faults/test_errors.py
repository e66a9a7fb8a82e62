"""Every class of error through the real operator, hook and connector: what is left behind, and what is never said.

Airflow logs "Executing: <template>" for every SQL operator: the package's own SQL with the names of its bind
parameters, never their values.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
import structlog
from airflow._shared.logging import structlog as core_logging
from airflow.sdk._shared.logging import structlog as sdk_logging
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.enrichment import queue
from include.enrichment import settings as enrichment_settings
from include.enrichment.error_numbers import ERROR_NUMBERS, ErrorClass, Verdict
from include.enrichment.errors import EnrichmentError
from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.operator import SnowflakeEnrichmentOperator
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from include.enrichment.templates import render
from tests.faults.matrix import Matrix
from tests.sql.account import CONN_ID, OWN_SCHEMA, Account, Row
from tests.sql.cases import Moment, load_tables

TASKS = f"{OWN_SCHEMA}.DELAYED_ENRICHMENT_TASKS"
DUE = f"UPDATE {TASKS} SET STATUS = 'PENDING', DUE_AT = DATEADD('minute', -1, SYSDATE()), ATTEMPTS = 0"
READ = r"step: read\n"
CLIENT_NUMBERS = range(200_000, 300_000)
RENEWED = {390112}
"""The connector opens a new session by itself and repeats the statement, so this one reaches nobody."""
FROM_SERVER = {
    number: verdict
    for number, verdict in ERROR_NUMBERS.items()
    if number not in CLIENT_NUMBERS and number not in RENEWED
}
TASK = ClaimedTask("job-1", "run-1", "benchmark", "QUERY_HISTORY", "claim-1")
CLAIMED = {
    "STATUS": "IN_PROGRESS",
    "CLAIM_TOKEN": TASK.claim_token,
    "CLAIMED_BY": "delayed_enrichment/pass-1",
    "CLAIMED_AT": "-1m",
    "LEASE_EXPIRES_AT": "+89m",
}
VIEW = "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"
QUERY_TEXT, TAG, VALUE = "MARKER_QUERY_TEXT", "MARKER_TAG", "MARKER_VALUE"

WRITTEN = [("QUERY_EXECUTION_METRICS", "q1"), ("TASK", "COMPLETED")]


def fault(number: int, message: str, match: str = READ, sqlstate: str = "XX000") -> Row:
    return {"match": match, "errno": number, "sqlstate": sqlstate, "message": message, "times": 1}


@pytest.fixture
def run(account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A finished run whose task QUERY_HISTORY is claimed; its tag and the view's query text are marked."""
    monkeypatch.setattr(enrichment_settings, "current", lambda: settings)
    moment = Moment.current()
    tag = f"flakebench:test_id=child-1:note={TAG}"
    tables: dict[str, Any] = {
        "TEST_RESULTS": [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1", "QUERY_TAG": tag}],
        "DELAYED_ENRICHMENT_QUEUE": [{"CREATED_AT": "-20m"}],
        "DELAYED_ENRICHMENT_TASKS": [CLAIMED],
        "QUERY_EXECUTIONS": [{"QUERY_ID": "q1"}],
        "QUERY_HISTORY": [
            {"QUERY_ID": "q1", "QUERY_TAG": f"{tag}:phase=RUNNING", "QUERY_TEXT": QUERY_TEXT},
            {"QUERY_ID": "newest", "START_TIME": "-2m", "END_TIME": "-2m", "QUERY_TAG": "somebody_else"},
        ],
    }
    load_tables(account, moment.resolve(tables), moment)
    return account


def claim(settings: Settings) -> ClaimedTask:
    hook = open_hook(CONN_ID, settings)
    (task,) = queue.claim_due_tasks(hook, settings, claimed_by="delayed_enrichment/pass-1", lease_minutes=90).tasks
    return ClaimedTask(**task)


def execute(task: ClaimedTask, *, max_tries: int = 0) -> BaseException | None:
    """One try of the mapped task, and what it raises."""
    operator = SnowflakeEnrichmentOperator(task_id="enrich", conn_id=CONN_ID, claimed=asdict(task), lease_minutes=90)
    operator.sql = render(str(operator.sql), enrichment_settings.current())
    ti = SimpleNamespace(try_number=1, max_tries=max_tries, dag_id="delayed_enrichment", run_id="pass-1")
    try:
        operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    except (AirflowFailException, AirflowSkipException, EnrichmentError) as error:
        return error
    return None


def task_row(account: Account) -> Row:
    (row,) = account.table("DELAYED_ENRICHMENT_TASKS")
    return row


def waits(row: Row) -> timedelta:
    """From the end of the try to the next."""
    return timedelta(seconds=round((row["DUE_AT"] - row["UPDATED_AT"]).total_seconds()))


@pytest.mark.parametrize(("number", "verdict"), FROM_SERVER.items(), ids=[f"{n:06d}" for n in FROM_SERVER])
def test_a_number_of_the_server_decides_what_becomes_of_the_task(
    run: Account, settings: Settings, number: int, verdict: Verdict
) -> None:
    due_at = task_row(run)["DUE_AT"]
    run.put_faults([fault(number, f"{verdict.meaning}.")])
    raised = execute(TASK)
    row = task_row(run)
    assert isinstance(raised, AirflowFailException)
    assert str(raised) == row["LAST_ERROR"]
    assert (row["REASON_CODE"], row["ATTEMPTS"], row["LEASE_EXPIRES_AT"]) == (verdict.reason_code, 1, None)
    for fragment in ("Run run-1", "QUERY_HISTORY", f"{number:06d}", verdict.next_action):
        assert fragment in row["LAST_ERROR"]
    if verdict.error_class is ErrorClass.TRANSIENT:
        assert (row["STATUS"], waits(row), row["COMPLETED_AT"]) == ("PENDING", timedelta(minutes=5), None)
    else:
        assert (row["STATUS"], row["DUE_AT"]) == ("FAILED", due_at)
        assert row["COMPLETED_AT"] is not None
        assert "retry the run" in row["LAST_ERROR"]


@pytest.mark.parametrize("number", [2003, 2043, 3001])
def test_a_view_that_the_role_cannot_read_waits_an_hour_uncounted_and_names_the_grant(
    run: Account, settings: Settings, number: int
) -> None:
    run.put_faults([fault(number, f"SQL compilation error:\nObject '{VIEW}' does not exist or not authorized.")])
    assert isinstance(execute(TASK, max_tries=1), AirflowFailException)
    row = task_row(run)
    assert (row["STATUS"], row["REASON_CODE"], row["ATTEMPTS"]) == ("PENDING", "NO_PRIVILEGE", 0)
    assert waits(row) == timedelta(minutes=60)
    for fragment in (
        "Run run-1",
        "QUERY_HISTORY",
        f"{number:06d}",
        VIEW,
        "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER",
    ):
        assert fragment in row["LAST_ERROR"]


def test_a_view_that_is_not_ready_is_looked_at_again_uncounted_and_without_an_error(
    run: Account, settings: Settings
) -> None:
    run.run(f"DELETE FROM {VIEW}")
    raised = execute(TASK)
    row = task_row(run)
    assert isinstance(raised, AirflowSkipException)
    assert "run-1" in str(raised)
    assert "QUERY_HISTORY" in str(raised)
    assert (row["STATUS"], row["REASON_CODE"], row["ATTEMPTS"], row["SNOOZES"]) == ("PENDING", "NOT_READY", 0, 1)
    assert row["LAST_ERROR"] is None
    pause = timedelta(minutes=settings.not_ready_minutes)
    assert row["STARTED_AT"] + pause <= row["DUE_AT"] <= row["UPDATED_AT"] + pause


RECOVERIES = {
    "transient: 000630 statement timeout": (630, "Statement reached its timeout", "the queue's next try"),
    "no privilege: 002003 on a view": (
        2003,
        f"Object '{VIEW}' does not exist or not authorized.",
        "the try in an hour",
    ),
    "permanent: 000904 invalid identifier": (904, "invalid identifier 'X'", "a person's retry"),
}


@pytest.mark.parametrize("name", RECOVERIES)
@pytest.mark.parametrize("match", [READ, r"step: finish\n"], ids=["while reading", "in the transaction"])
def test_a_run_is_written_once_when_the_cause_is_gone(
    run: Account, settings: Settings, matrix: Matrix, name: str, match: str
) -> None:
    number, message, recovered = RECOVERIES[name]
    run.put_faults([fault(number, message, match)])
    assert execute(TASK) is not None
    assert run.table("QUERY_EXECUTION_METRICS") == []
    run.run(DUE)
    assert execute(claim(settings)) is None
    stored = [("QUERY_EXECUTION_METRICS", row["QUERY_ID"]) for row in run.table("QUERY_EXECUTION_METRICS")]
    place = "while reading" if match == READ else "in the transaction"
    matrix.check(f"{name}, {place}", recovered, expected=WRITTEN, stored=[*stored, ("TASK", task_row(run)["STATUS"])])


TOLD = {
    "transient": fault(630, f"Statement reached its timeout. '{VALUE}'", sqlstate="57014"),
    "no privilege": fault(2003, f"SQL compilation error:\nObject '{VIEW}' does not exist or not authorized."),
    "a name": fault(904, "SQL compilation error: error line 3 at position 7\ninvalid identifier 'CALLS'"),
    "a piece of the query": fault(1003, f"SQL compilation error:\nsyntax error line 3 unexpected '{VALUE}'."),
    "a value in quotes": fault(100038, f"Numeric value '{VALUE}' is not recognized", sqlstate="22018"),
    "a value without quotes": fault(100071, f"Failed to cast variant value {VALUE} to FIXED", sqlstate="22000"),
    "a row": fault(100090, f'Duplicate row detected during DML action\nRow Values: ["{VALUE}", 1]', sqlstate="42P18"),
    "a number that is not listed": fault(1789, f"Something near '{VALUE}'"),
    "in the transaction": fault(100078, f"String '{VALUE}' is too long", r"step: finish\n"),
    "before the take-over": fault(100078, f"String '{VALUE}' is too long", r"step: take_over\n"),
}  # fmt: skip


@contextmanager
def everything_that_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """All of ours and of Airflow's from DEBUG, the connector's from INFO, through both ways that Airflow logs by."""
    said: list[str] = []
    levels = {"": logging.DEBUG, "snowflake": logging.INFO}
    with ExitStack() as stack:
        for name, level in levels.items():
            stack.enter_context(caplog.at_level(level, logger=name or None))
            for trie in (core_logging.PER_LOGGER_LEVELS, sdk_logging.PER_LOGGER_LEVELS):
                stack.enter_context(patch.dict(cast("dict[str, int]", trie), {name: level}))
        events = stack.enter_context(structlog.testing.capture_logs())
        caplog.clear()
        yield said
    said += [logging.Formatter().format(record) for record in caplog.records]
    said += [repr(event) for event in events]


@pytest.mark.parametrize(
    ("told", "max_tries"),
    [*((told, 0) for told in TOLD), pytest.param("transient", 1, id="transient, and Airflow tries again")],
)
def test_query_texts_values_and_secrets_reach_no_log_no_row_and_no_exception(
    run: Account, settings: Settings, caplog: pytest.LogCaptureFixture, told: str, max_tries: int
) -> None:
    run.put_faults([TOLD[told]])
    with everything_that_is_logged(caplog) as logged:
        raised = execute(TASK, max_tries=max_tries)
    assert raised is not None
    rows = [*run.table("DELAYED_ENRICHMENT_TASKS"), *run.table("DELAYED_ENRICHMENT_ATTEMPTS")]
    told_of = "\n".join([*logged, *traceback.format_exception(raised), *map(repr, rows)])
    assert "Snowflake Connector for Python" in told_of, "the connector's own INFO is among what was captured"
    assert f"{TOLD[told]['errno']:06d}" in told_of
    secrets = (QUERY_TEXT, TAG, VALUE, run.local.password)
    assert [line for line in told_of.splitlines() if any(secret in line for secret in secrets)] == []


def test_a_refused_password_is_said_without_the_password(
    run: Account, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(run.local, password="MARKER_PASSWORD")
    with monkeypatch.context() as patched, everything_that_is_logged(caplog) as logged:
        patched.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", wrong.airflow_json())
        raised = execute(TASK)
    assert "Incorrect username or password" in str(raised)
    assert "MARKER_PASSWORD" not in "\n".join([*logged, *traceback.format_exception(raised)])


def test_an_unusable_private_key_is_said_without_the_key(
    run: Account, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(run.local.airflow_json())
    connection["extra"]["private_key_content"] = "-----BEGIN PRIVATE KEY-----\nMARKER+KEY\n-----END PRIVATE KEY-----"
    with monkeypatch.context() as patched, everything_that_is_logged(caplog) as logged:
        patched.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
        raised = execute(TASK)
    assert "run-1" in str(raised)
    assert "MARKER+KEY" not in "\n".join([*logged, *traceback.format_exception(raised)])
