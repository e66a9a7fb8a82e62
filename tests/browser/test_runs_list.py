"""The list of runs in Chromium: filter, paging, state in the URL, phone and dark, and when there is nothing to show."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from local.deployment import Deployment
from tests.browser.accessibility import serious_issues
from tests.browser.conftest import DESKTOP, PHONE, OpenPage, Watch, faulty

RUNS = re.compile(r"(\d+)–(\d+) of (\d+) runs")


def shown(page: Page) -> list[str]:
    return [row.get_attribute("data-run") or "" for row in page.locator("tr[data-run]").all()]


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_every_run_of_the_account_is_listed_the_newest_first(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_page("/enrichment/?limit=200")
    assert set(shown(page)) == {run.run_id for run in deployment.account.runs}
    ends = [item.get_attribute("datetime") or "" for item in page.locator("td[data-label=Ended] time").all()]
    assert ends == sorted(ends, reverse=True)


def test_a_run_shows_its_types_with_what_is_done_coming_or_failed(deployment: Deployment, open_page: OpenPage) -> None:
    run_id = deployment.account.run("hybrid-fresh").run_id
    row = open_page("/enrichment/?limit=200").locator(f'tr[data-run="{run_id}"]')
    expect(row.locator("[data-run-badge]")).to_contain_text(re.compile(r"Partial – full in ~\d"))
    types = [" ".join(text.split()) for text in row.locator(".chips li").all_inner_texts()]
    assert any(text.startswith("Aggregate: in ") for text in types)
    assert any(text.startswith("Query history") for text in types)


def test_pending_is_neither_zero_nor_called_absent(open_page: OpenPage) -> None:
    text = open_page("/enrichment/?state=PENDING").locator("tbody").inner_text()
    assert "N/A" not in text
    assert re.search(r"(?<!\d)0 %", text) is None


def test_the_filter_is_in_the_url_and_survives_a_reload(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Name or run id").fill("hybrid")
    page.get_by_text("Full metrics", exact=True).first.click()
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile("search=hybrid"))
    assert query(page)["state"] == ["COMPLETED"]
    names = page.get_by_role("rowheader").all_inner_texts()
    assert names
    assert all("hybrid" in name.lower() for name in names)
    page.reload()
    assert page.get_by_label("Name or run id").input_value() == "hybrid"
    assert page.locator('input[name="state"][value="COMPLETED"]').is_checked()
    page.get_by_role("link", name="Reset").click()
    assert query(page) == {}


def test_pages_follow_each_other_without_a_gap_or_a_repetition(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_page("/enrichment/?limit=5")
    seen = shown(page)
    while page.get_by_role("link", name="Older").count():
        page.get_by_role("link", name="Older").click()
        page.locator("#range").wait_for()
        first, last, total = map(int, RUNS.search(page.locator("#range").inner_text()).groups())  # type: ignore[union-attr]
        assert first == len(seen) + 1
        seen += shown(page)
        assert (last, query(page)["limit"]) == (len(seen), ["5"])
    assert len(seen) == len(set(seen)) == total == len(deployment.account.runs)
    page.get_by_role("link", name="Newer").click()
    assert shown(page) != seen[-len(shown(page)) :]


def test_the_list_works_without_scripts(open_page: OpenPage) -> None:
    page = open_page(scripts=False)
    page.get_by_label("Name or run id").fill("hybrid")
    page.get_by_role("button", name="Filter").click()
    assert "hybrid" in page.get_by_role("rowheader").first.inner_text().lower()


def test_a_filter_that_matches_nothing_says_so_and_leads_back(open_page: OpenPage) -> None:
    page = open_page("/enrichment/?search=no-such-run")
    expect(page.get_by_text("No run matches this filter.")).to_be_visible()
    page.get_by_role("link", name="Show every run").click()
    assert shown(page)


def test_two_to_five_runs_can_be_compared(open_page: OpenPage) -> None:
    page = open_page()
    compare = page.get_by_role("button", name="Compare")
    boxes = page.locator('input[name="run"]')
    expect(compare).to_be_disabled()
    boxes.nth(0).check()
    expect(compare).to_be_disabled()
    boxes.nth(1).check()
    expect(compare).to_be_enabled()
    for number in range(2, 6):
        boxes.nth(number).check()
    expect(compare).to_be_disabled()
    expect(page.get_by_text("at most 5 can be compared")).to_be_visible()


def test_the_page_is_found_in_airflows_navigation_and_keeps_its_place_in_the_address(open_page: OpenPage) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Enrichment").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Benchmark runs").wait_for()
    frame.get_by_label("Name or run id").fill("hybrid")
    frame.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile(r"/plugin/enrichment/.*search=hybrid"))


def test_a_link_to_airflow_leaves_the_frame(open_page: OpenPage) -> None:
    page = open_page("/plugin/enrichment/enrichment/health")
    page.frame_locator("iframe").get_by_role("link", name="delayed_enrichment").first.click()
    page.wait_for_url(re.compile(r"/dags/delayed_enrichment$"))
    assert page.locator("iframe").count() == 0


def test_the_tab_of_a_dag_run_lists_the_runs_that_it_worked_on(deployment: Deployment, open_page: OpenPage) -> None:
    run = next(
        run["dag_run_id"]
        for run in deployment.client.dag_runs()
        if any(item["map_index"] >= 0 for item in deployment.instances(run["dag_run_id"], "enrich"))
    )
    page = open_page(f"/enrichment/dag-runs/delayed_enrichment/{run}")
    assert page.get_by_role("rowheader").count() > 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_list_fits_and_is_accessible(
    open_page: OpenPage, theme: str, viewport: dict[str, int], pictures: Any
) -> None:
    page = open_page(theme=theme, viewport=viewport)
    page.locator("tr[data-run]").first.wait_for()
    page.screenshot(path=pictures / f"runs-{theme}-{viewport['width']}.png", full_page=True)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]
    assert serious_issues(page) == []


def test_the_theme_follows_airflows_while_the_page_is_open(open_page: OpenPage) -> None:
    page = open_page(theme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    other = page.context.new_page()
    other.goto(page.url)
    other.evaluate("localStorage.setItem('theme', 'dark')")
    page.wait_for_function("before => getComputedStyle(document.body).backgroundColor !== before", arg=light)


def test_it_is_refreshed_while_something_is_moving_and_its_tab_is_visible(open_page: OpenPage) -> None:
    page = open_page()
    page.clock.install()
    page.reload()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "x-partial" in request.headers else None)

    with page.expect_response(lambda reply: "x-partial" in reply.request.headers):
        page.clock.fast_forward(20_000)
    _show(page, visible=False)
    asked.clear()
    page.clock.run_for(300_000)
    assert asked == []
    with page.expect_response(lambda reply: "x-partial" in reply.request.headers):
        _show(page, visible=True)


def _show(page: Page, *, visible: bool) -> None:
    """As when another tab is chosen, or this one again."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        not visible,
    )


class TestTroubles:
    """What somebody sees who cannot be answered."""

    def test_an_unreachable_snowflake_says_what_to_do(
        self, deployment: Deployment, open_page: OpenPage, watch: Watch
    ) -> None:
        watch.allow("503")
        fault = {"match": "AS TOTAL FROM chosen", "errno": 290503, "sqlstate": "08001"}
        with faulty(deployment, fault):
            page = open_page("/enrichment/?search=unreachable")
            alert = page.get_by_role("alert")
            expect(alert).to_contain_text("Snowflake cannot be reached")
            expect(alert).to_contain_text("What to do:")
            assert "Traceback" not in page.content()
        page.get_by_role("link", name="Try again").click()
        expect(page.get_by_text("No run matches this filter.")).to_be_visible()

    def test_a_missing_grant_is_there_to_copy(self, deployment: Deployment, open_page: OpenPage, watch: Watch) -> None:
        watch.allow("503")
        name = "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"
        text = f"Object '{name}' does not exist or not authorized."
        with faulty(deployment, {"match": "AS TOTAL FROM chosen", "errno": 2003, "sqlstate": "42S02", "message": text}):
            page = open_page("/enrichment/?search=grant")
            grant = f"GRANT SELECT ON TABLE {name} TO ROLE FLAKEBENCH_ROLE;"
            expect(page.locator("code", has_text=grant)).to_be_visible()
            expect(page.get_by_role("button", name="Copy")).to_have_attribute("data-copy", grant)

    def test_tables_that_are_not_set_up_name_the_dag_that_creates_them(
        self, deployment: Deployment, open_page: OpenPage, watch: Watch
    ) -> None:
        watch.allow("503")
        text = "Object 'FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_TASKS' does not exist or not authorized."
        with faulty(deployment, {"match": "AS TOTAL FROM chosen", "errno": 2003, "sqlstate": "42S02", "message": text}):
            expect(open_page("/enrichment/?search=setup").get_by_role("alert")).to_contain_text("enrichment_setup")

    def test_a_setting_that_cannot_be_used_is_named_and_counts_without_a_restart(
        self, deployment: Deployment, api: httpx.Client
    ) -> None:
        name = "FLAKEBENCH_ENRICHMENT_WAREHOUSE"
        deployment.client.request("POST", "/api/v2/variables", json={"key": name, "value": "not a name"})
        try:
            deployment.wait(lambda: api.get("/api/v1/runs").status_code == 503)
            problem = api.get("/api/v1/runs").json()
            assert problem["type"].endswith(":configuration")
            assert name in problem["detail"]
        finally:
            deployment.client.request("DELETE", f"/api/v2/variables/{name}", accept=(204,))
        deployment.wait(lambda: api.get("/api/v1/runs").status_code == 200)

    def test_a_refresh_that_fails_leaves_what_is_shown(
        self, deployment: Deployment, open_page: OpenPage, watch: Watch
    ) -> None:
        watch.allow("503")
        page = open_page()
        runs = shown(page)
        with faulty(deployment, {"match": "AS TOTAL FROM chosen", "errno": 290503, "sqlstate": "08001"}):
            page.evaluate("document.dispatchEvent(new CustomEvent('enrichment:retried', {detail: {run_ids: []}}))")
            page.locator("#runs[data-stale]").wait_for()
            assert shown(page) == runs


def test_the_list_is_one_query(deployment: Deployment, api: httpx.Client) -> None:
    api.get("/api/v1/runs", params={"search": "one-query"}).raise_for_status()
    sent = [item for item in deployment.server("GET", "/statements")["statements"] if "one-query" in item["text"]]
    assert len(sent) == 1


def test_who_has_the_current_list_is_not_sent_it_again(api: httpx.Client) -> None:
    path = "/api/v1/runs?state=COMPLETED"
    first = api.get(path)
    second = api.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["etag"] == first.headers["etag"]
