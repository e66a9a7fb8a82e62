"""ETags: who has the current reply already is not sent it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response, status
from fastapi.routing import APIRoute

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_KEPT_HEADERS = frozenset({"etag", "cache-control", "vary"})


class RevalidatedRoute(APIRoute):
    """A route whose successful GET replies have an ETag of their body, and answer 304 to who knows it.

    A browser keeps the reply, asks each time whether it still holds, and shares it with nobody.
    """

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_conditionally(request: Request) -> Response:
            response = await handle(request)
            if request.method != "GET" or response.status_code != status.HTTP_200_OK:
                return response
            tag = f'W/"{hashlib.sha256(response.body).hexdigest()[:32]}"'
            response.headers["ETag"] = tag
            response.headers.setdefault("Cache-Control", "private, no-cache")
            if tag in _tags(request.headers.get("if-none-match", "")):
                kept = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
                return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=kept)
            return response

        return handle_conditionally


def wants_fresh(request: Request) -> bool:
    """Whether the client asks for an answer that nobody has kept (``Cache-Control: no-cache``): after a retry."""
    return "no-cache" in request.headers.get("cache-control", "")


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
