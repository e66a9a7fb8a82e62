"""The section *server execution*: what the server measured, beside what the client waited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.enrichment.catalogue import enrichment_type
from include.enrichment.page.percentiles import Distribution, Percentile
from include.enrichment.page.rows import Row, count, listed, number, page_of, structure
from include.enrichment.page.sections import Section, Subject, stand

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/server_metrics.sql"
SUBJECT = Subject(
    enrichment_type("AGGREGATE"),
    "AGGREGATE_QUERY_HISTORY holds no measured statement of this run. That says nothing about its latency.",
)


@dataclass(frozen=True)
class QueryError:
    """An error of a pattern's statements, and how many had it."""

    code: int | None
    message: str | None
    count: int


@dataclass(frozen=True)
class QueryPattern:
    """The statements of one parameterized query hash; times of execution in ms.

    :param hash: None: Snowflake has none for these statements
    :param example_query_id: one of them, where QUERY_HISTORY knows any
    """

    hash: str | None
    calls: int
    errors: int
    error_details: tuple[QueryError, ...]
    throttled: int | None
    avg: float | None
    p50: Percentile
    p95: Percentile
    p99: Percentile
    max: float | None
    example_query_id: str | None


@dataclass(frozen=True)
class ClientLatency:
    """What the client waited for the successful measured statements, ms.

    :param outside_server_avg: mean time of a statement outside the server: network, driver, client
    :param pct_outside_server: share of the client's time that it is, percent
    :param method: ``PAIRED``: of the same statements; ``AVERAGES``: of all statements of each side
    """

    calls: int
    avg: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    outside_server_avg: float | None
    pct_outside_server: float | None
    method: str | None


@dataclass(frozen=True, kw_only=True)
class ServerMetrics(Section):
    """What the server measured.

    :param client: None: QUERY_HISTORY is not written, or FlakeBench recorded no statement
    :param p999_is_max: there are fewer than 1,000 calls
    :param percentile_method: ``EXACT`` or ``MIXTURE``
    :param queued_overload_total_ms: time of all calls in the queue of the warehouse
    :param total: number of patterns; ``patterns`` has those of this page
    """

    calls: int | None
    errors: int | None
    throttled: int | None
    execution: Distribution
    compilation: Distribution
    elapsed: Distribution
    percentile_method: str | None
    p999_is_max: bool | None
    queued_overload_total_ms: float | None
    queued_overload_max_ms: float | None
    queued_provisioning_total_ms: float | None
    queued_provisioning_max_ms: float | None
    client: ClientLatency | None
    total: int
    limit: int
    offset: int
    patterns: tuple[QueryPattern, ...]

    @property
    def queued_avg_ms(self) -> float | None:
        """Mean time of a call in a queue."""
        sums = (self.queued_overload_total_ms, self.queued_provisioning_total_ms)
        known = [value for value in sums if value is not None]
        return sum(known) / self.calls if known and self.calls else None


def server_metrics(
    reader: Reader, run_id: str, *, limit: int = 10, offset: int = 0, fresh: bool = False
) -> ServerMetrics:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh)
    head = rows[0]
    return ServerMetrics(
        **stand(head, SUBJECT, reader.settings),
        calls=count(head["QUERY_COUNT"]),
        errors=count(head["ERRORS_COUNT"]),
        throttled=count(head["THROTTLED_QUERY_COUNT"]),
        execution=Distribution.read(head, "EXEC"),
        compilation=Distribution.read(head, "COMPILE"),
        elapsed=Distribution.read(head, "ELAPSED"),
        percentile_method=head["PERCENTILE_METHOD"],
        p999_is_max=head["P999_IS_MAX"],
        queued_overload_total_ms=number(head["QUEUED_OVERLOAD_SUM_MS"]),
        queued_overload_max_ms=number(head["QUEUED_OVERLOAD_MAX_MS"]),
        queued_provisioning_total_ms=number(head["QUEUED_PROVISIONING_SUM_MS"]),
        queued_provisioning_max_ms=number(head["QUEUED_PROVISIONING_MAX_MS"]),
        client=_client(head),
        total=count(head["QUERY_PATTERN_COUNT"]) or 0,
        limit=limit,
        offset=offset,
        patterns=tuple(_pattern(row) for row in listed(rows, "PATTERN_PLACE")),
    )


def _client(row: Row) -> ClientLatency | None:
    if not row["CLIENT_QUERY_COUNT"]:
        return None
    return ClientLatency(
        calls=int(row["CLIENT_QUERY_COUNT"]),
        avg=number(row["CLIENT_AVG_MS"]),
        p50=number(row["CLIENT_MEDIAN_MS"]),
        p95=number(row["CLIENT_P95_MS"]),
        p99=number(row["CLIENT_P99_MS"]),
        outside_server_avg=number(row["OUTSIDE_SERVER_AVG_MS"]),
        pct_outside_server=number(row["PCT_OUTSIDE_SERVER"]),
        method=row["OUTSIDE_SERVER_METHOD"],
    )


def _pattern(row: Row) -> QueryPattern:
    details: list[dict[str, Any]] = structure(row["PATTERN_ERRORS"]) or []
    return QueryPattern(
        hash=row["PATTERN_HASH"],
        calls=count(row["PATTERN_QUERY_COUNT"]) or 0,
        errors=count(row["PATTERN_ERRORS_COUNT"]) or 0,
        error_details=tuple(
            QueryError(count(item.get("code")), item.get("message"), count(item.get("count")) or 0) for item in details
        ),
        throttled=count(row["PATTERN_THROTTLED_COUNT"]),
        avg=number(row["PATTERN_EXEC_AVG_MS"]),
        p50=Percentile.read(row, "p50", "PATTERN_EXEC"),
        p95=Percentile.read(row, "p95", "PATTERN_EXEC"),
        p99=Percentile.read(row, "p99", "PATTERN_EXEC"),
        max=number(row["PATTERN_EXEC_MAX_MS"]),
        example_query_id=row["EXAMPLE_QUERY_ID"],
    )
