"""A real Airflow with the sample account, and Debian's Chromium logged in to it.

Every page of a test is watched: an error in its console, or a request to another host, fails the test.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from local.deployment import Deployment, deploy

GROUPS = ("healthy", "broken")
USERS = {"admin": "admin", "viewer": "viewer"}
"""Name to role of Airflow's simple auth manager."""

DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The sample account, broken runs included, enriched by one pass of a real scheduler."""
    users = ",".join(f"{name}:{role}" for name, role in USERS.items())
    environment = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users}
    with deploy(tmp_path_factory.mktemp("browser"), GROUPS, **environment) as running:
        running.run_pass()
        running.wait_until_quiet()
        running.client.pause(paused=True)  # the schedule must not change what a test looks at
        yield running


@pytest.fixture(scope="package")
def tokens(deployment: Deployment) -> dict[str, str]:
    """User name to a token of Airflow's."""
    passwords = json.loads((deployment.home.folder / "passwords.json").read_text())
    found = {}
    with httpx.Client(base_url=deployment.home.url, trust_env=False, timeout=60) as client:
        for name in USERS:
            reply = client.post("/auth/token", json={"username": name, "password": passwords[name]})
            reply.raise_for_status()
            found[name] = reply.json()["access_token"]
    return found


@pytest.fixture
def api(deployment: Deployment, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    """The API of the page, as ``admin``."""
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    url = f"{deployment.home.url}/enrichment"
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=90) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Watch:
    """What went wrong in the pages of a test.

    :param allowed: pieces of messages that the test brings about itself
    """

    origin: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note)

    def allow(self, piece: str) -> None:
        """Expect messages that have this piece of text."""
        self.allowed.append(piece)

    def verify(self) -> None:
        unexpected = [text for text in self.errors if not any(piece in text for piece in self.allowed)]
        assert unexpected == [], "errors in the console"
        assert self.foreign == [], "requests to other hosts"

    def _note(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != self.origin:
            self.foreign.append(request.url)


@pytest.fixture
def watch(deployment: Deployment) -> Iterator[Watch]:
    """Fails the test for errors in the console and for requests to other hosts."""
    found = Watch(urlsplit(deployment.home.url).netloc)
    yield found
    found.verify()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(deployment: Deployment, tokens: dict[str, str], browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Opens a path of Airflow, logged in: ``open_page("/enrichment/", theme="dark", viewport=PHONE)``.

    Without ``/enrichment`` at its start the path is below the application.
    """
    contexts = []

    def open_(
        path: str = "/enrichment/",
        *,
        user: str | None = "admin",
        theme: str = "light",
        viewport: dict[str, int] = DESKTOP,
        scripts: bool = True,
    ) -> Page:
        context = browser.new_context(viewport=viewport, java_script_enabled=scripts, color_scheme="light")  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(20_000)
        if user is not None:
            context.add_cookies([{"name": "_token", "value": tokens[user], "url": deployment.home.url}])
        if scripts:
            context.add_init_script(f"localStorage.setItem('theme', {json.dumps(theme)})")
        page = context.new_page()
        watch.attach(page)
        page.goto(deployment.home.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()


@contextmanager
def faulty(deployment: Deployment, *faults: dict[str, Any]) -> Iterator[None]:
    """Makes statements fail meanwhile."""
    deployment.server("PUT", "/faults", json=list(faults))
    try:
        yield
    finally:
        deployment.server("DELETE", "/faults")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests put screenshots."""
    return tmp_path_factory.mktemp("pictures")
