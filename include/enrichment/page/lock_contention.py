"""The section *lock contention*: which statements waited, how long, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from include.enrichment.catalogue import enrichment_type
from include.enrichment.page.rows import Row, count, listed, moment, number, page_of, structure
from include.enrichment.page.sections import Section, Subject, stand

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/lock_contention.sql"
FLOOR = "Snowflake records waits for hybrid rows of about 5 s or more only; shorter ones cannot be seen."
SUBJECT = Subject(enrichment_type("LOCK_CONTENTION"), f"No lock wait was recorded. {FLOOR}")


@dataclass(frozen=True)
class Blocker:
    """Who held the lock; both None: Snowflake does not say.

    :param is_snowflake: a process of Snowflake's own, not a statement
    """

    transaction_id: str | None
    query_id: str | None
    is_snowflake: bool | None = None


@dataclass(frozen=True)
class LockWait:
    """One wait.

    :param wait_ms: None: unknown
    :param wait_source: ``TRANSACTION_BLOCKED_TIME``: what the whole query was blocked, repeated on each of its waits;
        ``ACQUIRED_AT``: until the lock was acquired
    :param transaction_id: of the waiting query, as text: it exceeds what JavaScript counts
    :param blockers: the first one first; empty: unknown
    """

    query_id: str | None
    transaction_id: str | None
    requested_at: datetime | None
    acquired_at: datetime | None
    wait_ms: float | None
    wait_source: str | None
    lock_type: str | None
    object_name: str | None
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True, kw_only=True)
class LockContention(Section):
    """Lock waits of the run.

    :param wait_total_ms: each waiting query's blocked time once; None: a wait is unknown
    :param total: number of waits; ``waits`` has those of this page
    """

    wait_count: int | None
    wait_total_ms: float | None
    wait_max_ms: float | None
    wait_avg_ms: float | None
    waiting_queries: int | None
    known_blockers: int | None
    unknown_blocker_count: int | None
    unknown_wait_count: int | None
    first_wait_at: datetime | None
    last_wait_at: datetime | None
    floor: str
    total: int
    limit: int
    offset: int
    waits: tuple[LockWait, ...]


def lock_contention(
    reader: Reader, run_id: str, *, limit: int = 100, offset: int = 0, fresh: bool = False
) -> LockContention:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh)
    head = rows[0]
    return LockContention(
        **stand(head, SUBJECT, reader.settings),
        wait_count=count(head["LOCK_WAIT_COUNT"]),
        wait_total_ms=number(head["LOCK_WAIT_TOTAL_MS"]),
        wait_max_ms=number(head["LOCK_WAIT_MAX_MS"]),
        wait_avg_ms=number(head["AVG_WAIT_MS"]),
        waiting_queries=count(head["WAITING_QUERIES"]),
        known_blockers=count(head["UNIQUE_BLOCKERS"]),
        unknown_blocker_count=count(head["UNKNOWN_BLOCKER_COUNT"]),
        unknown_wait_count=count(head["UNKNOWN_WAIT_COUNT"]),
        first_wait_at=moment(head["FIRST_LOCK_WAIT"]),
        last_wait_at=moment(head["LAST_LOCK_WAIT"]),
        floor=FLOOR,
        total=count(head["EVENT_COUNT"]) or 0,
        limit=limit,
        offset=offset,
        waits=tuple(_wait(row) for row in listed(rows, "EVENT_PLACE")),
    )


def _wait(row: Row) -> LockWait:
    first = Blocker(_text(row["BLOCKING_TRANSACTION_ID"]), row["BLOCKING_QUERY_ID"])
    further = [
        Blocker(_text(item.get("transaction_id")), item.get("query_id"), item.get("is_snowflake"))
        for item in structure(row["FURTHER_BLOCKERS"]) or []
    ]
    is_known = first.transaction_id is not None or first.query_id is not None
    return LockWait(
        query_id=row["QUERY_ID"],
        transaction_id=_text(row["LOCK_TRANSACTION_ID"]),
        requested_at=moment(row["REQUESTED_AT"]),
        acquired_at=moment(row["LOCK_ACQUIRED_AT"]),
        wait_ms=number(row["WAIT_DURATION_MS"]),
        wait_source=row["WAIT_SOURCE"],
        lock_type=row["LOCK_TYPE"],
        object_name=row["OBJECT_NAME"],
        blockers=((first,) if is_known else ()) + tuple(further),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
