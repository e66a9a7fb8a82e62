"""The section *partitions and spills*: how much of the tables was read, and what did not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.enrichment.catalogue import HYBRID_TABLE_TYPES, enrichment_type
from include.enrichment.page.rows import Row, count, listed, number, page_of
from include.enrichment.page.sections import Section, Subject, stand

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/partitions.sql"
SUBJECT = Subject(enrichment_type("QUERY_HISTORY"), "QUERY_HISTORY holds no measured statement of this run.")
SPARSE = (
    "QUERY_HISTORY records only some statements of hybrid tables, mostly slow ones: these numbers are theirs, not the "
    "run's."
)


@dataclass(frozen=True)
class ScanPattern:
    """The recorded statements of one parameterized query hash.

    :param example_query_id: the one that spilled, or scanned, most
    """

    hash: str | None
    queries: int
    spilling_queries: int
    partitions_scanned: int | None
    partitions_total: int | None
    pct_pruned: float | None
    bytes_scanned: int | None
    bytes_spilled_local: int | None
    bytes_spilled_remote: int | None
    example_query_id: str | None


@dataclass(frozen=True, kw_only=True)
class Partitions(Section):
    """Partitions and spills of the run.

    :param queries_recorded: measured statements that QUERY_HISTORY knows
    :param pct_pruned: share of the partitions that was not read, percent; None: the tables have none
    :param pct_from_cache: share of the bytes read from the warehouse's cache, percent
    :param is_sparse: QUERY_HISTORY has only some of the statements, by design
    :param total: number of patterns; ``patterns`` has those of this page
    """

    queries_recorded: int | None
    partitions_scanned: int | None
    partitions_total: int | None
    pct_pruned: float | None
    bytes_scanned: int | None
    bytes_spilled_local: int | None
    bytes_spilled_remote: int | None
    spilling_queries: int | None
    pct_from_cache: float | None
    is_sparse: bool
    total: int
    limit: int
    offset: int
    patterns: tuple[ScanPattern, ...]


def partitions(reader: Reader, run_id: str, *, limit: int = 10, offset: int = 0, fresh: bool = False) -> Partitions:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh)
    head = rows[0]
    fields = stand(head, SUBJECT, reader.settings)
    is_sparse = head["TABLE_TYPE"] in HYBRID_TABLE_TYPES
    if is_sparse and count(head["QUERIES_RECORDED"]) is not None:
        fields["notices"] = (*fields.get("notices", ()), SPARSE)
    return Partitions(
        **fields,
        queries_recorded=count(head["QUERIES_RECORDED"]),
        partitions_scanned=count(head["PARTITIONS_SCANNED"]),
        partitions_total=count(head["PARTITIONS_TOTAL"]),
        pct_pruned=pct_pruned(head["PARTITIONS_SCANNED"], head["PARTITIONS_TOTAL"]),
        bytes_scanned=count(head["BYTES_SCANNED"]),
        bytes_spilled_local=count(head["BYTES_SPILLED_LOCAL"]),
        bytes_spilled_remote=count(head["BYTES_SPILLED_REMOTE"]),
        spilling_queries=count(head["SPILLING_QUERY_COUNT"]),
        pct_from_cache=number(head["PCT_SCANNED_FROM_CACHE"]),
        is_sparse=is_sparse,
        total=count(head["PATTERN_COUNT"]) or 0,
        limit=limit,
        offset=offset,
        patterns=tuple(_pattern(row) for row in listed(rows, "PATTERN_PLACE")),
    )


def pct_pruned(scanned: int | None, total: int | None) -> float | None:
    """Share of the partitions that a statement did not have to read, percent; None: unknown, or there are none."""
    if scanned is None or not total:
        return None
    return (1 - float(scanned) / float(total)) * 100


def _pattern(row: Row) -> ScanPattern:
    return ScanPattern(
        hash=row["PATTERN_HASH"],
        queries=int(row["PATTERN_QUERY_COUNT"] or 0),
        spilling_queries=int(row["PATTERN_SPILLING_QUERY_COUNT"] or 0),
        partitions_scanned=count(row["PATTERN_PARTITIONS_SCANNED"]),
        partitions_total=count(row["PATTERN_PARTITIONS_TOTAL"]),
        pct_pruned=pct_pruned(row["PATTERN_PARTITIONS_SCANNED"], row["PATTERN_PARTITIONS_TOTAL"]),
        bytes_scanned=count(row["PATTERN_BYTES_SCANNED"]),
        bytes_spilled_local=count(row["PATTERN_BYTES_SPILLED_LOCAL"]),
        bytes_spilled_remote=count(row["PATTERN_BYTES_SPILLED_REMOTE"]),
        example_query_id=row["EXAMPLE_QUERY_ID"],
    )
