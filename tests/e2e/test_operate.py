"""The DAGs that people operate the package with, driven through the REST API of a real Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from local.deployment import Deployment
from local.sample.differences import differences
from local.sample_account import SampleRun, build_account, truth

RETRY, BACKFILL, CLEANUP, SETUP = "enrichment_retry", "enrichment_backfill", "enrichment_cleanup", "enrichment_setup"
SMALL_RUNS = ("standard-settled", "dynamic-settled", "interactive-settled", "hybrid-settled")
UGLY_ID = 'it\'s 100% "ü" \\ x'


@pytest.fixture(autouse=True)
def _quiet(deployment: Deployment) -> None:
    deployment.wait_until_quiet()


@pytest.fixture
def paused(deployment: Deployment) -> Iterator[None]:
    """No pass starts during one test, as the manual of the rollback asks."""
    deployment.client.pause(paused=True)
    deployment.wait_until_quiet()
    yield
    deployment.client.pause(paused=False)


def read_fails(view: str = "") -> dict[str, Any]:
    """A permanent error of every read of a view."""
    return {
        "match": rf"TEMPORARY TABLE ENRICHMENT_SOURCE.*{view}",
        "errno": 1003,
        "sqlstate": "42000",
        "message": "SQL compilation error: syntax error line 1 at position 0 unexpected 'X'.",
    }


def no_privilege(view: str) -> dict[str, Any]:
    """The view is invisible to the role."""
    name = f"SNOWFLAKE.ACCOUNT_USAGE.{view}"
    return {
        "match": rf"ACCOUNT_USAGE\.{view}\b",
        "errno": 2003,
        "sqlstate": "02000",
        "message": f"SQL compilation error:\nObject '{name}' does not exist or not authorized.",
    }


def wrong_numbers(deployment: Deployment, run: SampleRun, now: datetime) -> list[str]:
    """Stored values of a run that are not the true ones; that a retry makes it due anew is none."""
    expected = truth.expected(run, now)
    return [text for text in differences(deployment.rows, run.run_id, expected) if " is due at " not in text]


class TestRetry:
    """``POST /api/v2/dags/enrichment_retry/dagRuns``."""

    def test_a_failed_run_is_enriched_and_the_same_call_again_is_refused(
        self, deployment: Deployment, faults: Any
    ) -> None:
        run = deployment.account.run("standard-settled")
        deployment.requeue("standard-settled", "QUERY_HISTORY", "QUERY_INSIGHTS", "AGGREGATE")
        faults(read_fails())
        deployment.run_pass()
        faults()
        job = deployment.job("standard-settled")
        assert job["STATUS"] == "FAILED", job

        dag_run_id, state = deployment.run_dag(RETRY, test_id=run.children[0].test_id)
        assert state == "success"
        requeued = deployment.answer(RETRY, dag_run_id, "requeue_tasks")["requeued"]
        assert requeued == {run.run_id: ["AGGREGATE", "QUERY_HISTORY", "QUERY_INSIGHTS"]}
        deployment.wait(lambda: deployment.job("standard-settled")["STATUS"] == "COMPLETED")
        assert wrong_numbers(deployment, run, deployment.loaded_at) == []

        deployment.wait_until_quiet()
        dag_run_id, state = deployment.run_dag(RETRY, test_id=run.run_id)
        assert state == "failed"
        log = deployment.log(dag_run_id, "requeue_tasks", dag_id=RETRY)
        assert f"Run {run.run_id}: nothing failed: AGGREGATE COMPLETED" in log
        assert "force=true" in log
        assert deployment.states(dag_run_id, RETRY)["start_pass"] == {"upstream_failed"}

    def test_force_repeats_what_settled(self, deployment: Deployment) -> None:
        run = deployment.account.run("standard-settled")
        before = deployment.task("standard-settled", "AGGREGATE")
        dag_run_id, state = deployment.run_dag(RETRY, test_ids=[run.run_id], types=["AGGREGATE"], force=True)
        assert state == "success"
        assert deployment.answer(RETRY, dag_run_id, "requeue_tasks")["requeued"] == {run.run_id: ["AGGREGATE"]}

        def is_repeated() -> bool:
            task = deployment.task("standard-settled", "AGGREGATE")
            return task["STATUS"] == "COMPLETED" and task["COMPLETED_AT"] > before["COMPLETED_AT"]

        deployment.wait(is_repeated)
        assert wrong_numbers(deployment, run, deployment.loaded_at) == []

    @pytest.mark.parametrize(
        "conf",
        [
            pytest.param({"test_id": 5}, id="id is no text"),
            pytest.param({"test_id": "x" * 10_000}, id="id is too long"),
            pytest.param({"test_id": ""}, id="id is empty"),
            pytest.param({"test_ids": "run"}, id="ids are no list"),
            pytest.param({"test_ids": ["run", None]}, id="an id is NULL"),
            pytest.param({"types": ["NO_SUCH_TYPE"]}, id="unknown type"),
            pytest.param({"status": "BROKEN"}, id="unknown status"),
            pytest.param({"from": "yesterday"}, id="no time"),
            pytest.param({"force": "yes"}, id="force is no boolean"),
        ],
    )
    def test_a_conf_of_the_wrong_shape_is_refused_by_the_api(
        self, deployment: Deployment, conf: dict[str, Any]
    ) -> None:
        body = {"logical_date": None, "conf": conf}
        with pytest.raises(RuntimeError, match=rf"answered {httpx.codes.BAD_REQUEST}"):
            deployment.client.request("POST", f"/api/v2/dags/{RETRY}/dagRuns", json=body)

    @pytest.mark.parametrize(
        ("conf", "message"),
        [
            pytest.param({}, "Say what to retry", id="nothing"),
            pytest.param({"test_id": "nobody"}, "'nobody' is not the TEST_ID of a run", id="unknown id"),
            pytest.param({"test_ids": [UGLY_ID]}, "is not the TEST_ID of a run", id="an id is data"),
            pytest.param({"test": "x"}, "Unknown keys in conf: test. Known are force, from", id="unknown key"),
            pytest.param({"status": "COMPLETED"}, "add force=true", id="completed without force"),
            pytest.param({"from": "2026-02-02", "to": "2026-02-01"}, "is not before", id="empty range"),
        ],
    )
    def test_what_cannot_be_retried_ends_in_a_failed_dag_run_that_says_why(
        self, deployment: Deployment, conf: dict[str, Any], message: str
    ) -> None:
        before = deployment.rows("SELECT * FROM DELAYED_ENRICHMENT_TASKS ORDER BY JOB_ID, ENRICHMENT_TYPE")
        dag_run_id, state = deployment.run_dag(RETRY, **conf)
        assert state == "failed"
        (instance,) = deployment.instances(dag_run_id, "requeue_tasks", RETRY)
        assert (instance["state"], instance["try_number"]) == ("failed", 1)
        assert message in deployment.log(dag_run_id, "requeue_tasks", dag_id=RETRY)
        assert deployment.rows("SELECT * FROM DELAYED_ENRICHMENT_TASKS ORDER BY JOB_ID, ENRICHMENT_TYPE") == before


class TestSetup:
    """``enrichment_setup``: migrations, then the doctor."""

    def test_with_everything_right_it_is_green(self, deployment: Deployment) -> None:
        dag_run_id, state = deployment.run_dag(SETUP)
        states = deployment.states(dag_run_id, SETUP)
        assert state == "success", states
        assert states["check"] == {"success"}

    def test_one_missing_privilege_is_named_with_its_grant_and_all_others_pass(
        self, deployment: Deployment, faults: Any
    ) -> None:
        faults(no_privilege("HYBRID_TABLE_USAGE_HISTORY"))
        dag_run_id, state = deployment.run_dag(SETUP)
        assert state == "failed"
        red = [item for item in deployment.instances(dag_run_id, "check", SETUP) if item["state"] != "success"]
        assert [item["rendered_map_index"] for item in red] == ["view HYBRID_TABLE_USAGE_HISTORY"]
        log = deployment.log(dag_run_id, "check", red[0]["map_index"], red[0]["try_number"], SETUP)
        for part in (
            "SNOWFLAKE.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY",
            "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE FLAKEBENCH_ROLE",
            "ACCOUNTADMIN",
        ):
            assert part in log

    def test_a_rollback_tells_what_it_drops_and_the_next_setup_brings_it_back(
        self, deployment: Deployment, paused: None
    ) -> None:
        views = (
            "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.VIEWS WHERE TABLE_SCHEMA = 'TEST_RESULTS' ORDER BY TABLE_NAME"
        )
        before = deployment.rows(views)
        dag_run_id, state = deployment.run_dag(SETUP, rollback_to=4, dry_run=True)
        told = f"would drop VIEW {deployment.settings.enrichment}.V_CLIENT_AND_SERVER_LATENCY"
        assert told in deployment.log(dag_run_id, "change_schema", dag_id=SETUP)
        assert (state, deployment.rows(views)) == ("success", before)

        dag_run_id, state = deployment.run_dag(SETUP, rollback_to=4)
        newest = ["0006_query_acceleration", "0005_completeness"]
        assert (state, deployment.answer(SETUP, dag_run_id, "change_schema")) == ("success", newest)
        assert not {row["TABLE_NAME"] for row in deployment.rows(views)} & {"V_CLIENT_AND_SERVER_LATENCY"}
        dag_run_id, state = deployment.run_dag(SETUP)
        assert (state, deployment.answer(SETUP, dag_run_id, "change_schema")) == ("success", newest[::-1])
        assert deployment.rows(views) == before


def test_backfill_of_60_runs_completes_over_several_passes_and_delays_no_fresh_run(deployment: Deployment) -> None:
    """A dry run first; then 60 runs of a month ago, while five fresh ones arrive one after the other."""
    past = datetime.now(UTC) - timedelta(days=30)
    old = [build_account(past - timedelta(hours=n), seed=100 + n, include=SMALL_RUNS) for n in range(15)]
    for account in old:
        deployment.write(account)
    conf = {"from": (past - timedelta(days=1)).isoformat(), "to": past.isoformat()}
    queued = "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_QUEUE"
    before = deployment.rows(queued)

    dag_run_id, state = deployment.run_dag(BACKFILL, **conf)
    planned = deployment.answer(BACKFILL, dag_run_id, "queue_runs")
    assert (state, planned["runs"], deployment.rows(queued)) == ("success", 60, before)
    assert deployment.states(dag_run_id, BACKFILL)["start_pass"] == {"skipped"}

    known = {run["dag_run_id"] for run in deployment.client.dag_runs()}
    dag_run_id, state = deployment.run_dag(BACKFILL, **conf, dry_run=False)
    assert (state, deployment.answer(BACKFILL, dag_run_id, "queue_runs")["tasks"]) == ("success", planned["tasks"])

    for seed in range(200, 205):
        fresh = build_account(datetime.now(UTC), seed=seed, include=["standard-settled"])
        deployment.write(fresh)
        arrived = datetime.now(UTC)
        assert passes_that_overlooked(deployment, fresh.runs[0].run_id, arrived) == []

    unsettled = (
        "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_TASKS WHERE PRIORITY > 0 AND STATUS IN ('PENDING', 'IN_PROGRESS')"
    )
    deployment.wait(lambda: deployment.rows(unsettled)[0]["N"] == 0, patience_seconds=600)
    deployment.wait_until_quiet()
    passes = [run for run in deployment.client.dag_runs() if run["dag_run_id"] not in known]
    sizes = [
        sum(item["map_index"] >= 0 for item in deployment.instances(run["dag_run_id"], "enrich")) for run in passes
    ]
    assert len([size for size in sizes if size]) >= planned["tasks"] // 25
    assert max(sizes) <= 100
    for account in old:
        for run in account.runs:
            assert wrong_numbers(deployment, run, account.now) == []


def passes_that_overlooked(deployment: Deployment, run_id: str, arrived: datetime) -> list[str]:
    """Wait until a run is claimed; the passes that claimed after it had arrived and before that."""
    claimed = (
        "SELECT DISTINCT CLAIMED_BY FROM DELAYED_ENRICHMENT_TASKS WHERE RUN_ID = %(run_id)s AND CLAIMED_BY IS NOT NULL"
    )
    deployment.wait(lambda: bool(deployment.rows(claimed, run_id=run_id)))
    (row,) = deployment.rows(claimed, run_id=run_id)
    claiming_pass = str(row["CLAIMED_BY"]).partition("/")[2]
    starts = {
        run["dag_run_id"]: datetime.fromisoformat(item["start_date"])
        for run in deployment.client.dag_runs()
        for item in deployment.instances(run["dag_run_id"], "claim_due_tasks")
        if item["start_date"]
    }
    return [dag_run_id for dag_run_id, start in starts.items() if arrived < start < starts[claiming_pass]]


def test_cleanup_restores_the_mirror_and_removes_what_flakebench_deleted(deployment: Deployment) -> None:
    """CREATE OR ALTER drops our columns; a run is deleted; one cleanup puts both right."""
    gone = build_account(datetime.now(UTC), seed=300, include=["standard-settled"])
    deployment.write(gone)
    run_id = gone.runs[0].run_id
    deployment.run_pass()
    deployment.wait_until_quiet()
    mirrored = (
        "SELECT TEST_ID, DELAYED_ENRICHMENT_STATUS, DELAYED_ENRICHMENT_COMPLETED_AT, LOCK_WAIT_COUNT "
        "FROM TEST_RESULTS WHERE RUN_ID <> %(gone)s ORDER BY TEST_ID"
    )
    hashes = (
        "SELECT EXECUTION_ID, QUERY_PARAMETERIZED_HASH FROM QUERY_EXECUTIONS "
        "WHERE QUERY_PARAMETERIZED_HASH IS NOT NULL AND TEST_ID NOT IN (%(gone)s) ORDER BY EXECUTION_ID"
    )
    children = [child.test_id for child in gone.runs[0].children]
    before = (deployment.rows(mirrored, gone=run_id), deployment.rows(hashes, gone=children))
    assert any(row["DELAYED_ENRICHMENT_STATUS"] for row in before[0])
    assert before[1]

    deployment.rows("DELETE FROM TEST_RESULTS WHERE RUN_ID = %(gone)s", gone=run_id)
    deployment.rows("ALTER TABLE TEST_RESULTS DROP COLUMN DELAYED_ENRICHMENT_STATUS")
    deployment.rows("ALTER TABLE QUERY_EXECUTIONS DROP COLUMN QUERY_PARAMETERIZED_HASH")
    dag_run_id, state = deployment.run_dag(CLEANUP)
    assert state == "success", deployment.states(dag_run_id, CLEANUP)
    after = (deployment.rows(mirrored, gone=run_id), deployment.rows(hashes, gone=children))
    assert after == before
    for table in ("DELAYED_ENRICHMENT_QUEUE", "DELAYED_ENRICHMENT_TASKS", "AGGREGATE_QUERY_METRICS"):
        assert deployment.rows(f"SELECT * FROM {table} WHERE RUN_ID = %(gone)s", gone=run_id) == [], table
    recorded = deployment.rows(
        "SELECT STATUS FROM ENRICHMENT_OPERATIONS WHERE PERFORMED_BY = %(name)s", name=f"{CLEANUP}/{dag_run_id}"
    )
    assert recorded == [{"STATUS": "SUCCEEDED"}]
