"""The section *credits*: what hybrid table requests cost the account while the run ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from include.enrichment.catalogue import enrichment_type
from include.enrichment.page.rows import count, listed, moment, number, page_of
from include.enrichment.page.sections import Section, Subject, stand

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/credits.sql"
SUBJECT = Subject(
    enrichment_type("HYBRID_CREDITS"),
    "HYBRID_TABLE_USAGE_HISTORY has no row for the hours of the run. The credits are unknown, which is not 0.",
)
METHOD = (
    "The sum of the hours that overlap the run, whole and not pro rata: it includes whatever else used hybrid tables "
    "in them. The view knows neither tables nor requests."
)


@dataclass(frozen=True)
class CreditHour:
    """One row of the view.

    :param credits: of the account in this hour; None: unknown
    """

    started_at: datetime | None
    ended_at: datetime | None
    credits: float | None


@dataclass(frozen=True, kw_only=True)
class HybridCredits(Section):
    """Credits of the account.

    :param credits: of all hours; None: unknown, never 0 instead
    :param scope: ``ACCOUNT``
    :param total: number of hours; ``hours`` has those of this page
    """

    credits: float | None
    scope: str | None
    method: str
    window_started_at: datetime | None
    window_ended_at: datetime | None
    total: int
    limit: int
    offset: int
    hours: tuple[CreditHour, ...]


def hybrid_credits(
    reader: Reader, run_id: str, *, limit: int = 48, offset: int = 0, fresh: bool = False
) -> HybridCredits:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh)
    head = rows[0]
    return HybridCredits(
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
            CreditHour(moment(row["HOUR_STARTED_AT"]), moment(row["HOUR_ENDED_AT"]), number(row["HOUR_CREDITS_USED"]))
            for row in listed(rows, "HOUR_PLACE")
        ),
    )
