"""The OpenAPI document of the API, for who is logged in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from enrichment_view.rendering import root

router = APIRouter(tags=["documentation"])


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document; its server is where the application is mounted."""
    app = request.app
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": root(request) or "/"}],
    )
    return JSONResponse(document)
