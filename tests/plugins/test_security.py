"""Every route asks who it is and what they may: enumerated from the application, so that none can be forgotten."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api import security as airflow_security
from fastapi import FastAPI
from fastapi.routing import APIRoute

from enrichment_view import security
from enrichment_view.app import create_app
from tests.plugins.routes import SENT_BY_OUR_PAGE, Route, routes

PLUGINS = Path(__file__).parents[2] / "plugins"
APP = create_app()
ROUTES = routes(APP)
ASSETS = ("/static/{name}", "/packages/plotly.js")
"""They hold no data of runs: who may see plugins may have them."""

every_route = pytest.mark.parametrize("route", ROUTES, ids=str)
data_routes = pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.path not in (*ASSETS, "/{path:path}")], ids=str
)


class Manager:
    """An auth manager that allows what a test says."""

    def __init__(self) -> None:
        self.views = True
        self.dags: set[tuple[str, str | None]] = set()

    def is_authorized_view(self, **_asked: Any) -> bool:
        return self.views

    def is_authorized_dag(self, *, method: str, details: Any, **_asked: Any) -> bool:
        return (method, details.id) in self.dags


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    found = Manager()
    monkeypatch.setattr(airflow_security, "get_auth_manager", lambda: found)
    monkeypatch.setattr(airflow_security.DagModel, "get_team_name", lambda *_: None)
    return found


@pytest.fixture
def app(manager: Manager) -> FastAPI:
    """The application for a user who is logged in."""
    found = create_app()
    found.dependency_overrides[airflow_security.get_user] = lambda: SimpleAuthManagerUser(username="bob", role="viewer")
    return found


def send(app: FastAPI, route: Route, **headers: str) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            body = "{}" if route.method == "POST" else None
            return await client.request(route.method, route.example, headers=headers, content=body)

    return asyncio.run(call())


def test_the_routes_are_found() -> None:
    assert {"/", "/health", "/api/v1/runs", "/api/v1/runs/{run_id}/retry", *ASSETS} <= {route.path for route in ROUTES}


@every_route
def test_nobody_who_is_not_logged_in_gets_an_answer(route: Route) -> None:
    reply = send(APP, route, **SENT_BY_OUR_PAGE)
    assert reply.status_code == 401
    if route.path.startswith("/api/"):
        assert reply.headers["content-type"] == "application/problem+json"


@every_route
def test_a_token_that_is_not_airflows_is_refused(route: Route, manager: Manager) -> None:
    manager.get_user_from_token = refuse_token  # type: ignore[attr-defined]
    assert send(APP, route, Authorization="Bearer forged", **SENT_BY_OUR_PAGE).status_code == 403


async def refuse_token(_token: str) -> Any:
    from jwt.exceptions import InvalidTokenError

    raise InvalidTokenError


@every_route
def test_who_may_not_see_plugins_gets_nothing(route: Route, app: FastAPI, manager: Manager) -> None:
    manager.views = False
    assert send(app, route, **SENT_BY_OUR_PAGE).status_code == 403


@data_routes
def test_who_may_not_read_the_runs_of_the_dag_gets_no_data(route: Route, app: FastAPI) -> None:
    assert send(app, route, **SENT_BY_OUR_PAGE).status_code == 403


@pytest.mark.parametrize("route", [route for route in ROUTES if route.is_change], ids=str)
class TestChanges:
    """Routes that change something."""

    def test_reading_is_not_enough(self, route: Route, app: FastAPI, manager: Manager) -> None:
        manager.dags = {("GET", security.PASS_DAG_ID)}
        assert send(app, route, **SENT_BY_OUR_PAGE).status_code == 403

    @pytest.mark.parametrize(
        ("missing_or_wrong", "status"),
        [
            ({"X-Requested-With": ""}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": None, "Origin": "https://elsewhere.example"}, 403),
            ({"Content-Type": "text/plain"}, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ],
        ids=str,
    )
    def test_a_request_that_a_foreign_page_can_send_is_refused(
        self, route: Route, app: FastAPI, manager: Manager, missing_or_wrong: dict[str, str | None], status: int
    ) -> None:
        manager.dags = {("GET", security.PASS_DAG_ID), ("POST", security.RETRY_DAG_ID)}
        headers = {name: value for name, value in (SENT_BY_OUR_PAGE | missing_or_wrong).items() if value is not None}
        assert send(app, route, **headers).status_code == status


def test_every_route_that_changes_something_needs_the_right_to_trigger_the_retry() -> None:
    changing = [route for route in ROUTES if route.is_change]
    assert changing
    for route in changing:
        assert {security.may_retry, security.comes_from_our_page} <= route.dependencies, route


def test_nothing_is_mounted_because_a_mount_asks_nobody() -> None:
    assert [route for route in APP.routes if not isinstance(route, APIRoute)] == []


@every_route
def test_every_reply_forbids_scripts_of_others_and_frames_of_others(route: Route) -> None:
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in send(APP, route, **SENT_BY_OUR_PAGE).headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe" not in str(policy)


def test_loading_the_plugin_imports_neither_the_application_nor_the_connector() -> None:
    """Every process of Airflow executes the file, each task among them."""
    script = (
        "import runpy, sys; before = set(sys.modules); import airflow.plugins_manager;"
        "imported = set(sys.modules); runpy.run_path('enrichment_view_plugin.py');"
        "print(*sorted(set(sys.modules) - imported))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=PLUGINS, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.split() == []
