"""The types that store a row per statement or event: QUERY_HISTORY, locks, insights, credits (SPEC §5)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.faults.oracle.belonging import Run, Tables, is_measured
from tests.faults.oracle.values import Row, element, elements, largest, rank, total, truth, utc, whole, within

_FILLS = {
    "SF_PARTITIONS_SCANNED": "PARTITIONS_SCANNED",
    "SF_PARTITIONS_TOTAL": "PARTITIONS_TOTAL",
    "SF_BYTES_SPILLED_LOCAL": "BYTES_SPILLED_TO_LOCAL_STORAGE",
    "SF_BYTES_SPILLED_REMOTE": "BYTES_SPILLED_TO_REMOTE_STORAGE",
}
_SUMMED = {
    "PARTITIONS_SCANNED": "PARTITIONS_SCANNED",
    "PARTITIONS_TOTAL": "PARTITIONS_TOTAL",
    "BYTES_SPILLED_LOCAL": "BYTES_SPILLED_TO_LOCAL_STORAGE",
    "BYTES_SPILLED_REMOTE": "BYTES_SPILLED_TO_REMOTE_STORAGE",
}
_TIES = (
    *("END_TIME", "TOTAL_ELAPSED_TIME", "QUERY_TAG", "START_TIME", "QUERY_PARAMETERIZED_HASH", "BYTES_SCANNED"),
    *("PERCENTAGE_SCANNED_FROM_CACHE", "PARTITIONS_SCANNED", "PARTITIONS_TOTAL", "BYTES_SPILLED_TO_LOCAL_STORAGE"),
    *("BYTES_SPILLED_TO_REMOTE_STORAGE", "TRANSACTION_BLOCKED_TIME"),
)
_INSIGHT_TIES = (
    *("END_TIME", "TOTAL_ELAPSED_TIME", "IS_OPPORTUNITY", "INSIGHT_TYPE_ID", "INSIGHT_TOPIC"),
    *("QUERY_PARAMETERIZED_HASH", "MESSAGE", "SUGGESTIONS"),
)
_WAIT_TIES = ("ACQUIRED_AT", "TRANSACTION_ID", "OBJECT_ID", "LOCK_TYPE", "OBJECT_NAME", "SCHEMA_NAME", "DATABASE_NAME")
LOCK_TYPE_LENGTH, INSIGHT_TYPE_LENGTH, INSIGHT_CATEGORY_LENGTH = 20, 100, 50


@dataclass(frozen=True)
class Events:
    """What the view says about the run.

    :param rows: of the target
    :param summary: the type's columns of RUN_ENRICHMENT_SUMMARY
    :param found: how many of the expected statements, or of all rows, are there
    :param fills: (child, query id) to the SF_* columns of its execution
    """

    rows: list[Row]
    summary: Row
    found: int
    fills: dict[tuple[str, str], Row] | None = None


def expected_ids(tables: Tables, run: Run) -> set[str]:
    """Query ids of the successful measured executions that Snowflake can know."""
    return {
        row["QUERY_ID"]
        for row in tables["QUERY_EXECUTIONS"]
        if row["TEST_ID"] in run.children
        and row["SUCCESS"]
        and not row.get("WARMUP")
        and not row["QUERY_ID"].startswith("LOCAL_")
    }


def find_queries(tables: Tables, run: Run) -> Events:
    """QUERY_HISTORY: one row per measured query; every execution that the view knows is filled."""
    statements = _statements(tables, run)
    executions: dict[str, set[str]] = {}
    for row in tables["QUERY_EXECUTIONS"]:
        if row["TEST_ID"] in run.children:
            executions.setdefault(row["QUERY_ID"], set()).add(row["TEST_ID"])
    rows, fills = [], {}
    for query_id, view_row in statements.items():
        values = {column: view_row.get(source) for column, source in _SUMMED.items()}
        share = view_row.get("PERCENTAGE_SCANNED_FROM_CACHE")
        values["PCT_SCANNED_FROM_CACHE"] = None if share is None else share * 100
        ids = executions.get(query_id, set())
        for child in ids:
            fill = {column: view_row.get(source) for column, source in _FILLS.items()}
            fills[child, query_id] = fill | {"SF_PCT_SCANNED_FROM_CACHE": values["PCT_SCANNED_FROM_CACHE"]}
        if is_measured(view_row):
            rows.append(
                {
                    "TEST_ID": max(ids) if ids else run.tags[str(run.tag_of(view_row))],
                    "QUERY_ID": query_id,
                    "QUERY_PARAMETERIZED_HASH": view_row.get("QUERY_PARAMETERIZED_HASH"),
                    "START_TIME": utc(view_row["START_TIME"]),
                    "BYTES_SCANNED": view_row.get("BYTES_SCANNED"),
                    **values,
                }
            )
    summary = {"QUERIES_RECORDED": len(rows), **{column: total(row[column] for row in rows) for column in _SUMMED}}
    return Events(
        rows,
        summary | {"PCT_SCANNED_FROM_CACHE": _cache_share(rows)},
        len(expected_ids(tables, run) & statements.keys()),
        fills,
    )


def _cache_share(rows: Sequence[Row]) -> float | None:
    """Weighted by bytes; only queries that state both count."""
    stated = [
        (row["PCT_SCANNED_FROM_CACHE"], row["BYTES_SCANNED"])
        for row in rows
        if row["PCT_SCANNED_FROM_CACHE"] is not None and row["BYTES_SCANNED"] is not None
    ]
    scanned = sum(size for _, size in stated)
    return sum(share * size for share, size in stated) / scanned if scanned else None


def find_waits(tables: Tables, run: Run) -> Events:
    """LOCK_CONTENTION: one row per waiting query and moment; blockers of all its view rows together."""
    statements = {key: row for key, row in _statements(tables, run).items() if is_measured(row)}
    waits: dict[tuple[str, datetime], list[Row]] = {}
    for row in tables["LOCK_WAIT_HISTORY"]:
        if row.get("QUERY_ID") in statements and within(row.get("REQUESTED_AT"), run.start, run.end):
            waits.setdefault((row["QUERY_ID"], _known(utc(row["REQUESTED_AT"]))), []).append(row)
    rows = [_wait(key, group, statements[key[0]]) for key, group in waits.items()]
    by_query: dict[str, list[Row]] = {}
    for row in rows:
        by_query.setdefault(row["QUERY_ID"], []).append(row)
    summary = {
        "LOCK_WAIT_COUNT": len(rows),
        "LOCK_WAIT_TOTAL_MS": total(map(_blocked, by_query.values())) if rows else 0,
        "LOCK_WAIT_MAX_MS": largest(row["WAIT_DURATION_MS"] for row in rows),
    }
    return Events(rows, summary, len(rows))


def _blocked(waits: Sequence[Row]) -> float | None:
    """A query's blocked time is one total, repeated on each of its waits."""
    stated = [row["WAIT_DURATION_MS"] for row in waits if row["WAIT_SOURCE"] == "TRANSACTION_BLOCKED_TIME"]
    return max(stated) if stated else total(row["WAIT_DURATION_MS"] for row in waits)


def _wait(key: tuple[str, datetime], group: Sequence[Row], statement: Row) -> Row:
    query_id, requested_at = key
    row = min(
        group, key=lambda item: [(not known, value) for known, value in rank(item.get(name) for name in _WAIT_TIES)]
    )
    acquired_at = utc(row.get("ACQUIRED_AT"))
    duration, source = statement.get("TRANSACTION_BLOCKED_TIME") or None, "TRANSACTION_BLOCKED_TIME"
    if duration is None and acquired_at is not None:
        duration, source = _milliseconds(acquired_at) - _milliseconds(requested_at), "ACQUIRED_AT"
    is_known = duration is not None and (source != "ACQUIRED_AT" or duration >= 0)
    first, *further = _blockers(group) or [{}]
    return {
        "QUERY_ID": query_id,
        "REQUESTED_AT": requested_at,
        "LOCK_ACQUIRED_AT": acquired_at,
        "LOCK_TRANSACTION_ID": row.get("TRANSACTION_ID"),
        "LOCK_TYPE": None if row.get("LOCK_TYPE") is None else row["LOCK_TYPE"].upper()[:LOCK_TYPE_LENGTH],
        **{name: row.get(name) for name in ("OBJECT_ID", "OBJECT_NAME", "SCHEMA_NAME", "DATABASE_NAME")},
        "WAIT_DURATION_MS": duration if is_known else None,
        "WAIT_SOURCE": source if is_known else None,
        "BLOCKING_TRANSACTION_ID": first.get("transaction_id"),
        "BLOCKING_QUERY_ID": first.get("query_id"),
        "FURTHER_BLOCKERS": further,
    }


def _blockers(group: Sequence[Row]) -> list[Row]:
    """Each once, by transaction, then query; an unknown one last."""
    distinct = {
        (
            whole(element(item, "transaction_id")),
            item["query_id"] if isinstance(item.get("query_id"), str) and item["query_id"] else None,
            bool(truth(element(item, "is_snowflake"))),
        )
        for row in group
        for item in elements(row.get("BLOCKER_QUERIES"))
    }
    ordered = sorted(distinct, key=lambda item: [(value is None, value if value is not None else 0) for value in item])
    named = [dict(zip(("transaction_id", "query_id", "is_snowflake"), item, strict=True)) for item in ordered]
    return [{key: value for key, value in item.items() if value is not None} for item in named]


def find_insights(tables: Tables, run: Run) -> Events:
    """QUERY_INSIGHTS: one row per query and insight; of an insight without an id, one per type."""
    statements = {key: row for key, row in _statements(tables, run).items() if is_measured(row)}
    found = _newest(
        (
            row
            for row in tables["QUERY_INSIGHTS"]
            if row.get("QUERY_ID") in statements and within(row.get("START_TIME"), run.start, run.end)
        ),
        _insight_key,
        _INSIGHT_TIES,
    )
    affected: dict[str | None, set[str]] = {}
    for row in found.values():
        affected.setdefault(row.get("INSIGHT_TYPE_ID"), set()).add(row["QUERY_ID"])
    rows = [
        {
            "QUERY_ID": row["QUERY_ID"],
            "INSIGHT_INSTANCE_ID": row.get("INSIGHT_INSTANCE_ID"),
            "QUERY_PARAMETERIZED_HASH": row.get("QUERY_PARAMETERIZED_HASH"),
            "INSIGHT_TYPE": (row.get("INSIGHT_TYPE_ID") or "")[:INSIGHT_TYPE_LENGTH] or None,
            "INSIGHT_CATEGORY": (row.get("INSIGHT_TOPIC") or "")[:INSIGHT_CATEGORY_LENGTH] or None,
            "INSIGHT_SEVERITY": "HIGH" if row.get("IS_OPPORTUNITY") else "LOW",
            "IS_OPPORTUNITY": row.get("IS_OPPORTUNITY"),
            "RECOMMENDATION": "\n".join(row.get("SUGGESTIONS") or []) or None,
            "RECOMMENDATION_DETAILS": row.get("MESSAGE"),
            "AFFECTED_QUERY_COUNT": len(affected[row.get("INSIGHT_TYPE_ID")]),
        }
        for row in found.values()
    ]
    high = sum(row["INSIGHT_SEVERITY"] == "HIGH" for row in rows)
    return Events(rows, {"QUERY_INSIGHTS_COUNT": len(rows), "QUERY_INSIGHTS_HIGH_SEVERITY_COUNT": high}, len(rows))


def _insight_key(row: Row) -> Hashable:
    instance = row.get("INSIGHT_INSTANCE_ID")
    return (row["QUERY_ID"], instance, row.get("INSIGHT_TYPE_ID") if instance is None else None)


def find_credits(tables: Tables, run: Run) -> Events:
    """HYBRID_CREDITS: every usage row that overlaps the window, whole."""
    found = _newest(
        (row for row in tables["HYBRID_TABLE_USAGE_HISTORY"] if _overlaps(row, run)),
        lambda row: (row.get("OBJECT_TYPE"), row.get("OBJECT_ID"), utc(row["START_TIME"])),
        ("END_TIME", "CREDITS_USED"),
    )
    rows = [
        {
            "START_TIME": utc(row["START_TIME"]),
            "END_TIME": utc(row.get("END_TIME")),
            "CREDITS_USED": row.get("CREDITS_USED"),
            "CREDIT_SCOPE": "ACCOUNT",
            "TABLE_NAME": None,
            "REQUESTS_COUNT": None,
        }
        for row in found.values()
    ]
    summary = {
        "HYBRID_CREDITS_USED": total(row["CREDITS_USED"] for row in rows),
        "HYBRID_CREDITS_REQUESTS": None,
        "HYBRID_CREDITS_START_TIME": min((row["START_TIME"] for row in rows), default=None),
        "HYBRID_CREDITS_END_TIME": max((row["END_TIME"] for row in rows if row["END_TIME"]), default=None),
    }
    return Events(rows, summary, len(rows))


def find_acceleration(tables: Tables, run: Run) -> Events:
    """QUERY_ACCELERATION: every usage row of a warehouse of the run that overlaps the window, whole."""
    found = _newest(
        (
            row
            for row in tables["QUERY_ACCELERATION_HISTORY"]
            if (row.get("WAREHOUSE_NAME") or "").upper() in run.warehouses and _overlaps(row, run)
        ),
        lambda row: (row.get("WAREHOUSE_ID"), row["WAREHOUSE_NAME"], utc(row["START_TIME"])),
        ("END_TIME", "CREDITS_USED"),
    )
    rows = [
        {name: row.get(name) for name in ("WAREHOUSE_ID", "WAREHOUSE_NAME", "CREDITS_USED")}
        | {"START_TIME": utc(row["START_TIME"]), "END_TIME": utc(row.get("END_TIME")), "CREDIT_SCOPE": "WAREHOUSE"}
        for row in found.values()
    ]
    summary = {
        "QUERY_ACCELERATION_CREDITS_USED": total(row["CREDITS_USED"] for row in rows),
        "QUERY_ACCELERATION_START_TIME": min((row["START_TIME"] for row in rows), default=None),
        "QUERY_ACCELERATION_END_TIME": max((row["END_TIME"] for row in rows if row["END_TIME"]), default=None),
    }
    return Events(rows, summary, len(rows))


def _overlaps(row: Row, run: Run) -> bool:
    """Whether a usage row overlaps the window; one without an end overlaps where it starts."""
    start, end = utc(row.get("START_TIME")), utc(row.get("END_TIME"))
    if start is None or not run.start - timedelta(days=1) <= start < run.end:
        return False
    return start >= run.start if end is None else end > run.start


def _statements(tables: Tables, run: Run) -> dict[str, Row]:
    """The run's statements by query id; of a query that is there twice, the later and longer row."""
    found = (
        row
        for row in tables["QUERY_HISTORY"]
        if row.get("QUERY_ID") is not None and within(row.get("START_TIME"), run.start, run.end) and run.tag_of(row)
    )
    return _newest(found, lambda row: row["QUERY_ID"], _TIES)


def _newest(rows: Iterable[Row], key: Any, order: Sequence[str]) -> dict[Any, Row]:
    best: dict[Any, Row] = {}
    for row in rows:
        name = key(row)
        if name not in best or rank(row.get(c) for c in order) > rank(best[name].get(c) for c in order):
            best[name] = row
    return best


def _known(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


def _milliseconds(moment: datetime) -> int:
    """Whole milliseconds; a difference counts the boundaries between, as DATEDIFF does."""
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
