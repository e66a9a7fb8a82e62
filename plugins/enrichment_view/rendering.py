"""HTML from the templates: escaped, with what every page needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from enrichment_view import formats, run_formats

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER / "templates"
STATIC = FOLDER / "static"

PARTIAL_HEADER = "x-partial"
"""Sent by our scripts: they put the reply into a page that is there already."""


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(formats.FILTERS | run_formats.FILTERS)
    return environment


def is_partial(request: Request) -> bool:
    """Whether a script asks for a part of a page."""
    return PARTIAL_HEADER in request.headers


def root(request: Request) -> str:
    """Path of the application as the browser sees it, without a slash at the end: ``/base/enrichment``."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def airflow_root(request: Request) -> str:
    """Path of Airflow itself, without a slash at the end; empty when it is at the top."""
    return root(request).rpartition("/")[0]


@cache
def assets_version() -> str:
    """Changes when a static file does, so that browsers may keep the files."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def render(
    request: Request,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page, or a part of one.

    :param template: below ``templates``
    :param context: beside ``root``, ``airflow_root``, ``version`` (of the static files) and ``now``, which all have;
        ``bare`` leaves out every file, for who is not logged in
    """
    values = {
        "root": root(request),
        "airflow_root": airflow_root(request),
        "version": assets_version(),
        "now": datetime.now(UTC),
        "bare": False,
        "path": request.url.path.removeprefix(root(request)),
        **(context or {}),
    }
    text = _environment().get_template(template).render(values)
    reply = HTMLResponse(text, status_code, dict(headers) if headers else None)
    reply.headers["Vary"] = PARTIAL_HEADER
    return reply


def page(request: Request, template: str, **context: Any) -> Response:
    """:func:`render` for routes."""
    return render(request, template, context)
