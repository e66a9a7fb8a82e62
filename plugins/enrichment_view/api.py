"""JSON routes of the runs list, of a run's status and of the health of the deployment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from enrichment_view.models import RunListReply
from enrichment_view.problems import READ_RESPONSES
from enrichment_view.revalidation import RevalidatedRoute, wants_fresh
from include.enrichment.page.badge import State
from include.enrichment.page.reader import Reader, reader
from include.enrichment.page.runs import MAX_PAGE_SIZE, RunFilter, list_runs

router = APIRouter(route_class=RevalidatedRoute, responses=READ_RESPONSES, tags=["runs"])

PageReader = Annotated[Reader, Depends(reader)]
Fresh = Annotated[bool, Depends(wants_fresh)]
RunId = Annotated[str, Path(max_length=36, pattern=r"^[\w.:-]+$", description="TEST_ID of the run (of the parent row)")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Size of a page")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Runs before the page")]


def run_filter(
    state: Annotated[list[State], Query(description="Of the enrichment")] = [],  # noqa: B006 - FastAPI copies it
    table_type: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
    ended_from: Annotated[datetime | None, Query(alias="from", description="Ended at or after; UTC")] = None,
    ended_before: Annotated[datetime | None, Query(alias="to", description="Ended before; UTC")] = None,
    search: Annotated[str | None, Query(max_length=200, description="Within the name, or a run's id")] = None,
) -> RunFilter:
    """The filter of a query string."""
    return RunFilter(
        states=tuple(state),
        table_types=tuple(table_type),
        ended_from=ended_from,
        ended_before=ended_before,
        search=(search or "").strip() or None,
    )


@router.get("/runs")
def read_runs(
    request: Request,
    reader: PageReader,
    chosen: Annotated[RunFilter, Depends(run_filter)],
    fresh: Fresh,
    limit: Limit = 50,
    offset: Offset = 0,
) -> RunListReply:
    """One page of the list of runs, the newest first."""
    return RunListReply.of(list_runs(reader, chosen, limit=limit, offset=offset, fresh=fresh))
