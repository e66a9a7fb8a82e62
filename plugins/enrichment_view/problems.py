"""Replies to what cannot be answered: problem details (RFC 9457) for the API, a page for people."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from enrichment_view.rendering import is_partial, render
from include.enrichment.page.unavailable import Unavailable
from include.enrichment.selection import RefusedError

log = logging.getLogger(__name__)

router = APIRouter()

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:flakebench:enrichment:"
_RETRY_AFTER_SECONDS = 15


class Problem(BaseModel):
    """Problem details (RFC 9457), with what to do."""

    type: str = Field(description="Kind of the problem, a URN; `about:blank`: what the status says")
    title: str
    status: int
    detail: str
    instance: str = Field(description="Path of the request")
    next_action: str | None = Field(None, description="What to do, and who does it")
    statement: str | None = Field(None, description="SQL to run, for copying")
    errors: list[str] | None = Field(None, description="What is wrong with the request")
    data_complete: bool | None = Field(None, description="Always null: there is no data")
    data_available_until: str | None = Field(None, description="Always null: there is no data")


def _response(description: str) -> dict[str, Any]:
    return {"model": Problem, "description": description}


READ_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: _response("Nobody is logged in"),
    403: _response("The user lacks the permission, or the token is not valid"),
    422: _response("A parameter has an unusable value"),
    503: _response("Snowflake gives no answer; says what to do"),
}
"""For ``APIRouter(responses=...)`` of every router of the API."""

NOT_FOUND_RESPONSE: dict[int | str, dict[str, Any]] = {404: _response("There is no run of that id")}


RETRY_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: _response("The body is not text"),
    409: _response("Nothing can be retried; says why, and what to do instead"),
    415: _response("The body is not JSON"),
}


class NotFoundError(HTTPException):
    """There is nothing of that id."""

    def __init__(self, what: str, identifier: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, f"There is no {what} {identifier!r}. It may have been deleted.")


def install(app: FastAPI) -> None:
    """Let the application answer every error in this way, without a stack trace."""
    app.add_exception_handler(Unavailable, _unavailable)  # type: ignore[arg-type]
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(StarletteHTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _defect)


@router.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def nothing_here(request: Request, path: str) -> Response:
    """A path that nothing serves, or not with this method: 404 or 405, but only for who is logged in."""
    others = [
        route for route in request.app.routes if isinstance(route, APIRoute) and route.endpoint is not nothing_here
    ]
    matching = [route for route in others if route.matches(request.scope)[0] is not Match.NONE]
    if allowed := sorted({method for route in matching for method in route.methods}):
        raise HTTPException(
            HTTPStatus.METHOD_NOT_ALLOWED, f"Use {' or '.join(allowed)}.", headers={"Allow": ", ".join(allowed)}
        )
    raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such page.")


def _reply(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if path.startswith("/api/") or request.method != "GET":
        body = problem.model_dump(exclude_none=True) | {"data_complete": None, "data_available_until": None}
        return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)
    template = "problem_partial.html" if is_partial(request) else "problem.html"
    shown = {"problem": problem, "bare": problem.status == HTTPStatus.UNAUTHORIZED}
    return render(request, template, shown, status_code=problem.status, headers=headers)


def _unavailable(request: Request, error: Unavailable) -> Response:
    log.warning("%s", error)
    problem = Problem(
        type=f"{_TYPE}{error.cause}",
        title=error.title,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        detail=error.detail,
        instance=request.url.path,
        next_action=error.next_action,
        statement=error.statement or None,
    )
    retry_after = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if error.is_passing else None
    return _reply(request, problem, retry_after)


def _refused(request: Request, error: Exception) -> Response:
    problem = Problem(
        type=f"{_TYPE}refused",
        title="Nothing was changed",
        status=HTTPStatus.CONFLICT,
        detail=str(error),
        instance=request.url.path,
    )
    return _reply(request, problem)


def _http(request: Request, error: StarletteHTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    problem = Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=str(error.detail),
        instance=request.url.path,
        next_action="Log in to Airflow, then reload." if status == HTTPStatus.UNAUTHORIZED else None,
    )
    return _reply(request, problem, dict(error.headers) if error.headers else None)


def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
    problem = Problem(
        type=f"{_TYPE}invalid-request",
        title="The request cannot be understood",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail="; ".join(errors),
        instance=request.url.path,
        errors=errors,
    )
    return _reply(request, problem)


def _defect(request: Request, error: Exception) -> Response:
    reference = uuid4().hex[:8]
    log.error("Defect %s while answering %s", reference, request.url.path, exc_info=error)
    problem = Problem(
        type=f"{_TYPE}defect",
        title="This page has a defect",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail=f"The API server's log has the details under {reference}.",
        instance=request.url.path,
        next_action="Report it with those lines of the log.",
    )
    return _reply(request, problem)
