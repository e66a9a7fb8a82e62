"""The comparison in Chromium: chosen in the form, best marked, nothing called different that may be equal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from local.deployment import Deployment
from tests.browser.accessibility import serious_issues
from tests.browser.conftest import DESKTOP, PHONE, OpenPage, Watch
from tests.browser.test_run_page import assert_no_sideways_scrolling

NAMES = ("hybrid-settled", "unistore-settled", "standard-settled", "standard-new")


def address(deployment: Deployment, *names: str) -> str:
    return "/enrichment/compare?" + "&".join(f"run={deployment.account.run(name).run_id}" for name in names)


def test_two_runs_are_chosen_and_compared(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_page("/enrichment/compare")
    expect(page.locator("main")).to_contain_text("Choose two to five runs")
    for label, name in (("Baseline", "hybrid-settled"), ("Run 2", "unistore-settled")):
        page.get_by_label(label, exact=False).first.select_option(deployment.account.run(name).run_id)
    page.get_by_role("button", name="Compare").click()

    table = page.get_by_role("region", name="Metrics", exact=True)
    expect(table.get_by_role("columnheader")).to_have_text(["Metric", "1. hybrid-settled", "2. unistore-settled"])
    expect(table).to_contain_text("Server execution")
    expect(page.locator("#chart-comparison")).to_have_attribute("data-drawn", "true")


def test_values_are_called_different_only_where_their_bounds_do_not_overlap(
    deployment: Deployment, open_page: OpenPage
) -> None:
    page = open_page(address(deployment, "hybrid-settled", "unistore-settled", "standard-settled"))
    table = page.get_by_role("region", name="Metrics", exact=True)
    row = table.locator("tbody tr").filter(has=page.get_by_role("rowheader", name="p95", exact=True)).first

    expect(row.locator("td").nth(0)).to_contain_text("≈")
    expect(row.locator("td").nth(2).locator(".verdict")).to_contain_text("higher")
    assert row.locator(".best").count() in (1, 2)
    assert row.locator("td").nth(2).locator(".best-mark").count() == 0


def test_what_is_still_to_come_is_not_a_zero(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_page(address(deployment, "standard-settled", "standard-new"))
    row = page.get_by_role("row", name=re.compile("^mean")).first

    expect(row.locator("td").nth(1)).to_have_text("coming")
    expect(page.locator(".runs .card").nth(1)).to_contain_text("Coming: ")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_and_fits(
    deployment: Deployment, open_page: OpenPage, pictures: Path, theme: str, viewport: dict[str, int]
) -> None:
    page = open_page(address(deployment, *NAMES), theme=theme, viewport=viewport)
    expect(page.locator("#chart-comparison")).to_have_attribute("data-drawn", "true")
    page.screenshot(path=pictures / f"compare-{theme}-{viewport['width']}.png", full_page=True)

    assert_no_sideways_scrolling(page)
    assert serious_issues(page) == []


def test_runs_that_cannot_be_compared_say_why(deployment: Deployment, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("404")
    page = open_page(address(deployment, "hybrid-settled") + "&run=nobody")

    expect(page.locator("main")).to_contain_text("No run has the id nobody")
