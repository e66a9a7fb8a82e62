"""HTML of the runs list and of the health page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from enrichment_view.api import Fresh, Limit, Offset, PageReader, run_filter
from enrichment_view.rendering import page
from enrichment_view.revalidation import RevalidatedRoute
from enrichment_view.security import MayRetry
from include.enrichment.page.runs import RunFilter, list_runs

router = APIRouter(route_class=RevalidatedRoute)


@router.get("/")
def runs_page(
    request: Request,
    reader: PageReader,
    chosen: Annotated[RunFilter, Depends(run_filter)],
    fresh: Fresh,
    may_retry: MayRetry,
    limit: Limit = 25,
    offset: Offset = 0,
) -> Response:
    """The list of runs: a form whose state is the URL."""
    found = list_runs(reader, chosen, limit=limit, offset=offset, fresh=fresh)
    return page(request, "runs.html", found=found, chosen=chosen, may_retry=may_retry)
