"""JSON routes of the runs list and of a run's status."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BeforeValidator

from enrichment_view.models import RunListReply, RunStatusReply
from enrichment_view.problems import NOT_FOUND_RESPONSE, READ_RESPONSES, NotFoundError
from enrichment_view.revalidation import RevalidatedRoute, wants_fresh
from include.enrichment.page.badge import State
from include.enrichment.page.reader import Reader, reader
from include.enrichment.page.runs import MAX_PAGE_SIZE, RunFilter, find_run, list_runs

router = APIRouter(route_class=RevalidatedRoute, responses=READ_RESPONSES, tags=["runs"])

PageReader = Annotated[Reader, Depends(reader)]
Fresh = Annotated[bool, Depends(wants_fresh)]
RunId = Annotated[str, Path(max_length=36, pattern=r"^[\w.:-]+$", description="TEST_ID of the run (of the parent row)")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Size of a page")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Runs before the page")]


def _empty_is_none(value: object) -> object:
    return None if value == "" else value  # as a form sends a field that is not filled in


Moment = Annotated[datetime | date | None, BeforeValidator(_empty_is_none)]


def run_filter(
    state: Annotated[list[State], Query(description="Of the enrichment")] = [],  # noqa: B006 - FastAPI copies it
    table_type: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
    ended_from: Annotated[Moment, Query(alias="from", description="Ended at or after it; UTC without offset")] = None,
    ended_to: Annotated[
        Moment, Query(alias="to", description="Ended before it; a day without a time is included whole")
    ] = None,
    search: Annotated[str | None, Query(max_length=200, description="Within the name, or a run's id")] = None,
) -> RunFilter:
    """The filter of a query string."""
    return RunFilter(
        states=tuple(state),
        table_types=tuple(table_type),
        ended_from=_in_utc(ended_from),
        ended_before=_in_utc(ended_to, is_end=True),
        search=(search or "").strip() or None,
    )


def _in_utc(value: datetime | date | None, *, is_end: bool = False) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        day = value + timedelta(days=1) if is_end else value
        return datetime.combine(day, time(), UTC)
    except OverflowError:  # at either end of the calendar, where no run is
        return None


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


@router.get("/runs/{run_id}/status", responses=NOT_FOUND_RESPONSE)
def read_status(run_id: RunId, reader: PageReader, fresh: Fresh) -> RunStatusReply:
    """Where the enrichment of a run stands: what is complete, what is coming and when."""
    run = find_run(reader, run_id, fresh=fresh)
    if run is None:
        raise NotFoundError("run", run_id)
    return RunStatusReply.of(run)
