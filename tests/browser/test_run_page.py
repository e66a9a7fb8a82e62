"""A run's page in Chromium: every state of every section, both themes, desktop and phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
import pytest
from playwright.sync_api import Page, expect

from local.deployment import Deployment
from tests.browser.accessibility import serious_issues
from tests.browser.conftest import DESKTOP, PHONE, OpenPage, Watch
from tests.browser.staged_runs import staged

SECTIONS = ("server-metrics", "lock-contention", "credits", "insights", "partitions", "history")
DATA, EMPTY, COMING, FAILED, NOT_APPLICABLE = "data", "Looked at, nothing found", "Coming", "Failed", "Not applicable"
LOADING, PROVISIONAL, TRIED, UNTRIED = "Loading", "Provisional", "Started", "Nothing was tried yet"
NOTHING_TRIED, CLEANED_UP = "nothing was tried", "Tries are deleted"
RUNS: dict[str, tuple[str, ...]] = {
    "hybrid-settled": (DATA, DATA, NOT_APPLICABLE, NOT_APPLICABLE, DATA, TRIED),
    "hybrid-billed": (DATA, DATA, DATA, NOT_APPLICABLE, NOT_APPLICABLE, TRIED),
    "hybrid-fresh": (COMING, COMING, NOT_APPLICABLE, NOT_APPLICABLE, DATA, TRIED),
    "standard-settled": (DATA, NOT_APPLICABLE, NOT_APPLICABLE, DATA, DATA, TRIED),
    "standard-single-minute": (DATA, NOT_APPLICABLE, NOT_APPLICABLE, EMPTY, DATA, TRIED),
    "standard-filling": (PROVISIONAL, NOT_APPLICABLE, NOT_APPLICABLE, EMPTY, DATA, TRIED),
    "standard-new": (COMING, NOT_APPLICABLE, NOT_APPLICABLE, COMING, COMING, UNTRIED),
    "broken-no-tags": (FAILED, NOT_APPLICABLE, NOT_APPLICABLE, FAILED, FAILED, TRIED),
    "postgres": (NOT_APPLICABLE,) * 5 + (NOTHING_TRIED,),
    "cancelled": (NOT_APPLICABLE,) * 5 + (NOTHING_TRIED,),
    "staged-hybrid-empty": (EMPTY, EMPTY, EMPTY, NOT_APPLICABLE, EMPTY, CLEANED_UP),
    "staged-hybrid-failed": (FAILED, FAILED, FAILED, NOT_APPLICABLE, FAILED, CLEANED_UP),
    "staged-hybrid-coming": (COMING, COMING, COMING, NOT_APPLICABLE, COMING, CLEANED_UP),
    "staged-hybrid-loading": (LOADING, LOADING, LOADING, NOT_APPLICABLE, LOADING, CLEANED_UP),
    "staged-hybrid-waits-for-a-grant": (COMING, COMING, COMING, NOT_APPLICABLE, COMING, CLEANED_UP),
    "staged-standard-empty": (EMPTY, NOT_APPLICABLE, NOT_APPLICABLE, EMPTY, EMPTY, TRIED),
    "staged-standard-failed": (FAILED, NOT_APPLICABLE, NOT_APPLICABLE, FAILED, FAILED, CLEANED_UP),
    "staged-standard-coming": (COMING, NOT_APPLICABLE, NOT_APPLICABLE, COMING, COMING, CLEANED_UP),
}
"""Name of a run to what each section, in the order of the page, has to show."""

_CHOOSE_THEME = """theme => {
  localStorage.setItem('theme', theme);
  window.dispatchEvent(new StorageEvent('storage', { key: 'theme', newValue: theme }));
}"""
_CHARTS_FIT = """() => [...document.querySelectorAll("[data-chart]")].every((chart) => {
  const drawn = chart.querySelector(".main-svg").getBoundingClientRect();
  return Math.abs(drawn.width - chart.clientWidth) <= 2 && drawn.bottom <= chart.getBoundingClientRect().bottom + 1;
})"""
_FILL_DIFFERS = (
    "before => getComputedStyle(document.querySelector('#chart-server-latency .xtick text')).fill !== before"
)


@pytest.fixture(scope="module", autouse=True)
def _staged_runs(deployment: Deployment) -> Iterator[None]:
    with staged(deployment):
        yield


def id_of(deployment: Deployment, name: str) -> str:
    return name if name.startswith("staged-") else deployment.account.run(name).run_id


def open_run(open_page: OpenPage, deployment: Deployment, name: str, **how: object) -> Page:
    """The page of a run, each section loaded."""
    page = open_page(f"/enrichment/runs/{id_of(deployment, name)}", **how)
    for section in SECTIONS:
        page.locator(f"#{section}").scroll_into_view_if_needed()
        expect(page.locator(f"#{section} [data-section]")).to_have_attribute("aria-busy", "false")
    for chart in page.locator("[data-chart]").all():
        expect(chart).to_have_attribute("data-drawn", "true")
    return page


def choose_theme(page: Page, theme: str) -> None:
    """As a click on the switch of Airflow's UI in another frame or tab."""
    page.evaluate(_CHOOSE_THEME, theme)
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def assert_no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("name", RUNS)
def test_each_section_shows_its_state_in_both_themes_and_widths(
    deployment: Deployment, open_page: OpenPage, pictures: Path, name: str
) -> None:
    page = open_run(open_page, deployment, name)
    for section, shown in zip(SECTIONS, RUNS[name], strict=True):
        body = page.locator(f"#{section} [data-section]")
        if shown == DATA:
            expect(body.locator(".standing .badge")).to_have_text(re.compile("Complete|Written|Incomplete"))
            expect(body.locator(".card, .insight").first).to_be_visible()
        else:
            expect(body).to_contain_text(shown)
        if section != "history" and shown not in (DATA, PROVISIONAL):
            expect(body.locator(".big")).to_have_count(0)  # pending, failed and empty have no number, not a zero
    for theme in ("light", "dark"):
        choose_theme(page, theme)
        for viewport in (DESKTOP, PHONE):
            page.set_viewport_size(viewport)
            page.wait_for_function(_CHARTS_FIT)
            page.evaluate("window.scrollTo(0, 0)")
            page.screenshot(path=pictures / f"{name}-{theme}-{viewport['width']}.png", full_page=True)
            assert_no_sideways_scrolling(page)
            assert serious_issues(page) == []


def test_the_section_of_an_optional_type_is_on_the_page_of_a_run_that_has_it_and_of_no_other(
    deployment: Deployment, open_page: OpenPage
) -> None:
    page = open_run(open_page, deployment, "staged-standard-accelerated")
    section = page.locator("#query-acceleration")
    section.scroll_into_view_if_needed()
    expect(section.locator(".big")).to_have_text(re.compile(r"^0\.25"))
    expect(section.get_by_role("row")).to_have_count(2)
    expect(section.get_by_role("row").last).to_contain_text("BENCH_WH")
    expect(section).to_contain_text("warehouse, not this run alone")
    assert serious_issues(page) == []

    other = open_run(open_page, deployment, "staged-standard-coming")
    expect(other.locator("#query-acceleration, a[href='#query-acceleration']")).to_have_count(0)


def test_what_is_coming_says_when(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "staged-hybrid-coming")

    expect(page.locator("#server-metrics .standing")).to_contain_text(re.compile(r"expected .* UTC, in [1-4]\d min"))
    expect(page.locator("#server-metrics")).to_contain_text("AGGREGATE_QUERY_HISTORY is up to 3 h behind")
    expect(page.locator("#head")).to_contain_text("only what FlakeBench measured itself")


def test_a_failure_says_its_cause_as_text_and_offers_a_retry(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "staged-hybrid-failed")
    section = page.locator("#lock-contention")

    expect(section).to_contain_text("Set the tag <b>before</b> the next run.")
    expect(section).to_contain_text("When the cause is gone, retry LOCK_CONTENTION.")
    expect(section.get_by_role("button", name="Retry Lock contention")).to_be_visible()
    viewer = open_run(open_page, deployment, "staged-hybrid-failed", user="viewer")
    expect(viewer.get_by_role("button", name="Retry")).to_have_count(0)


def test_what_waits_for_a_privilege_shows_the_grant(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "staged-hybrid-waits-for-a-grant")

    expect(page.locator("#credits")).to_contain_text("GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE R;")


def test_bounds_of_an_estimate_are_shown_to_the_keyboard(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "hybrid-settled")
    estimate = page.locator("#server-metrics .estimate").first
    estimate.focus()

    expect(page.locator(".tip")).to_have_text(re.compile(r"Estimated\. It lies between .+ and .+\."))
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_an_exact_value_has_no_mark_of_an_estimate(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "standard-single-minute")
    row = page.get_by_role("row", name=re.compile("^Server execution"))

    # the view has no 95th percentile, and of 100 calls none is the 99.9th
    for column, name in enumerate(("mean", "p50", "p90", "p95", "p99", "p99.9", "max")):
        expected = 1 if name in {"p95", "p99.9"} else 0
        expect(row.locator("td").nth(column).locator(".estimate")).to_have_count(expected)


def test_lock_waits_are_drawn_with_their_blockers(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "hybrid-settled")
    chart = page.locator("#chart-lock-waits")

    assert chart.locator(".bars .point").count() > 1
    expect(chart).to_contain_text("blocker unknown")
    expect(page.locator("#lock-contention")).to_contain_text("unknown: Snowflake does not say")
    expect(page.locator("#lock-contention")).to_contain_text("about 5 s or more only")


def test_charts_follow_airflows_theme(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "hybrid-settled")
    text = page.locator("#chart-server-latency .xtick text").first
    before = text.evaluate("element => getComputedStyle(element).fill")
    choose_theme(page, "dark")

    page.wait_for_function(_FILL_DIFFERS, arg=before)


def test_the_history_leads_to_the_log_of_the_try(
    deployment: Deployment, open_page: OpenPage, tokens: dict[str, str]
) -> None:
    page = open_run(open_page, deployment, "hybrid-settled")
    row = page.locator("#history").get_by_role("row").filter(has_text="Lock contention")
    href = row.get_by_role("link", name="Task log").get_attribute("href")

    match = re.fullmatch(
        r"/dags/delayed_enrichment/runs/([^/]+)/tasks/enrich/mapped/(\d+)\?try_number=1", unquote(href or "")
    )
    assert match is not None
    path = f"/api/v2/dags/delayed_enrichment/dagRuns/{quote(match[1])}/taskInstances/enrich/{match[2]}"
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    reply = httpx.get(deployment.home.url + path, headers=headers, trust_env=False, timeout=60)
    assert reply.json()["rendered_map_index"] == "hybrid-settled · LOCK_CONTENTION"


def test_a_page_in_airflows_frame_leads_to_airflows_own(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_page(f"/plugin/enrichment/enrichment/runs/{id_of(deployment, 'hybrid-settled')}")
    frame = page.frame_locator("iframe")
    frame.locator("#history").scroll_into_view_if_needed()
    frame.get_by_role("link", name="Task log").first.click()

    page.wait_for_url(re.compile("/tasks/enrich/mapped/"))


def test_the_pages_of_a_list_are_turned_in_place(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "staged-standard-empty")
    section = page.locator("#history")
    expect(section).to_contain_text("1–10 of 12 tries")
    section.get_by_role("link", name="Next").click()

    expect(section).to_contain_text("11–12 of 12 tries")
    expect(section.locator("tbody tr")).to_have_count(2)
    expect(page.get_by_role("heading", level=1)).to_have_text("staged-standard-empty")


def test_the_page_follows_what_happens_and_rests_when_nothing_will(deployment: Deployment, open_page: OpenPage) -> None:
    page = open_run(open_page, deployment, "staged-standard-coming")
    expect(page.locator("[data-run-badge]")).to_contain_text("Metrics in ~")
    deployment.rows(
        "UPDATE DELAYED_ENRICHMENT_TASKS SET STATUS = 'COMPLETED', ROWS_WRITTEN = 0, DATA_COMPLETE = TRUE "
        "WHERE RUN_ID = 'staged-standard-coming'"
    )

    expect(page.locator("[data-run-badge]")).to_contain_text("Full metrics", timeout=60_000)
    expect(page.locator("#insights")).to_contain_text(EMPTY, timeout=20_000)
    expect(page.locator("#head [data-moving]")).to_have_attribute("data-moving", "false")


def test_without_scripts_each_section_is_a_page_of_its_own(deployment: Deployment, open_page: OpenPage) -> None:
    run_id = id_of(deployment, "hybrid-settled")
    page = open_page(f"/enrichment/runs/{run_id}", scripts=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("hybrid-settled")
    page.locator("#partitions").get_by_role("link", name="Open this section").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Partitions and spills")
    expect(page.get_by_role("table")).to_be_visible()


def test_an_id_that_nothing_has_is_told_without_a_stack_trace(open_page: OpenPage, watch: Watch) -> None:
    watch.allow("404")
    page = open_page("/enrichment/runs/nobody")

    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
    expect(page.locator("main")).to_contain_text("nobody")
    expect(page.locator("main")).not_to_contain_text("Traceback")
