"""The ground truth: what the product must say and store about a run at a given moment.

Computed from the raw statements by the rules of the specification, not from the rows of the views and with
none of the product's SQL. It tells the state after everything due has been looked at once, on a fresh system,
with every view open to the role and no type switched off. The account's background keeps both histories newer
than every finished window, so readiness is a matter of counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from local.sample import expected_rows as rows
from local.sample.belonging import Window, base_tags, window
from local.sample.flakebench import naive
from local.sample.runs import SampleRun

DUE_AFTER = {
    "QUERY_HISTORY": timedelta(minutes=50),
    "QUERY_INSIGHTS": timedelta(minutes=100),
    "AGGREGATE": timedelta(minutes=195),
    "LOCK_CONTENTION": timedelta(minutes=195),
    "HYBRID_CREDITS": timedelta(minutes=195),
}
ALIASES = {"LOCK": "LOCK_CONTENTION", "CREDITS": "HYBRID_CREDITS", "INSIGHTS": "QUERY_INSIGHTS"}
HYBRID = ("HYBRID", "UNISTORE")
WITHOUT_INSIGHTS = (*HYBRID, "INTERACTIVE")
BILLING_STOPPED = date(2026, 3, 1)
LOOK_BACK = timedelta(days=7)
RETENTION = timedelta(days=365)
COMPLETE_FROM = 0.99


@dataclass(frozen=True, slots=True)
class ExpectedTask:
    """One row of DELAYED_ENRICHMENT_TASKS.

    None stands for NULL, except where the specification fixes no value and nothing is claimed: the reason
    code of a NOT_APPLICABLE task, the due time of a NOT_APPLICABLE or SKIPPED one, and the due time of one
    snoozed by a look (30 minutes after that look).
    """

    status: str
    reason_code: str | None = None
    due_at: datetime | None = None
    rows_written: int | None = None
    expected_count: int | None = None
    found_count: int | None = None
    coverage: float | None = None
    data_complete: bool | None = None


@dataclass(frozen=True, slots=True)
class ExpectedRun:
    """Everything that must be stored for one run. Rows are keyed by their natural keys, times are naive UTC.

    :param tasks: by enrichment type; empty when the run has no job or no type applies
    :param job_status: None when the run has no job
    :param aggregate_query_metrics: by hash, None for the pattern without
    :param lock_contention_events: by (query id, requested at)
    :param hybrid_table_credits: by start time
    :param query_insights_cache: by (query id, insight instance id)
    :param query_execution_metrics: by query id; measured statements only
    :param query_executions: filled columns by (child id, stored query id), warm-up too; None where not found
    :param summary: the mirrored columns of TEST_RESULTS
    :param run_summary: RUN_ENRICHMENT_SUMMARY over all patterns
    :param true_percentiles: by hash, of the raw statements; what merged percentiles estimate
    """

    tasks: dict[str, ExpectedTask]
    job_status: str | None
    aggregate_query_metrics: dict[str | None, rows.Row]
    lock_contention_events: dict[tuple[str, datetime | None], rows.Row]
    hybrid_table_credits: dict[datetime | None, rows.Row]
    query_insights_cache: dict[tuple[str, int], rows.Row]
    query_execution_metrics: dict[str, rows.Row]
    query_executions: dict[tuple[str | None, str], rows.Row]
    summary: dict[str, Any]
    run_summary: dict[str, Any]
    true_percentiles: dict[str | None, dict[str, Decimal]]


def expected(run: SampleRun, now: datetime, discovered_at: datetime | None = None) -> ExpectedRun:
    """What must be stored for a run.

    :param now: the moment of the pass; naive means UTC
    :param discovered_at: when the job was made, ``now`` by default; due times count from it when the end is
        missing or ahead
    """
    moment = _aware(now)
    span = window(run, moment)
    types = _types(run, moment)
    found: dict[str, Any] = {
        "QUERY_HISTORY": rows.query_execution_metrics(run, span) if span else {},
        "QUERY_INSIGHTS": rows.query_insights_cache(run, span) if span else {},
        "AGGREGATE": rows.aggregate_query_metrics(run, span) if span else {},
        "LOCK_CONTENTION": rows.lock_contention_events(run, span) if span else {},
        "HYBRID_CREDITS": rows.hybrid_table_credits(run, span) if span else {},
    }
    discovered = _aware(discovered_at or now)
    tasks = {name: _task(run, name, span, found[name], moment, discovered) for name in types or ()}
    written = {name for name, task in tasks.items() if task.rows_written is not None}
    stored = {name: found[name] if name in written else {} for name in found}
    job_status = None if types is None else _roll_up([task.status for task in tasks.values()])
    summary = _summary(stored, written, tasks, job_status)
    counted = rows.counted(run, span) if span and "AGGREGATE" in written else []
    return ExpectedRun(
        tasks=tasks,
        job_status=job_status,
        aggregate_query_metrics=stored["AGGREGATE"],
        lock_contention_events=stored["LOCK_CONTENTION"],
        hybrid_table_credits=stored["HYBRID_CREDITS"],
        query_insights_cache=stored["QUERY_INSIGHTS"],
        query_execution_metrics=stored["QUERY_HISTORY"],
        query_executions=rows.query_executions(run, span if "QUERY_HISTORY" in written else None),
        summary=summary,
        run_summary=_run_summary(run, span, stored, written, summary),
        true_percentiles={
            name: rows.true_percentiles([q for q in counted if q.pattern.parameterized_hash == name])
            for name in stored["AGGREGATE"]
        },
    )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _types(run: SampleRun, now: datetime) -> tuple[str, ...] | None:
    """Types with a task row, NOT_APPLICABLE ones included; None when the run gets no job."""
    end = run.ended_at
    if run.job is None and (run.status != "COMPLETED" or (end is not None and end < now - LOOK_BACK)):
        return None
    table_type = run.table_type.upper()
    if table_type == "POSTGRES":
        return ()
    hybrid_only = ("LOCK_CONTENTION", "HYBRID_CREDITS")
    offered = tuple(name for name in DUE_AFTER if table_type in HYBRID or name not in hybrid_only)
    if run.job is None:
        return offered
    listed = {ALIASES.get(name, name) for name in run.job.types}
    return tuple(name for name in offered if name in listed)


def _task(
    run: SampleRun, name: str, span: Window | None, found: dict[Any, Any], now: datetime, discovered: datetime
) -> ExpectedTask:
    end = run.ended_at
    table_type = run.table_type.upper()
    if name == "QUERY_INSIGHTS" and table_type in WITHOUT_INSIGHTS:
        return ExpectedTask("NOT_APPLICABLE")
    if name == "HYBRID_CREDITS" and end is not None and end.date() >= BILLING_STOPPED:
        return ExpectedTask("NOT_APPLICABLE")
    if end is not None and end < now - RETENTION:
        return ExpectedTask("SKIPPED", "RETENTION")
    due = (discovered if end is None or end > discovered else end) + DUE_AFTER[name]
    due_at = naive(due)
    if due > now:
        return ExpectedTask("PENDING", due_at=due_at)
    if span is None:
        return ExpectedTask("FAILED", "BAD_WINDOW", due_at)
    if not base_tags(run):
        return ExpectedTask("FAILED", "NO_QUERY_TAG", due_at)
    if name in ("LOCK_CONTENTION", "QUERY_INSIGHTS", "HYBRID_CREDITS"):
        if name == "HYBRID_CREDITS" and not found:
            return ExpectedTask("SKIPPED", "NO_DATA")
        return ExpectedTask("COMPLETED", None, due_at, len(found), None, len(found), None, True)
    return _counted_task(run, name, span, found, due_at)


def _counted_task(
    run: SampleRun, name: str, span: Window, found: dict[Any, Any], due_at: datetime | None
) -> ExpectedTask:
    """QUERY_HISTORY and AGGREGATE: complete when the expected number of statements is there."""
    successes = [query for query in run.queries if query.measured and query.succeeded]
    executions = [query for query in successes if query.logged]
    expected_count: int | None
    if name == "AGGREGATE":
        expected_count = max(len(executions), len(successes)) or None
        found_count = len(rows.counted(run, span))
    else:
        expected_count = len(executions) or None
        known = {query.query_id for query in rows.recorded(run, span)}
        found_count = sum(query.query_id in known for query in executions)
    coverage = None if expected_count is None else min(1.0, found_count / expected_count)
    counts = (len(found), expected_count, found_count, coverage)
    if name == "QUERY_HISTORY" and run.table_type.upper() in HYBRID:
        return ExpectedTask("COMPLETED", None, due_at, *counts, None)
    if coverage is not None and coverage < COMPLETE_FROM:
        return ExpectedTask("PENDING", "NOT_READY", None, *counts, False)
    return ExpectedTask("COMPLETED", None, due_at, *counts, True)


def _roll_up(statuses: Sequence[str]) -> str:
    for active in ("IN_PROGRESS", "PENDING"):
        if active in statuses:
            return active
    for final in ("COMPLETED", "FAILED", "SKIPPED"):
        if final in statuses:
            return final
    return "NOT_APPLICABLE"


def _summary(
    stored: dict[str, Any], written: set[str], tasks: dict[str, ExpectedTask], job_status: str | None
) -> dict[str, Any]:
    """The mirrored columns; NULL until their type is written."""
    locks = list(stored["LOCK_CONTENTION"].values())
    usage = list(stored["HYBRID_CREDITS"].values())
    insights = list(stored["QUERY_INSIGHTS"].values())
    blocked = {row["QUERY_ID"]: row["WAIT_DURATION_MS"] for row in locks if row["WAIT_DURATION_MS"] is not None}
    throttled = [row["HYBRID_REQUESTS_THROTTLED_COUNT"] for row in stored["AGGREGATE"].values()]
    aggregate = tasks.get("AGGREGATE")
    return {
        "DELAYED_ENRICHMENT_STATUS": job_status,
        "AGGREGATE_ENRICHMENT_STATUS": aggregate.status if aggregate else None,
        "THROTTLED_QUERY_COUNT": sum(throttled) if "AGGREGATE" in written else None,
        "HYBRID_CREDITS_USED": sum((row["CREDITS_USED"] for row in usage), Decimal(0)) if usage else None,
        "HYBRID_CREDITS_REQUESTS": None,
        "HYBRID_CREDITS_START_TIME": min((row["START_TIME"] for row in usage), default=None),
        "HYBRID_CREDITS_END_TIME": max((row["END_TIME"] for row in usage), default=None),
        "LOCK_WAIT_COUNT": len(locks) if "LOCK_CONTENTION" in written else None,
        "LOCK_WAIT_TOTAL_MS": sum(blocked.values(), Decimal(0)) if "LOCK_CONTENTION" in written else None,
        "LOCK_WAIT_MAX_MS": max(blocked.values(), default=None),
        "QUERY_INSIGHTS_COUNT": len(insights) if "QUERY_INSIGHTS" in written else None,
        "QUERY_INSIGHTS_HIGH_SEVERITY_COUNT": (
            sum(row["INSIGHT_SEVERITY"] == "HIGH" for row in insights) if "QUERY_INSIGHTS" in written else None
        ),
    }


def _run_summary(
    run: SampleRun, span: Window | None, stored: dict[str, Any], written: set[str], summary: dict[str, Any]
) -> dict[str, Any]:
    """RUN_ENRICHMENT_SUMMARY; empty when nothing is written. A type not written leaves its columns out."""
    values: dict[str, Any] = {}
    if "QUERY_HISTORY" in written:
        queries = list(stored["QUERY_HISTORY"].values())
        values["QUERIES_RECORDED"] = len(queries)
        for name in ("PARTITIONS_SCANNED", "PARTITIONS_TOTAL", "BYTES_SPILLED_LOCAL", "BYTES_SPILLED_REMOTE"):
            values[name] = sum(row[name] for row in queries)
    if "AGGREGATE" in written and span is not None:
        patterns = list(stored["AGGREGATE"].values())
        values["QUERY_PATTERN_COUNT"] = len(patterns)
        values["QUERY_COUNT"] = sum(row["QUERY_COUNT"] for row in patterns)
        values["ERRORS_COUNT"] = sum(row["ERRORS_COUNT"] for row in patterns)
        values |= {
            name: value
            for name, value in rows.distributions(rows.counted(run, span)).items()
            if name not in ("QUEUED_OVERLOAD_AVG_MS", "QUEUED_PROVISIONING_AVG_MS")
        }
    mirrored_only = ("DELAYED_ENRICHMENT_STATUS", "AGGREGATE_ENRICHMENT_STATUS")
    if written:
        values |= {name: value for name, value in summary.items() if name not in mirrored_only}
    return values
