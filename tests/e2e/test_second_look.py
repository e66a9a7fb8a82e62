"""The second look in the real scheduler: what changed after a run settled is found, told and announced once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.deployment import Deployment

_RUN = "dynamic-settled"
_TYPE = "QUERY_HISTORY"


@pytest.fixture
def scanned_more(deployment: Deployment) -> Any:
    """Snowflake corrects a row of the run after it has settled: one partition more was scanned."""
    deployment.wait_until_quiet()
    (row,) = deployment.rows(
        "SELECT QUERY_ID FROM QUERY_EXECUTION_METRICS "
        "WHERE RUN_ID = %(run_id)s AND PARTITIONS_SCANNED < PARTITIONS_TOTAL ORDER BY QUERY_ID LIMIT 1",
        run_id=deployment.account.run(_RUN).run_id,
    )
    correct = (
        f"UPDATE {deployment.settings.account_usage}.QUERY_HISTORY "
        "SET PARTITIONS_SCANNED = PARTITIONS_SCANNED + %(more)s WHERE QUERY_ID = %(query_id)s"
    )
    deployment.rows(correct, more=1, query_id=row["QUERY_ID"])
    yield
    deployment.rows(correct, more=-1, query_id=row["QUERY_ID"])


def look_again(deployment: Deployment) -> dict[str, Any]:
    """Let the second look be due, as it is a day after a run settled incomplete, and a pass make it.

    :returns: its row in the history
    """
    binds = {"run_id": deployment.account.run(_RUN).run_id, "type": _TYPE}
    tries = "SELECT * FROM DELAYED_ENRICHMENT_ATTEMPTS WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(type)s"
    known = {row["CLAIM_TOKEN"] for row in deployment.rows(tries, **binds)}
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET RECHECK_AT = DATEADD('minute', -1, SYSDATE()) "
        "WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(type)s",
        **binds,
    )
    deployment.run_pass()
    deployment.wait_until_quiet()
    new = [row for row in deployment.rows(tries, **binds) if row["CLAIM_TOKEN"] not in known]
    assert [row["OUTCOME"] for row in new] == ["RECHECKED"], (new, deployment.task(_RUN, _TYPE))
    return new[0]


def announced(deployment: Deployment, look: dict[str, Any]) -> list[str]:
    """The outcomes of the run that the pass of this look announced."""
    run_id, dag_run_id = look["RUN_ID"], look["CLAIMED_BY"].partition("/")[2]
    reply = deployment.client.request("GET", "/api/v2/assets/events", params={"source_run_id": dag_run_id})
    return [event["extra"]["status"] for event in reply["asset_events"] if event["extra"]["run_id"] == run_id]


@pytest.mark.usefixtures("scanned_more")
def test_a_value_that_changed_is_stored_recorded_and_announced_once_while_the_run_stays_completed(
    deployment: Deployment,
) -> None:
    run_id = deployment.account.run(_RUN).run_id
    completed_at = deployment.task(_RUN, _TYPE)["COMPLETED_AT"]
    summary = "SELECT PARTITIONS_SCANNED FROM RUN_ENRICHMENT_SUMMARY WHERE RUN_ID = %(run_id)s"
    before = deployment.rows(summary, run_id=run_id)[0]["PARTITIONS_SCANNED"]

    look = look_again(deployment)
    assert json.loads(look["CHANGES"])["PARTITIONS_SCANNED"] == {"from": before, "to": before + 1}
    labels = [
        (item["rendered_map_index"], item["state"])
        for item in deployment.instances(look["CLAIMED_BY"].partition("/")[2], "enrich")
    ]
    assert (f"{_RUN} · {_TYPE} · second look", "success") in labels
    assert deployment.rows(summary, run_id=run_id)[0]["PARTITIONS_SCANNED"] == before + 1
    task = deployment.task(_RUN, _TYPE)
    assert (task["STATUS"], task["COMPLETED_AT"], task["RECHECK_AT"]) == ("COMPLETED", completed_at, None)
    assert announced(deployment, look) == ["COMPLETED"]

    look = look_again(deployment)
    assert look["CHANGES"] is None
    assert announced(deployment, look) == []


def test_a_second_look_that_finds_the_same_changes_no_number_and_announces_nothing(deployment: Deployment) -> None:
    run_id = deployment.account.run(_RUN).run_id
    deployment.requeue(_RUN, _TYPE)
    deployment.run_pass()
    deployment.wait_until_quiet()
    stored = "SELECT * EXCLUDE (CREATED_AT, UPDATED_AT) FROM RUN_ENRICHMENT_SUMMARY WHERE RUN_ID = %(run_id)s"
    before = deployment.rows(stored, run_id=run_id)
    look = look_again(deployment)
    assert look["CHANGES"] is None
    assert announced(deployment, look) == []
    assert deployment.rows(stored, run_id=run_id) == before
    assert deployment.job(_RUN)["STATUS"] == "COMPLETED"
