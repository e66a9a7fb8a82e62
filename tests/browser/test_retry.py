"""Retry pressed in Chromium: the badge changes at once, a DAG run carries it, and the page sees it through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Page, expect

from local.deployment import Deployment
from tests.browser.conftest import OpenPage, Watch, faulty
from tests.plugins.routes import SENT_BY_OUR_PAGE

RETRY = "enrichment_retry"
MESSAGE = "Run, type, cause: put there by a test. Retry the run."


def fail(deployment: Deployment, run_name: str, *types: str) -> str:
    """Let types of a settled run have failed; returns the run's id."""
    run_id = deployment.account.run(run_name).run_id
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET STATUS = 'FAILED', REASON_CODE = 'TIMEOUT', LAST_ERROR = %(message)s, "
        "UPDATED_AT = SYSDATE() WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE IN (%(types)s)",
        message=MESSAGE,
        run_id=run_id,
        types=list(types),
    )
    return run_id


@pytest.fixture
def passes(deployment: Deployment) -> Iterator[None]:
    """Lets passes run at the end of the test, so that the account is whole again for the next."""
    yield
    deployment.client.pause(paused=False)
    deployment.wait_until_quiet()
    deployment.client.pause(paused=True)


def row(page: Page, run_id: str) -> Page:
    return page.locator(f'tr[data-run="{run_id}"]')  # type: ignore[return-value]


@pytest.mark.usefixtures("passes")
def test_pressing_retry_changes_the_badge_and_the_run_becomes_whole_before_our_eyes(
    deployment: Deployment, open_page: OpenPage
) -> None:
    run_id = fail(deployment, "dynamic-settled", "AGGREGATE")
    page = open_page(f"/enrichment/?search={run_id}")
    badge = row(page, run_id).locator("[data-run-badge]")
    expect(badge).to_have_text("Partial – 1 type failed")
    before = datetime.now(UTC)

    row(page, run_id).get_by_role("button", name="Retry").click()
    expect(badge).to_have_text("Partial – full due now")
    expect(page.get_by_role("status")).to_contain_text("1 type of 1 run due now")
    expect(row(page, run_id).get_by_role("button", name="Retry")).to_have_count(0)

    newest = deployment.client.dag_runs(RETRY)[0]
    assert datetime.fromisoformat(newest["run_after"]) >= before.replace(microsecond=0)
    assert newest["triggering_user_name"] == "admin"
    assert newest["conf"] == {"test_ids": [run_id]}
    expect(page.get_by_role("status")).to_contain_text(newest["dag_run_id"])
    assert deployment.client.wait_for_run(newest["dag_run_id"], deployment.supervisor, dag_id=RETRY) == "success"
    answer = deployment.answer(RETRY, newest["dag_run_id"], "requeue_tasks")
    assert answer["requeued"] == {run_id: ["AGGREGATE"]}, "the DAG run answers what the page did"

    deployment.client.pause(paused=False)
    expect(badge).to_have_text("Full metrics", timeout=120_000)


@pytest.mark.usefixtures("passes")
def test_several_runs_are_retried_at_once(deployment: Deployment, open_page: OpenPage) -> None:
    failed = [fail(deployment, name, "QUERY_HISTORY") for name in ("interactive-settled", "unistore-settled")]
    settled = deployment.account.run("standard-settled").run_id
    page = open_page("/enrichment/?limit=200")
    button = page.get_by_role("button", name="Retry what failed")
    expect(button).to_be_disabled()
    row(page, settled).get_by_role("checkbox").check()
    expect(button).to_be_disabled()
    for run_id in failed:
        row(page, run_id).get_by_role("checkbox").check()
    expect(page.get_by_text("3 selected, 2 can be retried")).to_be_visible()
    button.click()
    expect(page.get_by_role("status")).to_contain_text("2 types of 2 runs due now")
    for run_id in failed:
        expect(row(page, run_id).locator("[data-run-badge]")).to_contain_text("due now")


def test_what_did_not_fail_is_refused_with_the_reason(deployment: Deployment, api: httpx.Client) -> None:
    run_id = deployment.account.run("standard-settled").run_id
    runs_before = len(deployment.client.dag_runs(RETRY))
    reply = api.post(f"/api/v1/runs/{run_id}/retry", json={}, headers=SENT_BY_OUR_PAGE)
    assert reply.status_code == 409
    assert reply.headers["content-type"] == "application/problem+json"
    assert f"Run {run_id}: nothing failed" in reply.json()["detail"]
    assert len(deployment.client.dag_runs(RETRY)) == runs_before


def test_a_run_that_does_not_exist_is_not_found(api: httpx.Client) -> None:
    assert api.post("/api/v1/runs/nobody/retry", json={}, headers=SENT_BY_OUR_PAGE).status_code == 404
    reply = api.post("/api/v1/retries", json={"run_ids": ["nobody"]}, headers=SENT_BY_OUR_PAGE)
    assert reply.status_code == 409
    assert "'nobody' is not the TEST_ID of a run" in reply.json()["detail"]


@pytest.mark.usefixtures("passes")
def test_a_refusal_is_shown_with_its_reason(deployment: Deployment, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("409")
    run_id = fail(deployment, "dynamic-settled", "QUERY_HISTORY")
    page = open_page(f"/enrichment/?search={run_id}")
    deployment.requeue("dynamic-settled", "QUERY_HISTORY")  # somebody else was faster
    row(page, run_id).get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("Not retried: Nothing was changed")
    expect(page.get_by_role("status")).to_contain_text("nothing failed")


@pytest.mark.usefixtures("passes")
def test_a_retry_that_snowflake_does_not_answer_changes_nothing_and_can_be_pressed_again(
    deployment: Deployment, open_page: OpenPage, watch: Watch
) -> None:
    watch.allow("503")
    run_id = fail(deployment, "dynamic-settled", "AGGREGATE")
    page = open_page(f"/enrichment/?search={run_id}")
    button = row(page, run_id).get_by_role("button", name="Retry")
    with faulty(deployment, {"match": "UPDATE .*DELAYED_ENRICHMENT_TASKS", "errno": 625, "sqlstate": "57014"}):
        button.click()
        expect(page.get_by_role("status")).to_contain_text("Another pass holds the queue")
    assert deployment.task("dynamic-settled", "AGGREGATE")["STATUS"] == "FAILED"
    button.click()
    expect(row(page, run_id).locator("[data-run-badge]")).to_have_text("Partial – full due now")
