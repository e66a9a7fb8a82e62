"""What breaks is told of once, and once more when it is mended: each objective on the embedded account."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from snowflake.connector.errors import Error as SnowflakeError

from include.enrichment import slo, watch
from include.enrichment.alerts import Alert
from include.enrichment.settings import Settings
from include.enrichment.templates import render
from tests.sql.account import CONN_ID, Account
from tests.sql.cases import Moment, load_tables

TASKS, QUEUE, RUNS = "DELAYED_ENRICHMENT_TASKS", "DELAYED_ENRICHMENT_QUEUE", "TEST_RESULTS"
MANY = {"JOB_ID": "job-{n}", "RUN_ID": "run-{n}"}
OLD = {"JOB_ID": "old", "STATUS": "NOT_APPLICABLE", "CREATED_AT": "-9d", "COMPLETED_AT": "-9d"}
"""So that the package has been there for a while."""
SETTLED = {"CREATED_AT": "-4h", "DUE_AT": "-2h", "COMPLETED_AT": "-115m", "ATTEMPTS": 1}

BROKEN: dict[str, dict[str, list[dict[str, Any]]]] = {
    "due_jobs": {TASKS: [{**MANY, "repeat": 51, "DUE_AT": "-1m"}, {"JOB_ID": "later", "DUE_AT": "+1m"}]},
    "backlog": {TASKS: [{**MANY, "repeat": 101, "DUE_AT": "-1m"}]},
    "oldest_pending": {TASKS: [{"CREATED_AT": "-7h", "DUE_AT": "+5m", "SNOOZES": 12}]},
    "failure_rate": {TASKS: [{**SETTLED, "STATUS": "FAILED"}]},
    "failed_jobs": {TASKS: [{**MANY, "repeat": 11, **SETTLED, "STATUS": "FAILED"}]},
    "completion_latency": {TASKS: [{**SETTLED, "STATUS": "COMPLETED", "DUE_AT": "-4h"}]},
    "late_jobs": {QUEUE: [{"TEST_END_TIME": "-5h"}], TASKS: [OLD, {"CREATED_AT": "-5h", "DUE_AT": "+5m"}]},
    "slow_jobs": {QUEUE: [{"TEST_END_TIME": "-220m"}], TASKS: [OLD, {"CREATED_AT": "-220m", "DUE_AT": "+5m"}]},
    "stale_leases": {TASKS: [{**MANY, "repeat": 2, "STATUS": "IN_PROGRESS", "LEASE_EXPIRES_AT": "-1m"}]},
    "average_attempts": {TASKS: [{**SETTLED, "STATUS": "COMPLETED", "ATTEMPTS": 3}]},
    "missed_runs": {
        RUNS: [{"TEST_ID": "run-2", "RUN_ID": "run-2", "START_TIME": "-8d-10m", "END_TIME": "-8d"}],
        TASKS: [OLD],
    },
}
"""Key of an objective to the rows that break it; ``unreadable`` is a question that fails."""

Look = Callable[[], list[str]]


@pytest.fixture
def look(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Look:
    """One look of the monitor, Airflow's Variable replaced: what it told, as ``<key> <event>``."""
    kept: dict[str, str] = {}
    told: list[str] = []

    class Variable:
        @staticmethod
        def get(name: str, *, default: Any, deserialize_json: bool) -> Any:
            return json.loads(kept[name]) if deserialize_json and name in kept else default

        @staticmethod
        def set(name: str, value: Any, **_: Any) -> None:
            kept[name] = json.dumps(value)

    monkeypatch.setattr(watch, "Variable", Variable)

    def tell(alerts: list[Alert], *_: Any) -> None:
        told.extend(f"{alert.objective.key} {alert.event}" for alert in alerts)

    monkeypatch.setattr(watch, "tell", tell)

    numbers = count()

    def once() -> list[str]:
        told.clear()
        ti = SimpleNamespace(try_number=1, max_tries=0, dag_id="enrichment_monitor", run_id=f"look-{next(numbers)}")
        with suppress(SnowflakeError):  # it fails the look, after it was told
            watch.look(CONN_ID, settings, {"ti": ti})
        return list(told)

    return once


@pytest.mark.parametrize("key", [objective.key for objective in slo.OBJECTIVES])
def test_what_breaks_is_told_once_and_once_more_when_it_is_mended(
    account: Account, settings: Settings, look: Look, key: str
) -> None:
    assert look() == []
    if key == "unreadable":
        account.put_faults([{"match": "AS FIGURE", "errno": 2003, "sqlstate": "02000", "message": "Not authorized."}])
    else:
        moment = Moment.current()
        load_tables(account, moment.resolve(BROKEN[key]), moment)
    assert f"{key} started" in look()
    assert look() == []
    recorded = account.rows(render("monitor/last_alerts.sql", settings))
    events = [row["EVENT"] for row in recorded if row["OBJECTIVE"] == key]
    assert events == ([] if key == "unreadable" else ["started"])

    account.empty()
    assert look() == []
    assert f"{key} ended" in look()
    assert look() == []
