"""The real Airflow in front of the page: who is not logged in, who may only read, who comes from elsewhere."""

from __future__ import annotations

import httpx
import pytest

from enrichment_view.app import create_app
from local.deployment import Deployment
from tests.browser.conftest import OpenPage
from tests.plugins.routes import SENT_BY_OUR_PAGE, Route, routes

ROUTES = routes(create_app())
every_route = pytest.mark.parametrize("route", ROUTES, ids=str)
changes = pytest.mark.parametrize("route", [route for route in ROUTES if route.is_change], ids=str)


def send(deployment: Deployment, route: Route, **headers: str) -> httpx.Response:
    url = f"{deployment.home.url}/enrichment{route.example}"
    body = '{"run_ids": ["run-1"]}' if route.path == "/api/v1/retries" else "{}"
    with httpx.Client(trust_env=False, timeout=90) as client:
        return client.request(route.method, url, headers=SENT_BY_OUR_PAGE | headers, content=body)


def test_airflow_has_loaded_the_plugin(deployment: Deployment) -> None:
    """A plugin that fails to import is silent: its paths answer 200 with Airflow's own page."""
    assert deployment.client.request("GET", "/api/v2/plugins/importErrors")["import_errors"] == []
    plugins = deployment.client.request("GET", "/api/v2/plugins", params={"limit": 100})["plugins"]
    views = {item["destination"] for plugin in plugins for item in plugin["external_views"]}
    assert {"nav", "dag_run", "task_instance"} <= views


@every_route
def test_nobody_who_is_not_logged_in_gets_an_answer(deployment: Deployment, route: Route) -> None:
    assert send(deployment, route).status_code == 401


@every_route
def test_a_forged_token_is_refused(deployment: Deployment, route: Route) -> None:
    assert send(deployment, route, Authorization="Bearer forged").status_code == 403


@changes
def test_a_viewer_may_not_retry(deployment: Deployment, tokens: dict[str, str], route: Route) -> None:
    reply = send(deployment, route, Authorization=f"Bearer {tokens['viewer']}")
    assert reply.status_code == 403
    assert reply.json()["title"] == "Forbidden"


@changes
def test_the_cookie_alone_of_a_foreign_page_changes_nothing(
    deployment: Deployment, tokens: dict[str, str], route: Route
) -> None:
    headers = {"Cookie": f"_token={tokens['admin']}", "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert send(deployment, route, **headers).status_code == 403


def test_a_viewer_sees_the_runs_and_no_button_to_retry(open_page: OpenPage) -> None:
    page = open_page(user="viewer")
    page.get_by_role("heading", name="Benchmark runs").wait_for()
    assert page.get_by_role("row").count() > 1
    assert page.get_by_role("button", name="Retry").count() == 0


def test_who_is_not_logged_in_is_told_to_log_in(open_page: OpenPage, watch: object) -> None:
    watch.allow("401")  # type: ignore[attr-defined]
    page = open_page(user=None)
    assert "Log in to Airflow" in page.get_by_role("alert").inner_text()


def test_names_from_the_tables_are_shown_and_not_run(deployment: Deployment, open_page: OpenPage) -> None:
    name = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    run_id = deployment.account.run("hybrid-settled").run_id
    where = "WHERE TEST_ID = RUN_ID AND RUN_ID = %(run_id)s"
    (before,) = deployment.rows(f"SELECT TEST_NAME FROM TEST_RESULTS {where}", run_id=run_id)
    deployment.rows(f"UPDATE TEST_RESULTS SET TEST_NAME = %(name)s {where}", name=name, run_id=run_id)
    try:
        page = open_page(f"/enrichment/?search={run_id}")
        assert page.get_by_role("rowheader").first.inner_text().startswith(name)
        assert page.title() != "run"
    finally:
        deployment.rows(
            f"UPDATE TEST_RESULTS SET TEST_NAME = %(name)s {where}", name=before["TEST_NAME"], run_id=run_id
        )
