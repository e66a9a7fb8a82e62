"""The OpenAPI document of the API, for who is logged in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from enrichment_view.problems import MEDIA_TYPE
from enrichment_view.rendering import root

router = APIRouter(tags=["documentation"])


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document; its server is where the application is mounted."""
    return JSONResponse(document_of(request.app, root(request) or "/"))


def document_of(app: FastAPI, server: str) -> dict[str, Any]:
    """The OpenAPI document of the application.

    :param server: address or path under which it is mounted
    """
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": server}],
    )
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _complete(method, operation["responses"])
    return document


def _complete(method: str, responses: dict[str, Any]) -> None:
    """Say what FastAPI does not know: the media type of problems, and that a known reply is not repeated."""
    for status, reply in responses.items():
        if status.startswith(("4", "5")) and "application/json" in reply.get("content", {}):
            reply["content"] = {MEDIA_TYPE: reply["content"]["application/json"]}
    if method == "get":
        responses["304"] = {"description": "Whoever sends the ETag of the current reply has it already"}
