"""HTML of a run's page, of its sections and of the comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from enrichment_view.api import Fresh, Offset, PageReader, RunId
from enrichment_view.charts import latency_comparison_chart, lock_wait_chart, server_latency_chart
from enrichment_view.problems import NotFoundError
from enrichment_view.rendering import is_partial, page
from enrichment_view.revalidation import RevalidatedRoute
from enrichment_view.run_api import comparable, found
from enrichment_view.security import MayRetry
from enrichment_view.task_logs import log_paths
from enrichment_view.timeline import timeline
from include.enrichment.page.compare import MOST, compare
from include.enrichment.page.credits import hybrid_credits
from include.enrichment.page.history import history
from include.enrichment.page.insights import query_insights
from include.enrichment.page.lock_contention import lock_contention
from include.enrichment.page.partitions import partitions
from include.enrichment.page.query_acceleration import query_acceleration
from include.enrichment.page.run_page import RunPage, run_page
from include.enrichment.page.runs import list_runs
from include.enrichment.page.server_metrics import server_metrics
from include.enrichment.page.snowsight import account_of, query_url

if TYPE_CHECKING:
    from include.enrichment.settings import Settings

router = APIRouter(route_class=RevalidatedRoute)

RunIdOrNothing = Annotated[str, Field(max_length=36, pattern=r"^[\w.:-]*$")]
"""As a form sends a choice that was not made."""

CHOICES = 100
"""Newest runs that the form of the comparison offers."""


@dataclass(frozen=True)
class SectionPage:
    """A section of the page.

    :param read: reads it, by reader and run id
    :param page_size: rows of its table
    :param extras: what its template needs beside what was read, made of it
    :param optional_type: it is shown of a run that has this type, and of every run where the settings name it
    """

    title: str
    read: Callable[..., Any]
    page_size: int
    extras: Callable[[Any], dict[str, Any]] = lambda _found: {}
    optional_type: str | None = None

    def is_shown(self, run: RunPage, settings: Settings) -> bool:
        """Whether the page of a run has the section."""
        of_run = {item.enrichment_type for item in run.types}
        return self.optional_type is None or self.optional_type in {*of_run, *settings.optional_types}


SECTIONS = {
    "server-metrics": SectionPage(
        "Server execution", server_metrics, 10, lambda found: {"chart": server_latency_chart(found)}
    ),
    "lock-contention": SectionPage(
        "Lock contention", lock_contention, 20, lambda found: {"chart": lock_wait_chart(found)}
    ),
    "credits": SectionPage("Hybrid table credits", hybrid_credits, 24),
    "query-acceleration": SectionPage("Query acceleration", query_acceleration, 24, optional_type="QUERY_ACCELERATION"),
    "insights": SectionPage("Query insights", query_insights, 20),
    "partitions": SectionPage("Partitions and spills", partitions, 10),
    "history": SectionPage("History", history, 10, lambda found: {"logs": log_paths(found)}),
}
"""Name in the URL to section, in the order of the page."""


@router.get("/runs/{run_id}")
def show_run(request: Request, reader: PageReader, run_id: RunId, fresh: Fresh, may_retry: MayRetry) -> Response:
    """The page of a run: its head at once, its sections as they come into view."""
    with found():
        run = run_page(reader, run_id, fresh=fresh)
    sections = {name: section for name, section in SECTIONS.items() if section.is_shown(run, reader.settings)}
    return page(request, "run.html", sections=sections, **_head(run, may_retry=may_retry))


@router.get("/runs/{run_id}/head")
def show_head(request: Request, reader: PageReader, run_id: RunId, fresh: Fresh, may_retry: MayRetry) -> Response:
    """The head alone, for the page that is open."""
    with found():
        run = run_page(reader, run_id, fresh=fresh)
    return page(request, "run_head.html", **_head(run, may_retry=may_retry))


def _head(run: RunPage, *, may_retry: bool) -> dict[str, Any]:
    return {"run": run, "timeline": timeline(run, datetime.now(UTC)), "may_retry": may_retry}


@router.get("/runs/{run_id}/sections/{name}")
def show_section(
    request: Request,
    reader: PageReader,
    run_id: RunId,
    name: str,
    fresh: Fresh,
    may_retry: MayRetry,
    offset: Offset = 0,
) -> Response:
    """One section, for the page that is open; without a script a page of its own."""
    section = SECTIONS.get(name)
    if section is None:
        raise NotFoundError("section", name)
    with found():
        answer = section.read(reader, run_id, limit=section.page_size, offset=offset, fresh=fresh)
    account = account_of(reader)
    return page(
        request,
        f"section_{name.replace('-', '_')}.html" if is_partial(request) else "run_section.html",
        name=name,
        title=section.title,
        found=answer,
        may_retry=may_retry,
        snowsight=lambda query_id: query_url(account, query_id),
        **section.extras(answer),
    )


@router.get("/compare")
def show_comparison(
    request: Request,
    reader: PageReader,
    fresh: Fresh,
    run_ids: Annotated[list[RunIdOrNothing], Query(alias="run", max_length=2 * MOST)] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """The comparison; a form to choose the runs while there are too few."""
    chosen = [run_id for run_id in run_ids if run_id]
    comparison = None
    if len(set(chosen)) > 1:
        with comparable():
            comparison = compare(reader, chosen, fresh=fresh)
    choices = list_runs(reader, limit=CHOICES)
    chart = latency_comparison_chart(comparison) if comparison else None
    return page(request, "compare.html", comparison=comparison, chart=chart, chosen=chosen, choices=choices, most=MOST)
