"""Scripts and styles: our own files and those of packages, each by a route that asks who it is.

Mounted static files would bypass the application's dependencies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from enrichment_view.problems import NotFoundError
from enrichment_view.rendering import STATIC

router = APIRouter(include_in_schema=False)

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KEPT = "private, max-age=31536000, immutable"
"""For a file that is asked for with a version, which changes with it."""

_ASKED_AGAIN = "private, no-cache"

Version = Annotated[str | None, Query(alias="v")]


@router.get("/static/{name}")
def static_file(request: Request, name: str, version: Version = None) -> Response:
    """A file of ``static``."""
    path = STATIC / name
    if path.name != name or path.suffix not in _MEDIA_TYPES or not path.is_file():
        raise NotFoundError("file", name)
    return _file(request, path, version)


@router.get("/packages/plotly.js")
def plotly(request: Request, version: Version = None) -> Response:
    """The script that comes with the package ``plotly``."""
    return _file(request, _plotly_script(), version)


def _plotly_script() -> Path:
    from importlib.resources import files

    return Path(str(files("plotly") / "package_data" / "plotly.min.js"))


def _file(request: Request, path: Path, version: str | None) -> Response:
    reply = FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], stat_result=path.stat())
    reply.headers["Cache-Control"] = _KEPT if version else _ASKED_AGAIN
    if request.headers.get("if-none-match") == reply.headers["etag"]:
        kept = {name: reply.headers[name] for name in ("etag", "cache-control")}
        return Response(status_code=304, headers=kept)
    return reply
