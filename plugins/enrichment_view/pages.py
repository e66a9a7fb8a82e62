"""HTML of the runs list and of the health page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from enrichment_view.api import Fresh, Limit, Offset, PageReader, run_filter
from enrichment_view.rendering import is_partial, page, root
from enrichment_view.revalidation import RevalidatedRoute
from enrichment_view.security import MayRetry
from include.enrichment.catalogue import NO_ENRICHMENT_TABLE_TYPES, SNOWFLAKE_TABLE_TYPES
from include.enrichment.page.badge import State
from include.enrichment.page.health import read_health
from include.enrichment.page.runs import RunFilter, RunList, list_runs

router = APIRouter(route_class=RevalidatedRoute)

PAGE_SIZE = 25
REFRESH_SECONDS = 15
_STATE_NAMES = {
    State.PENDING: "Pending",
    State.IN_PROGRESS: "In progress",
    State.COMPLETED: "Full metrics",
    State.PARTIAL: "Partly failed",
    State.FAILED: "Failed",
    State.SKIPPED: "Skipped",
    State.NOT_APPLICABLE: "Not applicable",
    State.NOT_QUEUED: "Not queued",
}


@dataclass(frozen=True)
class Paging:
    """Where a page of the list is, and the addresses of its neighbours.

    :param previous: None: it is the first page
    :param following: None: it is the last page
    """

    first: int
    last: int
    total: int
    here: str
    previous: str | None
    following: str | None

    @classmethod
    def of(cls, request: Request, found: RunList) -> Paging:
        """Of the page that a request asked for; its filter stays in the addresses."""
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "offset" and value]
        start = f"{root(request)}/"

        def address(offset: int) -> str:
            pairs = [*kept, ("offset", str(offset))] if offset else kept
            return f"{start}?{urlencode(pairs)}" if pairs else start

        end = found.offset + len(found.runs)
        return cls(
            first=found.offset + 1 if found.runs else 0,
            last=end,
            total=found.total,
            here=address(found.offset),
            previous=address(max(0, found.offset - found.limit)) if found.offset else None,
            following=address(end) if end < found.total and found.runs else None,
        )


@router.get("/")
def runs_page(
    request: Request,
    reader: PageReader,
    chosen: Annotated[RunFilter, Depends(run_filter)],
    fresh: Fresh,
    may_retry: MayRetry,
    limit: Limit = PAGE_SIZE,
    offset: Offset = 0,
) -> Response:
    """The list of runs: a form whose state is the URL; its table alone for a script that refreshes it."""
    found = list_runs(reader, chosen, limit=limit, offset=offset, fresh=fresh)
    return page(
        request,
        "runs_table.html" if is_partial(request) else "runs.html",
        found=found,
        chosen=chosen,
        paging=Paging.of(request, found),
        may_retry=may_retry,
        state_names=_STATE_NAMES,
        table_types=(*SNOWFLAKE_TABLE_TYPES, *NO_ENRICHMENT_TABLE_TYPES),
        query=request.query_params,
        refresh_seconds=REFRESH_SECONDS,
    )


@router.get("/health")
def health_page(request: Request, reader: PageReader, fresh: Fresh) -> Response:
    """How the deployment is."""
    health = read_health(reader, fresh=fresh)
    template = "health_body.html" if is_partial(request) else "health.html"
    return page(request, template, health=health, refresh_seconds=REFRESH_SECONDS)
