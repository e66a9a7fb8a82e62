"""The routes of the application with an address for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

SENT_BY_OUR_PAGE = {
    "X-Requested-With": "enrichment-view",
    "Content-Type": "application/json",
    "Sec-Fetch-Site": "same-origin",
}
_EXAMPLES = {"name": "theme.js", "run_id": "run-1", "path": "nothing/here", "dag_id": "delayed_enrichment"}


@dataclass(frozen=True)
class Route:
    """One path with one method.

    :param dependencies: what is called before it, at any depth
    """

    method: str
    path: str
    dependencies: frozenset[Callable[..., Any]]

    @property
    def example(self) -> str:
        """The path with values for its parameters."""
        return re.sub(r"{(\w+)(:\w+)?}", lambda match: _EXAMPLES.get(match[1], "something"), self.path)

    @property
    def is_change(self) -> bool:
        """Whether it changes something: neither read nor the route that says that there is nothing."""
        return self.method not in {"GET", "HEAD", "OPTIONS"} and self.path != "/{path:path}"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes(app: FastAPI) -> list[Route]:
    """Every route, those of included routers among them."""
    return [
        Route(method, route.path, frozenset(_calls(route.dependant)))
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def _calls(dependant: Any) -> Iterator[Callable[..., Any]]:
    for item in dependant.dependencies:
        yield item.call
        yield from _calls(item)
