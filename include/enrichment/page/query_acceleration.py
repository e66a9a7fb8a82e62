"""The section *query acceleration*: what it cost on the warehouses of the run while the run ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from include.enrichment.catalogue import enrichment_type
from include.enrichment.page.rows import count, listed, moment, number, page_of
from include.enrichment.page.sections import Section, Subject, stand

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/query_acceleration.sql"
SUBJECT = Subject(
    enrichment_type("QUERY_ACCELERATION"),
    "QUERY_ACCELERATION_HISTORY has no row of the run's warehouses for its hours. Either nothing was accelerated, or "
    "it is not known: Snowflake does not say which, so the credits are unknown, which is not 0.",
)
METHOD = (
    "The sum of the hours that overlap the run or the five minutes after it, whole and not pro rata: it includes "
    "whatever else was accelerated on these warehouses in them. The view knows no queries."
)


@dataclass(frozen=True)
class AcceleratedHour:
    """One row of the view.

    :param credits: of the warehouse in this hour; None: unknown
    """

    warehouse: str | None
    started_at: datetime | None
    ended_at: datetime | None
    credits: float | None


@dataclass(frozen=True, kw_only=True)
class QueryAcceleration(Section):
    """Credits of the warehouses.

    :param credits: of all hours; None: unknown, never 0 instead
    :param scope: ``WAREHOUSE``
    :param total: number of warehouse hours; ``hours`` has those of this page
    """

    credits: float | None
    scope: str | None
    method: str
    window_started_at: datetime | None
    window_ended_at: datetime | None
    total: int
    limit: int
    offset: int
    hours: tuple[AcceleratedHour, ...]


def query_acceleration(
    reader: Reader, run_id: str, *, limit: int = 48, offset: int = 0, fresh: bool = False
) -> QueryAcceleration:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh)
    head = rows[0]
    return QueryAcceleration(
        **stand(head, SUBJECT, reader.settings),
        credits=number(head["CREDITS_USED"]),
        scope=head["CREDIT_SCOPE"],
        method=METHOD,
        window_started_at=moment(head["FIRST_HOUR_AT"]),
        window_ended_at=moment(head["LAST_HOUR_AT"]),
        total=count(head["HOUR_COUNT"]) or 0,
        limit=limit,
        offset=offset,
        hours=tuple(
            AcceleratedHour(
                row["HOUR_WAREHOUSE"],
                moment(row["HOUR_STARTED_AT"]),
                moment(row["HOUR_ENDED_AT"]),
                number(row["HOUR_CREDITS_USED"]),
            )
            for row in listed(rows, "HOUR_PLACE")
        ),
    )
