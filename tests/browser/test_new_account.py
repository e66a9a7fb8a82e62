"""An account in which nothing happened yet, seen through an Airflow that a proxy serves below a base path."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from local.airflow_home import AirflowHome, free_port
from local.deployment import start_snowflake
from local.processes import Supervisor
from tests.browser.accessibility import serious_issues
from tests.browser.conftest import DESKTOP, Watch

BASE = "/team/airflow"
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class NewAccount:
    """An Airflow with the page, and an account without our tables.

    :param url: of Airflow, base path included
    :param environment: that leads to the account
    """

    url: str
    environment: dict[str, str]
    token: str


@pytest.fixture(scope="module")
def new_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewAccount]:
    """Only what answers requests is started."""
    folder = tmp_path_factory.mktemp("new_account")
    supervisor = Supervisor(folder / "logs")
    try:
        environment = start_snowflake(supervisor, folder).environment()
        port = free_port()
        url = f"http://127.0.0.1:{port}{BASE}"
        home = AirflowHome(folder / "airflow", port, environment | {"AIRFLOW__API__BASE_URL": url})
        home.migrate_database()
        home.start(supervisor, ("api-server",))
        yield NewAccount(url, environment, _log_in(home, url, supervisor))
    finally:
        supervisor.stop()


def _log_in(home: AirflowHome, url: str, supervisor: Supervisor) -> str:
    credentials = {"username": "admin", "password": home.password()}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        supervisor.check()
        try:
            return str(httpx.post(f"{url}/auth/token", json=credentials, trust_env=False).json()["access_token"])
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError("the API server does not answer")


@pytest.fixture(scope="module")
def set_up(new_account: NewAccount) -> NewAccount:
    """The account after ``enrichment_setup``."""
    from include.enrichment.migrations import migrate
    from include.enrichment.settings import parse
    from include.enrichment.snowflake import open_hook

    with pytest.MonkeyPatch.context() as patch:
        for name, value in new_account.environment.items():
            patch.setenv(name, value)
        settings = parse()
        migrate(open_hook("snowflake_default", settings), settings)
    return new_account


@pytest.fixture
def page(new_account: NewAccount, browser: Browser) -> Iterator[Page]:
    """A page of who is logged in; an error in its console, or another host, fails the test."""
    watch = Watch(urlsplit(new_account.url).netloc, allowed=["503"])
    context = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    context.add_cookies([{"name": "_token", "value": new_account.token, "url": new_account.url}])
    opened = context.new_page()
    watch.attach(opened)
    yield opened
    context.close()
    watch.verify()


def test_before_the_setup_the_page_names_the_dag_that_creates_the_tables(
    new_account: NewAccount, page: Page, pictures: Path
) -> None:
    page.goto(f"{new_account.url}/enrichment/")
    expect(page.get_by_role("alert")).to_contain_text("enrichment_setup")
    page.screenshot(path=pictures / "new-account-before-setup.png", full_page=True)
    assert "Traceback" not in page.content()
    assert serious_issues(page) == []


@pytest.mark.usefixtures("set_up")
class TestAfterTheSetup:
    """Tables without a row."""

    def test_an_account_without_runs_says_what_will_come_and_when(
        self, new_account: NewAccount, page: Page, pictures: Path
    ) -> None:
        page.goto(f"{new_account.url}/enrichment/")
        expect(page.get_by_role("heading", name="No benchmark run yet")).to_be_visible()
        expect(page.locator("main")).to_contain_text("after about 50 minutes")
        page.screenshot(path=pictures / "new-account.png", full_page=True)
        assert serious_issues(page) == []

    def test_the_health_of_nothing_is_not_called_good(self, new_account: NewAccount, page: Page) -> None:
        page.goto(f"{new_account.url}/enrichment/health")
        expect(page.locator("main")).to_contain_text("The doctor has not run yet")
        expect(page.locator("main")).to_contain_text("Nothing is pending.")

    def test_every_link_stays_below_the_base_path(self, new_account: NewAccount, page: Page) -> None:
        page.goto(f"{new_account.url}/enrichment/")
        page.get_by_role("link", name="Health").click()
        page.wait_for_url(f"{new_account.url}/enrichment/health")
        page.get_by_role("link", name="Compare").click()
        page.wait_for_url(f"{new_account.url}/enrichment/compare")
        links = [link.evaluate("link => link.href") for link in page.get_by_role("link").all()]
        assert [link for link in links if not link.startswith(f"{new_account.url}/")] == []

    def test_airflow_shows_it_in_its_frame(self, new_account: NewAccount, page: Page) -> None:
        page.goto(f"{new_account.url}/plugin/enrichment")
        expect(page.frame_locator("iframe").get_by_role("heading", name="No benchmark run yet")).to_be_visible()

    def test_its_api_answers_with_nothing_instead_of_an_error(self, new_account: NewAccount) -> None:
        headers = {"Authorization": f"Bearer {new_account.token}"}
        with httpx.Client(base_url=new_account.url, headers=headers, trust_env=False, timeout=60) as client:
            runs = client.get("/enrichment/api/v1/runs").raise_for_status().json()
            assert (runs["total"], runs["data_complete"]) == (0, None)
            assert client.get("/enrichment/api/v1/health").status_code == 200
            document = client.get("/enrichment/api/v1/openapi.json").json()
            assert document["servers"] == [{"url": f"{BASE}/enrichment"}]
