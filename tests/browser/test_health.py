"""The health page in Chromium: each measure beside its objective, and each part by itself when one cannot be read."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from local.deployment import Deployment
from tests.browser.accessibility import serious_issues
from tests.browser.conftest import DESKTOP, PHONE, OpenPage, faulty

SETUP = "enrichment_setup"


@pytest.fixture(scope="module", autouse=True)
def doctor(deployment: Deployment) -> None:
    """The doctor has run."""
    deployment.run_dag(SETUP)


def test_each_measure_is_shown_with_its_objective(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_page("/enrichment/health")
    for name in ("Jobs that are due", "Oldest pending type", "Failed of what settled in 24 hours"):
        card = page.locator(f'[data-measure="{name}"]')
        expect(card).to_contain_text("Warning above")
        expect(card.locator(".badge")).to_be_visible()


def test_the_numbers_are_those_of_the_queue(deployment: Deployment, api: httpx.Client) -> None:
    found = api.get("/api/v1/health", headers={"Cache-Control": "no-cache"}).json()
    (counted,) = deployment.rows(
        "SELECT COUNT_IF(DUE_AT <= SYSDATE()) AS DUE, COUNT_IF(DUE_AT > SYSDATE()) AS LATER "
        "FROM DELAYED_ENRICHMENT_TASKS WHERE STATUS = 'PENDING' AND PRIORITY <= 0"
    )
    assert found["queue"]["due_tasks"] == counted["DUE"]
    assert found["queue"]["later_tasks"] == counted["LATER"]
    assert found["data_complete"] is False
    (failed,) = [item for item in found["measures"] if item["objective"]["name"].startswith("Failed of what settled")]
    assert failed["level"] == ("CRITICAL" if failed["value"] > 15 else "WARNING" if failed["value"] > 5 else "OK")


def test_the_last_doctor_is_shown_per_view(open_page: OpenPage) -> None:
    page = open_page("/enrichment/health")
    for view in ("QUERY_HISTORY", "AGGREGATE_QUERY_HISTORY", "LOCK_WAIT_HISTORY", "QUERY_INSIGHTS"):
        expect(page.get_by_role("rowheader", name=f"view {view}", exact=True)).to_be_visible()


def test_a_missing_grant_for_the_cost_leaves_the_rest_of_the_page(deployment: Deployment, open_page: OpenPage) -> None:
    name = "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"
    text = f"Object '{name}' does not exist or not authorized."
    fault = {"match": "WAREHOUSE_STATEMENTS", "errno": 2003, "sqlstate": "42S02", "message": text}
    with faulty(deployment, fault):
        page = open_page()
        page.set_extra_http_headers({"Cache-Control": "no-cache"})
        page.goto(f"{deployment.home.url}/enrichment/health")
        grant = "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE FLAKEBENCH_ROLE;"
        expect(page.locator("code", has_text=grant)).to_be_visible()
        expect(page.locator('[data-measure="Jobs that are due"]')).to_be_visible()


def test_a_run_that_waits_is_one_click_away(open_page: OpenPage) -> None:
    page = open_page("/enrichment/health")
    link = page.locator("#oldest ~ .table-box a").first
    assert "/enrichment/runs/" in (link.get_attribute("href") or "")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_fits_and_is_accessible(
    open_page: OpenPage, theme: str, viewport: dict[str, int], pictures: Any
) -> None:
    page = open_page("/enrichment/health", theme=theme, viewport=viewport)
    page.get_by_role("heading", name="Objectives").wait_for()
    page.screenshot(path=pictures / f"health-{theme}-{viewport['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert serious_issues(page) == []
