"""SIGKILL of a task process at every step of a try, of every type, in one pass of a real scheduler."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from include.enrichment.catalogue import enrichment_type
from local.deployment import Deployment
from local.sample_account import Account, SampleRun
from tests.faults.matrix import Matrix
from tests.faults.processes import holding, kill_client, release
from tests.faults.statements import job_id_of
from tests.faults.stored import check_whole, ended_runs

PATIENCE_SECONDS = 300.0
KINDS = {
    "hybrid-billed": ("AGGREGATE", "LOCK_CONTENTION", "HYBRID_CREDITS"),
    "standard-settled": ("QUERY_HISTORY", "QUERY_INSIGHTS"),
}
"""Sample run to the types that are killed in it; together all but optional ones."""
KEYS = {
    "AGGREGATE_QUERY_METRICS": "METRIC_ID",
    "LOCK_CONTENTION_EVENTS": "EVENT_ID",
    "HYBRID_TABLE_CREDITS": "CREDIT_ID",
    "QUERY_EXECUTION_METRICS": "QUERY_ID",
    "QUERY_INSIGHTS_CACHE": "INSIGHT_ID",
}
"""Target of a type to the column that identifies its rows."""


@dataclass(frozen=True)
class Point:
    """Where a try is killed.

    :param statement: its regular expression; ``{job}``, ``{run}``, ``{type}`` and ``{target}`` are filled in
    :param commit: it is the COMMIT after this statement that is held
    """

    fault: str
    statement: str
    hold: str
    commit: bool = False


_OF_TASK = r".*JOB_ID = '{job}'\s+AND ENRICHMENT_TYPE = '{type}'"
FINISH = r"step: finish\n" + _OF_TASK
AFTER_THE_DELETE = "after the delete"
POINTS = (
    Point("after the claim", r"step: take_over\n" + _OF_TASK, "before"),
    Point("after the read", r"step: reading\n.*\.{target} WHERE RUN_ID = '{run}'", "before"),
    Point(AFTER_THE_DELETE, r"DELETE FROM \S+\.{target}\s+WHERE RUN_ID = '{run}'", "after"),
    Point("after the insert", r"step: write\s+INSERT INTO \S+\.{target}\b.*'{run}' AS RUN_ID", "after"),
    Point("before the COMMIT", FINISH, "after"),
    Point("after the COMMIT", FINISH, "before", commit=True),
)


@dataclass
class Crash:
    """One kill that is planned."""

    point: Point
    run: SampleRun
    enrichment_type: str
    is_done: bool = False
    pattern: str = field(init=False)

    def __post_init__(self) -> None:
        values = {
            "job": job_id_of(self.run),
            "run": self.run.run_id,
            "type": self.enrichment_type,
            "target": enrichment_type(self.enrichment_type).target,
        }
        self.pattern = re.sub(r"\{(job|run|type|target)\}", lambda name: values[name[1]], self.point.statement)

    @property
    def fault(self) -> dict[str, Any]:
        return {"match": self.pattern, "hold": self.point.hold, "times": 1}

    def is_of(self, text: str) -> bool:
        return re.search(self.pattern, text, re.DOTALL) is not None


@dataclass(frozen=True)
class CrashedPass:
    """A pass in which every point was killed once."""

    dag_run_id: str
    state: str
    accounts: dict[str, Account]


@pytest.fixture(scope="module")
def crashed_pass(deployment: Deployment) -> CrashedPass:
    accounts = {point.fault: ended_runs(deployment, 100 + n, *KINDS) for n, point in enumerate(POINTS)}
    crashes = [
        Crash(point, accounts[point.fault].run(kind), name)
        for point in POINTS
        for kind, types in KINDS.items()
        for name in types
    ]
    for crash in crashes:
        if crash.point.fault == AFTER_THE_DELETE:
            store_a_row_of_an_earlier_look(deployment, crash)
    with holding(deployment, *(crash.fault for crash in crashes)):
        dag_run_id = deployment.client.trigger()
        deployment.wait(lambda: kill_what_is_held(deployment, crashes), PATIENCE_SECONDS)
        state = deployment.client.wait_for_run(dag_run_id, deployment.supervisor, PATIENCE_SECONDS)
    return CrashedPass(dag_run_id, state, accounts)


def store_a_row_of_an_earlier_look(deployment: Deployment, crash: Crash) -> None:
    """So that there is something to delete: a look that finds nothing stored sends no DELETE."""
    target = enrichment_type(crash.enrichment_type).target
    deployment.rows(
        f"INSERT INTO {target} ({KEYS[target]}, TEST_ID, RUN_ID) VALUES ('of an earlier look', %(run_id)s, %(run_id)s)",
        run_id=crash.run.run_id,
    )


def kill_what_is_held(deployment: Deployment, crashes: list[Crash]) -> bool:
    """Kill the clients of the statements that are held now; whether every planned kill is done."""
    for held in deployment.server("GET", "/held"):
        crash = next(crash for crash in crashes if crash.is_of(held["text"]))
        kill_client(deployment, commit_after(deployment, held) if crash.point.commit else held)
        crash.is_done = True
    return all(crash.is_done for crash in crashes)


def commit_after(deployment: Deployment, held: dict[str, Any]) -> dict[str, Any]:
    """Let a statement of a transaction go on, and hold the answer of its COMMIT.

    Its transaction has the lock of all writers, so the next COMMIT is its own.
    """
    deployment.server("POST", "/faults", json=[{"match": r"^\s*COMMIT", "hold": "after", "times": 1}])
    release(deployment, held)
    deployment.wait(lambda: bool(commits(deployment)))
    (commit,) = commits(deployment)
    return commit


def commits(deployment: Deployment) -> list[dict[str, Any]]:
    return [held for held in deployment.server("GET", "/held") if held["text"].lstrip().startswith("COMMIT")]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.fault)
def test_a_task_killed_at_any_step_is_written_once(
    deployment: Deployment, matrix: Matrix, crashed_pass: CrashedPass, point: Point
) -> None:
    fault = f"task of each type killed {point.fault}"
    check_whole(matrix, fault, "Airflow's retry takes it over", deployment, crashed_pass.accounts[point.fault])


def test_a_pass_whose_tasks_were_all_killed_once_is_green(deployment: Deployment, crashed_pass: CrashedPass) -> None:
    assert crashed_pass.state == "success", deployment.states(crashed_pass.dag_run_id)
    tries = {
        item["try_number"] for item in deployment.instances(crashed_pass.dag_run_id, "enrich") if item["map_index"] >= 0
    }
    assert tries == {1, 2}
