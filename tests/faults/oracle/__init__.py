"""What a look at the views must store: written from SPEC §4, §5 and §7, on nothing of the product.

:func:`expected` takes the rows of the views and of FlakeBench's tables as they are, and what the look before stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.faults.oracle.belonging import NotFinishedError, RefusedError, Run, Tables, find_run
from tests.faults.oracle.events import (
    expected_ids,
    find_acceleration,
    find_credits,
    find_insights,
    find_queries,
    find_waits,
)
from tests.faults.oracle.statistics import find_patterns
from tests.faults.oracle.values import Row, utc

THRESHOLD = 0.99
HORIZON = timedelta(hours=12)
DUE_AFTER = {
    "QUERY_HISTORY": timedelta(minutes=50),
    "QUERY_INSIGHTS": timedelta(minutes=100),
    "AGGREGATE": timedelta(minutes=195),
    "LOCK_CONTENTION": timedelta(minutes=195),
    "HYBRID_CREDITS": timedelta(minutes=195),
    "QUERY_ACCELERATION": timedelta(minutes=255),
}
TARGETS = {
    "QUERY_HISTORY": "QUERY_EXECUTION_METRICS",
    "QUERY_INSIGHTS": "QUERY_INSIGHTS_CACHE",
    "AGGREGATE": "AGGREGATE_QUERY_METRICS",
    "LOCK_CONTENTION": "LOCK_CONTENTION_EVENTS",
    "HYBRID_CREDITS": "HYBRID_TABLE_CREDITS",
    "QUERY_ACCELERATION": "QUERY_ACCELERATION_CREDITS",
}


@dataclass(frozen=True)
class Stored:
    """What one type has stored of a run, and where its task stands.

    :param rows: of its target
    :param summary: its columns of RUN_ENRICHMENT_SUMMARY; each NULL until the type is written
    :param fills: (child, query id) to the SF_* columns of QUERY_EXECUTIONS
    :param task: columns of the task's row; a column that is not there does not matter
    """

    rows: list[Row] = field(default_factory=list)
    summary: Row = field(default_factory=dict)
    fills: dict[tuple[str, str], Row] = field(default_factory=dict)
    calls: int = 0
    found: int | None = None
    task: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What one look finds: as :class:`Stored`, and how much of it was to be expected."""

    found: Stored
    expected: int | None
    has_passed: bool


def expected(tables: Tables, run_id: str, kind: str, before: Stored, *, now: datetime, queued_at: datetime) -> Stored:
    """What is stored after one more look.

    :param before: what is stored when it begins; ``Stored()`` at the first
    :param now: of the look, naive UTC
    :param queued_at: when the task was made
    """
    is_past_horizon = now >= queued_at + DUE_AFTER[kind] + HORIZON
    try:
        run = find_run(tables, run_id, now, is_past_horizon=is_past_horizon)
    except NotFinishedError:
        status, reason = ("SKIPPED", "NO_DATA") if is_past_horizon else ("PENDING", "NOT_READY")
        return replace(before, task={"STATUS": status, "REASON_CODE": reason})
    except RefusedError as refused:
        return replace(before, task={"STATUS": "FAILED", "REASON_CODE": refused.args[0]})
    due_at = (run.ended_at if run.ended_at <= now else queued_at) + DUE_AFTER[kind]
    return _after(_look(tables, run, kind), before, run, kind, is_due=now >= due_at, is_over=now >= due_at + HORIZON)


def _look(tables: Tables, run: Run, kind: str) -> Look:
    if kind == "AGGREGATE":
        patterns = find_patterns(tables, run)
        found = Stored(patterns.rows, patterns.summary, {}, patterns.calls, patterns.calls)
        count = max(run.operations, len(expected_ids(tables, run)))
        return Look(found, count or None, _has_passed(tables, run, "AGGREGATE_QUERY_HISTORY", "INTERVAL_"))
    find = {
        "QUERY_HISTORY": find_queries,
        "QUERY_INSIGHTS": find_insights,
        "LOCK_CONTENTION": find_waits,
        "HYBRID_CREDITS": find_credits,
        "QUERY_ACCELERATION": find_acceleration,
    }[kind]
    events = find(tables, run)
    count = len(expected_ids(tables, run)) if kind == "QUERY_HISTORY" else 0
    found = Stored(events.rows, events.summary, events.fills or {}, 0, events.found)
    return Look(found, count or None, _has_passed(tables, run, "QUERY_HISTORY", ""))


def _has_passed(tables: Tables, run: Run, view: str, prefix: str) -> bool:
    """Whether the newest row of anybody lies beyond the window; one without its primary time lies nowhere."""
    reached = "INTERVAL_END_TIME" if prefix else "START_TIME"
    moments = [utc(row.get(reached)) for row in tables[view] if row.get(f"{prefix}START_TIME") is not None]
    return any(moment is not None and moment > run.end for moment in moments)


def _after(look: Look, before: Stored, run: Run, kind: str, *, is_due: bool, is_over: bool) -> Stored:
    found = look.found
    is_less = len(found.rows) < len(before.rows) or found.calls < before.calls
    count = max(found.found or 0, (before.found or 0) if is_less else 0)
    coverage = min(count / look.expected, 1.0) if look.expected else None
    is_empty = not found.rows and not before.rows
    is_same = before.found is not None and before.found == count
    status, reason, is_complete = _verdict(
        look, run, kind, coverage, is_empty=is_empty, is_same=is_same, is_due=is_due, is_over=is_over
    )
    if is_less and status != "PENDING":
        status, reason = "COMPLETED", "SOURCE_SHRUNK"
    is_written = not is_less and (status == "COMPLETED" or bool(found.rows))
    kept = found if is_written else replace(before, summary=before.summary or dict.fromkeys(found.summary))
    task: Row = {
        "STATUS": status,
        "REASON_CODE": reason,
        "ROWS_WRITTEN": len(kept.rows),
        "EXPECTED_COUNT": look.expected,
        "FOUND_COUNT": count,
        "COVERAGE": coverage,
    }
    if status != "SKIPPED":
        task["DATA_COMPLETE"] = is_complete
    return replace(kept, found=count, fills=before.fills | (found.fills if is_written else {}), task=task)


def _verdict(
    look: Look,
    run: Run,
    kind: str,
    coverage: float | None,
    *,
    is_empty: bool,
    is_same: bool,
    is_due: bool,
    is_over: bool,
) -> tuple[str, str | None, bool | None]:
    """Status, reason and completeness (SPEC §7, readiness and not ready)."""
    if kind == "QUERY_HISTORY" and run.is_hybrid:
        return "COMPLETED", None, None
    if kind in ("HYBRID_CREDITS", "QUERY_ACCELERATION"):
        if not is_due:
            return "PENDING", "NOT_READY", False
        has_scope = kind == "HYBRID_CREDITS" or run.warehouses
        nothing = ("SKIPPED", "NO_DATA" if has_scope else "WAREHOUSE_UNKNOWN", None)
        return nothing if is_empty else ("COMPLETED", None, True)
    is_enough = coverage is None or coverage >= THRESHOLD
    if coverage == 1 or (look.has_passed and is_enough):
        return ("SKIPPED", "NO_DATA", None) if is_empty and kind == "AGGREGATE" else ("COMPLETED", None, True)
    is_complete = coverage is not None and is_enough
    if look.has_passed and is_same:
        return ("SKIPPED", "NO_DATA", None) if is_empty else ("COMPLETED", "COVERAGE_LOW", False)
    if is_over:
        return ("SKIPPED", "NO_DATA", None) if is_empty else ("COMPLETED", "HORIZON", is_complete)
    return "PENDING", "NOT_READY", is_complete
