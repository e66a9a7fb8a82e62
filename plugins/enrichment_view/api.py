"""JSON routes of the runs list and of a run's status."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BeforeValidator, Field

from enrichment_view.models import RunListReply, RunStatusReply
from enrichment_view.problems import NOT_FOUND_RESPONSE, READ_RESPONSES, NotFoundError
from enrichment_view.revalidation import RevalidatedRoute, wants_fresh
from include.enrichment.page.badge import State
from include.enrichment.page.reader import Reader, reader
from include.enrichment.page.runs import MAX_PAGE_SIZE, RunFilter, find_run, list_runs

router = APIRouter(route_class=RevalidatedRoute, responses=READ_RESPONSES, tags=["runs"])

PageReader = Annotated[Reader, Depends(reader)]
Fresh = Annotated[bool, Depends(wants_fresh)]
RUN_ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,36}$"
RunId = Annotated[str, Path(pattern=RUN_ID_PATTERN, description="TEST_ID of the run (of the parent row)")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Size of a page")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Runs before the page")]


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?)?")


def _written_as_a_moment(value: object) -> object:
    """Refuse what else could be read as a time, a number of seconds for instance."""
    if isinstance(value, str) and value and not _MOMENT.fullmatch(value):
        raise ValueError("write 2026-11-01 or 2026-11-01T06:00:00Z")
    return value


Moment = Annotated[datetime | date | Literal[""] | None, BeforeValidator(_written_as_a_moment)]
"""Empty as a form sends a field that is not filled in: not given."""

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


def run_filter(
    state: Annotated[list[State], Query(description="Of the enrichment")] = [],  # noqa: B006 - FastAPI copies it
    table_type: Annotated[list[Text], Query(max_length=20)] = [],  # noqa: B006
    ended_from: Annotated[Moment, Query(alias="from", description="Ended at or after it; UTC without offset")] = None,
    ended_to: Annotated[
        Moment, Query(alias="to", description="Ended before it; a day without a time is included whole")
    ] = None,
    search: Annotated[Text | None, Query(description="Within the name, or a run's id")] = None,
) -> RunFilter:
    """The filter of a query string."""
    return RunFilter(
        states=tuple(state),
        table_types=tuple(table_type),
        ended_from=_in_utc(ended_from),
        ended_before=_in_utc(ended_to, is_end=True),
        search=(search or "").strip() or None,
    )


def _in_utc(value: datetime | date | Literal[""] | None, *, is_end: bool = False) -> datetime | None:
    if not value:
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
