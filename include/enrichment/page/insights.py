"""The section *insights*: what Snowflake noticed about the run's queries, and what it suggests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.enrichment.catalogue import enrichment_type
from include.enrichment.page.rows import Row, count, listed, page_of, structure
from include.enrichment.page.sections import Section, SectionState, Subject, stand

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/insights.sql"
SUBJECT = Subject(
    enrichment_type("QUERY_INSIGHTS"), "Snowflake noticed nothing about the measured statements of this run."
)
EXAMPLES = 5
"""Affected queries that are listed by id."""


@dataclass(frozen=True)
class Insight:
    """The same finding about one or many queries.

    :param topic: ``INSIGHT_TOPIC``, for instance ``TABLE_SCAN``
    :param is_opportunity: something can be gained; otherwise the query does well, or nothing can be done
    :param suggestions: Snowflake's, in its words
    :param message: the details of one of the findings, as Snowflake gives them
    """

    topic: str | None
    type: str | None
    is_opportunity: bool
    suggestions: tuple[str, ...]
    message: Any
    affected_queries: int
    affected_patterns: int
    example_query_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Insights(Section):
    """Insights of the run, opportunities first.

    :param insight_count: findings, one per query and instance
    :param total: number of distinct insights; ``insights`` has those of this page
    """

    insight_count: int | None
    opportunity_count: int | None
    total: int
    limit: int
    offset: int
    insights: tuple[Insight, ...]

    def by_topic(self) -> list[tuple[str, list[Insight]]]:
        """The insights grouped by topic, the topics with opportunities first."""
        topics: dict[str, list[Insight]] = {}
        for insight in self.insights:
            topics.setdefault(insight.topic or "Other", []).append(insight)
        return list(topics.items())


def query_insights(reader: Reader, run_id: str, *, limit: int = 50, offset: int = 0, fresh: bool = False) -> Insights:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh)
    head = rows[0]
    fields = stand(head, SUBJECT, reader.settings)
    total = count(head["INSIGHT_COUNT"]) or 0
    if fields["state"] is SectionState.DATA and not total:
        fields["notices"] = (
            *fields["notices"],
            "The insights themselves have expired; their numbers stay. Retry with force to read them again.",
        )
    return Insights(
        **fields,
        insight_count=count(head["QUERY_INSIGHTS_COUNT"]),
        opportunity_count=count(head["QUERY_INSIGHTS_HIGH_SEVERITY_COUNT"]),
        total=total,
        limit=limit,
        offset=offset,
        insights=tuple(_insight(row) for row in listed(rows, "INSIGHT_PLACE")),
    )


def _insight(row: Row) -> Insight:
    return Insight(
        topic=row["INSIGHT_CATEGORY"],
        type=row["INSIGHT_TYPE"],
        is_opportunity=bool(row["IS_OPPORTUNITY"]),
        suggestions=tuple(line for line in (row["RECOMMENDATION"] or "").split("\n") if line.strip()),
        message=structure(row["MESSAGE"]),
        affected_queries=int(row["AFFECTED_QUERY_COUNT"] or 0),
        affected_patterns=int(row["AFFECTED_PATTERN_COUNT"] or 0),
        example_query_ids=tuple(sorted(structure(row["EXAMPLE_QUERY_IDS"]) or [])[:EXAMPLES]),
    )
