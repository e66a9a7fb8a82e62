"""Passes after the first: repeating, clearing, failing, switching off. No number may change, no row may double."""

from __future__ import annotations

from typing import Any

import pytest

from local.deployment import Deployment

_TABLES = (
    "AGGREGATE_QUERY_METRICS",
    "LOCK_CONTENTION_EVENTS",
    "HYBRID_TABLE_CREDITS",
    "QUERY_INSIGHTS_CACHE",
    "QUERY_ACCELERATION_CREDITS",
    "QUERY_EXECUTION_METRICS",
    "RUN_ENRICHMENT_SUMMARY",
    "TEST_RESULTS",
    "QUERY_EXECUTIONS",
)
_VOLATILE = {"CREATED_AT", "UPDATED_AT", "EXPIRES_AT", "DELAYED_ENRICHMENT_COMPLETED_AT"}


def numbers(deployment: Deployment) -> dict[str, list[str]]:
    """Everything stored, but for when it was."""
    return {
        table: sorted(
            str({name: value for name, value in row.items() if name not in _VOLATILE})
            for row in deployment.rows(f"SELECT * FROM {table}")
        )
        for table in _TABLES
    }


def mapped(deployment: Deployment, dag_run_id: str, label: str) -> dict[str, Any]:
    return next(item for item in deployment.instances(dag_run_id, "enrich") if item["rendered_map_index"] == label)


@pytest.fixture(autouse=True)
def _quiet(deployment: Deployment) -> None:
    deployment.wait_until_quiet()


def test_an_idle_pass_asks_one_question_without_a_clock_and_skips_the_rest(
    deployment: Deployment, statements: Any
) -> None:
    texts = []
    for _ in range(2):
        since = statements()
        dag_run_id, state = deployment.run_pass()
        sent = since()
        assert state == "success"
        assert set().union(*deployment.states(dag_run_id).values()) == {"skipped"}
        reading = [item["text"] for item in sent if " FROM " in item["text"].upper()]
        assert len(reading) == 1
        texts += reading
    assert texts[0] == texts[1]
    for clock in ("SYSDATE", "CURRENT_", "GETDATE"):
        assert clock not in texts[0].upper()


def test_another_pass_changes_no_number(deployment: Deployment) -> None:
    before = numbers(deployment)
    deployment.requeue("hybrid-settled", "AGGREGATE", "LOCK_CONTENTION", "QUERY_HISTORY")
    deployment.requeue("standard-settled", "QUERY_INSIGHTS", "QUERY_HISTORY")
    dag_run_id, state = deployment.run_pass()
    assert state == "success"
    assert {item["state"] for item in deployment.instances(dag_run_id, "enrich")} == {"success"}
    assert numbers(deployment) == before


@pytest.mark.parametrize("downstream", [False, True], ids=["alone", "with downstream"])
def test_clearing_a_mapped_task_changes_no_number_and_the_roll_up_is_right(
    deployment: Deployment, downstream: bool
) -> None:
    before = numbers(deployment)
    item = mapped(deployment, deployment.first_pass, "hybrid-settled · AGGREGATE")
    deployment.clear(deployment.first_pass, ["enrich", item["map_index"]], downstream=downstream)
    again = mapped(deployment, deployment.first_pass, "hybrid-settled · AGGREGATE")
    assert (again["state"], again["try_number"]) == ("success", item["try_number"] + 1)
    task = deployment.task("hybrid-settled", "AGGREGATE")
    assert task["STATUS"] == "COMPLETED"
    assert task["CLAIM_TOKEN"].endswith(f":{again['try_number']}")
    assert numbers(deployment) == before
    if not downstream:
        deployment.run_pass()
    job = deployment.job("hybrid-settled")
    assert (job["STATUS"], job["ATTEMPTS"]) == ("COMPLETED", task["ATTEMPTS"])


def test_a_view_that_cannot_be_read_leaves_its_task_waiting_with_the_grant(deployment: Deployment, faults: Any) -> None:
    deployment.requeue("hybrid-settled", "AGGREGATE", "LOCK_CONTENTION")
    faults(
        {
            "match": r"TEMPORARY TABLE ENRICHMENT_SOURCE.*LOCK_WAIT_HISTORY",
            "errno": 2003,
            "sqlstate": "02000",
            "message": "SQL compilation error:\n"
            "Object 'SNOWFLAKE.ACCOUNT_USAGE.LOCK_WAIT_HISTORY' does not exist or not authorized.",
        }
    )
    dag_run_id, state = deployment.run_pass()
    assert state == "failed"
    assert mapped(deployment, dag_run_id, "hybrid-settled · AGGREGATE")["state"] == "success"
    item = mapped(deployment, dag_run_id, "hybrid-settled · LOCK_CONTENTION")
    assert (item["state"], item["try_number"]) == ("failed", 1)
    grant = "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE FLAKEBENCH_ROLE"
    assert grant in deployment.log(dag_run_id, "enrich", item["map_index"], 1)
    task = deployment.task("hybrid-settled", "LOCK_CONTENTION")
    assert (task["STATUS"], task["REASON_CODE"], task["ATTEMPTS"]) == ("PENDING", "NO_PRIVILEGE", 0)
    assert 59 <= (task["DUE_AT"] - task["UPDATED_AT"]).total_seconds() / 60 <= 61
    for part in (task["RUN_ID"], "LOCK_CONTENTION", "SNOWFLAKE.ACCOUNT_USAGE.LOCK_WAIT_HISTORY", grant):
        assert part in task["LAST_ERROR"]
    job = deployment.job("hybrid-settled")
    assert (job["STATUS"], grant in job["LAST_ERROR"]) == ("PENDING", True)


def test_a_timeout_is_tried_three_times_with_backoff_then_fails(deployment: Deployment, faults: Any) -> None:
    deployment.requeue("standard-settled", "QUERY_INSIGHTS")
    faults(
        {
            "match": r"TEMPORARY TABLE ENRICHMENT_SOURCE.*QUERY_INSIGHTS",
            "errno": 630,
            "sqlstate": "57014",
            "message": "Statement reached its statement or warehouse timeout of 120 second(s) and was canceled.",
        }
    )
    dag_run_id, state = deployment.run_pass()
    item = mapped(deployment, dag_run_id, "standard-settled · QUERY_INSIGHTS")
    assert (state, item["state"], item["try_number"]) == ("failed", "failed", 2)  # one retry of Airflow's own
    task = deployment.task("standard-settled", "QUERY_INSIGHTS")
    assert (task["STATUS"], task["REASON_CODE"], task["ATTEMPTS"]) == ("PENDING", "TIMEOUT", 2)
    assert 14 <= (task["DUE_AT"] - task["UPDATED_AT"]).total_seconds() / 60 <= 16
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET DUE_AT = DATEADD('minute', -1, SYSDATE()) WHERE REASON_CODE = 'TIMEOUT'"
    )
    _, state = deployment.run_pass()
    task = deployment.task("standard-settled", "QUERY_INSIGHTS")
    assert (state, task["STATUS"], task["ATTEMPTS"]) == ("failed", "FAILED", 3)
    job = deployment.job("standard-settled")
    assert job["STATUS"] == "COMPLETED"
    assert job["LAST_ERROR"].startswith("Partial success: QUERY_INSIGHTS")


def test_a_full_batch_starts_the_next_pass_at_once(deployment: Deployment, variable: Any) -> None:
    variable("FLAKEBENCH_ENRICHMENT_BATCH_SIZE", "2")
    deployment.requeue("standard-settled", "QUERY_INSIGHTS", "QUERY_HISTORY")
    deployment.requeue("dynamic-settled", "QUERY_HISTORY")
    known = {run["dag_run_id"] for run in deployment.client.dag_runs()}
    deployment.run_pass()
    deployment.wait_until_quiet()
    new = [run for run in deployment.client.dag_runs() if run["dag_run_id"] not in known]
    sizes = sorted(len(deployment.instances(run["dag_run_id"], "claim_due_tasks")) for run in new)
    assert len(sizes) >= 2
    claimed = sum(item["map_index"] >= 0 for run in new for item in deployment.instances(run["dag_run_id"], "enrich"))
    assert claimed == 3
    assert deployment.job("dynamic-settled")["STATUS"] == "COMPLETED"


def test_the_off_switch_claims_nothing_and_says_so_and_the_pass_after_it_catches_up(
    deployment: Deployment, variable: Any
) -> None:
    variable("FLAKEBENCH_ENRICHMENT_ENABLED", "false")
    deployment.requeue("dynamic-settled", "QUERY_HISTORY")
    dag_run_id, state = deployment.run_pass()
    assert state == "success"
    assert deployment.states(dag_run_id)["claim_due_tasks"] == {"skipped"}
    assert "FLAKEBENCH_ENRICHMENT_ENABLED is false" in deployment.log(dag_run_id, "claim_due_tasks", -1, 1)
    assert deployment.task("dynamic-settled", "QUERY_HISTORY")["STATUS"] == "PENDING"
    assert deployment.task("dynamic-settled", "QUERY_HISTORY")["CLAIM_TOKEN"] is None

    variable("FLAKEBENCH_ENRICHMENT_ENABLED", "true")
    deployment.run_pass()
    deployment.wait_until_quiet()
    assert deployment.task("dynamic-settled", "QUERY_HISTORY")["STATUS"] == "COMPLETED"
