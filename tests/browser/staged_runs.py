"""Runs in states that the sample account does not have, written beside it and taken away again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.deployment import Deployment

_PREFIX = "staged-"
_TABLES = (
    *("TEST_RESULTS", "DELAYED_ENRICHMENT_TASKS", "DELAYED_ENRICHMENT_ATTEMPTS"),
    "QUERY_ACCELERATION_CREDITS",
)
_INSERT_RUN = """
INSERT INTO TEST_RESULTS (
  TEST_ID, RUN_ID, TEST_NAME, SCENARIO_NAME, TABLE_NAME, TABLE_TYPE, STATUS, START_TIME, END_TIME,
  CONCURRENT_CONNECTIONS, ENRICHMENT_STATUS
)
SELECT %(run_id)s, %(run_id)s, %(run_id)s, 'staged', 'ORDERS', %(table_type)s, 'COMPLETED',
  DATEADD('minute', -310, SYSDATE()), DATEADD('minute', -300, SYSDATE()), 1, 'COMPLETED'
"""
_INSERT_TASK = """
INSERT INTO DELAYED_ENRICHMENT_TASKS (
  JOB_ID, TEST_ID, RUN_ID, ENRICHMENT_TYPE, STATUS, PRIORITY, DUE_AT, ATTEMPTS, SNOOZES, REASON_CODE, LAST_ERROR,
  ROWS_WRITTEN, DATA_COMPLETE, STARTED_AT, COMPLETED_AT, LEASE_EXPIRES_AT, CREATED_AT, UPDATED_AT
)
SELECT %(run_id)s, %(run_id)s, %(run_id)s, %(type)s, %(status)s, 0, DATEADD('minute', %(due)s, SYSDATE()), 1, 0,
  %(reason)s, %(error)s, %(rows)s, %(complete)s, SYSDATE(), SYSDATE(), DATEADD('minute', 90, SYSDATE()),
  SYSDATE(), SYSDATE()
"""

_INSERT_ATTEMPT = """
INSERT INTO DELAYED_ENRICHMENT_ATTEMPTS (JOB_ID, RUN_ID, ENRICHMENT_TYPE, CLAIM_TOKEN, STARTED_AT, OUTCOME, REASON_CODE)
SELECT %(run_id)s, %(run_id)s, 'AGGREGATE', %(token)s, DATEADD('minute', %(minutes)s, SYSDATE()), 'PENDING', 'NOT_READY'
"""

_INSERT_ACCELERATION = """
INSERT INTO QUERY_ACCELERATION_CREDITS (
  CREDIT_ID, TEST_ID, RUN_ID, WAREHOUSE_NAME, START_TIME, END_TIME, CREDITS_USED, CREDIT_SCOPE
)
SELECT %(run_id)s, %(run_id)s, %(run_id)s, 'BENCH_WH', DATEADD('minute', -360, SYSDATE()),
  DATEADD('minute', -300, SYSDATE()), 0.25, 'WAREHOUSE'
"""

HYBRID_TYPES = ("QUERY_HISTORY", "AGGREGATE", "LOCK_CONTENTION", "HYBRID_CREDITS")
STANDARD_TYPES = ("QUERY_HISTORY", "QUERY_INSIGHTS", "AGGREGATE")


@dataclass(frozen=True)
class StagedRun:
    """A finished run, all of whose tasks are alike.

    :param task: status, reason, error, rows, complete, due (minutes from now) of each
    :param attempts: tries that found the view not ready
    :param is_accelerated: it has the optional type QUERY_ACCELERATION, and an hour of it
    """

    name: str
    table_type: str
    task: Mapping[str, Any]
    attempts: int = 0
    is_accelerated: bool = False

    @property
    def run_id(self) -> str:
        return f"{_PREFIX}{self.name}"

    @property
    def types(self) -> tuple[str, ...]:
        usual = HYBRID_TYPES if self.table_type == "HYBRID" else STANDARD_TYPES
        return (*usual, "QUERY_ACCELERATION") if self.is_accelerated else usual


_EMPTY = {"status": "COMPLETED", "rows": 0, "complete": True}
_FAILED = {
    "status": "FAILED",
    "reason": "NO_QUERY_TAG",
    "error": "Run staged: none of its rows has a usable QUERY_TAG. Set the tag <b>before</b> the next run.",
}
_GRANT = {
    "status": "PENDING",
    "due": 42,
    "reason": "NO_PRIVILEGE",
    "error": "Role R cannot read the view. As ACCOUNTADMIN run: GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE R;",
}
RUNS = (
    StagedRun("hybrid-empty", "HYBRID", _EMPTY),
    StagedRun("hybrid-failed", "HYBRID", _FAILED),
    StagedRun("hybrid-coming", "HYBRID", {"status": "PENDING", "due": 42}),
    StagedRun("hybrid-loading", "HYBRID", {"status": "IN_PROGRESS"}),
    StagedRun("hybrid-waits-for-a-grant", "HYBRID", _GRANT),
    StagedRun("standard-empty", "STANDARD", _EMPTY, attempts=12),
    StagedRun("standard-accelerated", "STANDARD", _EMPTY | {"rows": 1}, is_accelerated=True),
    StagedRun("standard-failed", "STANDARD", _FAILED),
    StagedRun("standard-coming", "STANDARD", {"status": "PENDING", "due": 42}),
)


@contextmanager
def staged(deployment: Deployment) -> Iterator[None]:
    """Write :data:`RUNS`, and delete them in the end."""
    try:
        for run in RUNS:
            deployment.rows(_INSERT_RUN, run_id=run.run_id, table_type=run.table_type)
            for name in run.types:
                deployment.rows(_INSERT_TASK, **_BLANK | dict(run.task) | {"run_id": run.run_id, "type": name})
            if run.is_accelerated:
                deployment.rows(_INSERT_ACCELERATION, run_id=run.run_id)
            for number in range(run.attempts):
                deployment.rows(_INSERT_ATTEMPT, run_id=run.run_id, token=f"{number}:1", minutes=-30 * (number + 1))
        yield
    finally:
        for table in _TABLES:
            deployment.rows(f"DELETE FROM {table} WHERE STARTSWITH(RUN_ID, %(prefix)s)", prefix=_PREFIX)


_BLANK: dict[str, Any] = {"reason": None, "error": None, "rows": None, "complete": None, "due": -10}
