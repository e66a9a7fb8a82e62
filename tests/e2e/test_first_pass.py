"""The main job: a real scheduler enriches the sample account; every stored number is held against its ground truth."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.deployment import Deployment
from local.sample.differences import differences
from local.sample_account import build_account, names, truth
from tests.e2e.conftest import GROUPS

FINAL = {"COMPLETED", "SKIPPED", "NOT_APPLICABLE"}


@pytest.mark.parametrize("name", names(GROUPS))
def test_every_stored_number_equals_the_ground_truth(deployment: Deployment, name: str) -> None:
    run = build_account(deployment.loaded_at, include=GROUPS).run(name)
    created = deployment.rows("SELECT MIN(CREATED_AT) AS MOMENT FROM DELAYED_ENRICHMENT_TASKS")[0]["MOMENT"]
    expected = truth.expected(run, deployment.loaded_at, created)
    assert list(differences(deployment.rows, run.run_id, expected)) == []


def test_hybrid_run_after_an_hour_has_its_queries_and_waits_for_the_rest(deployment: Deployment) -> None:
    ended = deployment.account.run("hybrid-fresh").ended_at
    assert ended is not None
    due = ended.replace(tzinfo=None) + timedelta(minutes=195)
    assert deployment.task("hybrid-fresh", "QUERY_HISTORY")["STATUS"] == "COMPLETED"
    for name in ("AGGREGATE", "LOCK_CONTENTION"):
        task = deployment.task("hybrid-fresh", name)
        assert (task["STATUS"], task["DUE_AT"], task["ROWS_WRITTEN"]) == ("PENDING", due, None)
    for name in ("QUERY_INSIGHTS", "HYBRID_CREDITS"):
        task = deployment.task("hybrid-fresh", name)
        assert task["STATUS"] == "NOT_APPLICABLE"
        assert task["LAST_ERROR"]


def test_runs_of_five_hours_ago_are_settled(deployment: Deployment) -> None:
    for name in ("hybrid-settled", "standard-settled", "dynamic-settled", "interactive-settled"):
        assert deployment.job(name)["STATUS"] in FINAL


def test_unfinished_and_failed_runs_have_no_job(deployment: Deployment) -> None:
    run_ids = [deployment.account.run(name).run_id for name in ("failed", "cancelled", "running")]
    assert deployment.rows("SELECT * FROM DELAYED_ENRICHMENT_QUEUE WHERE RUN_ID IN (%(ids)s)", ids=run_ids) == []


def test_a_run_that_cannot_be_enriched_is_red_with_its_reason_and_disturbs_no_other(deployment: Deployment) -> None:
    instances = deployment.instances(deployment.first_pass, "enrich")
    red = [item for item in instances if item["state"] == "failed"]
    assert {item["rendered_map_index"].partition(" ·")[0] for item in red} == {
        "broken-no-tags",
        "broken-bare-tag",
        "broken-empty-tags",
        "broken-inverted",
    }
    inverted = next(item for item in red if item["rendered_map_index"] == "broken-inverted · AGGREGATE")
    log = deployment.log(deployment.first_pass, "enrich", inverted["map_index"], inverted["try_number"])
    run_id = deployment.account.run("broken-inverted").run_id
    for part in (run_id, "AGGREGATE", "before it started", "then retry the run"):
        assert part in log
    states = deployment.states(deployment.first_pass)
    assert states["roll_up_jobs"] == {"success"}
    assert states["fail_when_a_task_failed"] == {"failed"}
    assert deployment.job("broken-no-tags")["STATUS"] == "FAILED"


def test_each_settled_job_emits_one_event_with_its_outcome(deployment: Deployment) -> None:
    reply = deployment.client.request("GET", "/api/v2/assets/events", params={"limit": 200})
    events = [event for event in reply["asset_events"] if event["source_run_id"] == deployment.first_pass]
    settled = deployment.rows("SELECT RUN_ID, STATUS FROM DELAYED_ENRICHMENT_QUEUE WHERE STATUS <> 'PENDING'")
    assert {event["name"] for event in events} == {"flakebench_run_enriched"}
    assert sorted((event["extra"]["run_id"], event["extra"]["status"]) for event in events) == sorted(
        (row["RUN_ID"], row["STATUS"]) for row in settled
    )
    hybrid = next(e for e in events if e["extra"]["run_id"] == deployment.account.run("hybrid-settled").run_id)
    assert hybrid["extra"]["types"] == ["AGGREGATE", "LOCK_CONTENTION", "QUERY_HISTORY"]
    assert hybrid["extra"]["data_complete"] is True


def test_each_try_is_in_the_history_with_its_query(deployment: Deployment) -> None:
    rows = deployment.rows(
        "SELECT ENRICHMENT_TYPE, OUTCOME, QUERY_ID, DURATION_MS, CLAIMED_BY FROM DELAYED_ENRICHMENT_ATTEMPTS "
        "WHERE RUN_ID = %(run_id)s ORDER BY ENRICHMENT_TYPE",
        run_id=deployment.account.run("hybrid-settled").run_id,
    )
    assert [row["ENRICHMENT_TYPE"] for row in rows] == ["AGGREGATE", "LOCK_CONTENTION", "QUERY_HISTORY"]
    for row in rows:
        assert row["OUTCOME"] == "COMPLETED"
        assert row["QUERY_ID"]
        assert row["DURATION_MS"] > 0
        assert row["CLAIMED_BY"] == f"delayed_enrichment/{deployment.first_pass}"
