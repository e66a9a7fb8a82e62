"""JSON routes of one run, of its sections and of the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import AfterValidator, Field

from enrichment_view.api import RUN_ID_PATTERN, Fresh, Offset, PageReader, RunId
from enrichment_view.problems import NOT_FOUND_RESPONSE, READ_RESPONSES, NotFoundError
from enrichment_view.revalidation import RevalidatedRoute
from include.enrichment.page.compare import LEAST, MOST, Comparison, ComparisonError, UnknownRunsError, compare
from include.enrichment.page.credits import HybridCredits, hybrid_credits
from include.enrichment.page.history import History, history
from include.enrichment.page.insights import Insights, query_insights
from include.enrichment.page.lock_contention import LockContention, lock_contention
from include.enrichment.page.partitions import Partitions, partitions
from include.enrichment.page.query_acceleration import QueryAcceleration, query_acceleration
from include.enrichment.page.rows import UnknownRunError
from include.enrichment.page.run_page import RunPage, run_page
from include.enrichment.page.server_metrics import ServerMetrics, server_metrics

router = APIRouter(route_class=RevalidatedRoute, responses=READ_RESPONSES | NOT_FOUND_RESPONSE, tags=["run"])
comparison_router = APIRouter(
    route_class=RevalidatedRoute, responses=READ_RESPONSES | NOT_FOUND_RESPONSE, tags=["compare"]
)

Limit = Annotated[int, Query(ge=1, le=1000, description="Size of a page of the section's list")]


def _different(run_ids: list[str]) -> list[str]:
    if len(set(run_ids)) < len(run_ids):
        raise ValueError("name each run once")
    return run_ids


RunIds = Annotated[
    list[Annotated[str, Field(max_length=36, pattern=RUN_ID_PATTERN)]],
    AfterValidator(_different),
    Query(
        alias="run",
        min_length=LEAST,
        max_length=MOST,
        json_schema_extra={"uniqueItems": True},
        description="Two to five runs; the first one is the baseline",
    ),
]


@contextmanager
def found() -> Iterator[None]:
    """Answer 404 where nothing has the id."""
    try:
        yield
    except UnknownRunError as error:
        raise NotFoundError("run", error.run_id) from error


@contextmanager
def comparable() -> Iterator[None]:
    """Answer 404 where nothing has an id, 422 where runs cannot be compared."""
    try:
        yield
    except UnknownRunsError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
    except ComparisonError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


@router.get("/runs/{run_id}")
def read_run(reader: PageReader, run_id: RunId, fresh: Fresh) -> RunPage:
    """The benchmark, its badge, and where each of its enrichment types stands."""
    with found():
        return run_page(reader, run_id, fresh=fresh)


@router.get("/runs/{run_id}/server-metrics")
def read_server_metrics(
    reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 10, offset: Offset = 0
) -> ServerMetrics:
    """What the server measured: percentiles with bounds, queueing, throttling, and the query patterns by calls."""
    with found():
        return server_metrics(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@router.get("/runs/{run_id}/lock-contention")
def read_lock_contention(
    reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 100, offset: Offset = 0
) -> LockContention:
    """Lock waits with waiter and blockers, in the order in which the locks were requested."""
    with found():
        return lock_contention(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@router.get("/runs/{run_id}/credits")
def read_credits(
    reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 48, offset: Offset = 0
) -> HybridCredits:
    """Hybrid table credits of the account in the hours of the run."""
    with found():
        return hybrid_credits(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@router.get("/runs/{run_id}/query-acceleration")
def read_query_acceleration(
    reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 48, offset: Offset = 0
) -> QueryAcceleration:
    """Credits of query acceleration on the warehouses of the run, in its hours."""
    with found():
        return query_acceleration(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@router.get("/runs/{run_id}/insights")
def read_insights(reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 50, offset: Offset = 0) -> Insights:
    """What Snowflake noticed, opportunities first."""
    with found():
        return query_insights(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@router.get("/runs/{run_id}/partitions")
def read_partitions(
    reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 10, offset: Offset = 0
) -> Partitions:
    """Partitions, spilled bytes and cache, and the patterns that spilled most."""
    with found():
        return partitions(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@router.get("/runs/{run_id}/history")
def read_history(reader: PageReader, run_id: RunId, fresh: Fresh, limit: Limit = 20, offset: Offset = 0) -> History:
    """Every try of the run's tasks, the newest first."""
    with found():
        return history(reader, run_id, limit=limit, offset=offset, fresh=fresh)


@comparison_router.get("/compare")
def read_comparison(reader: PageReader, run_ids: RunIds, fresh: Fresh) -> Comparison:
    """Two to five runs side by side: configuration, metrics with bounds, and what can be told apart."""
    with comparable():
        return compare(reader, run_ids, fresh=fresh)
