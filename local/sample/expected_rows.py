"""The rows that the product must store for a run, computed from its raw statements. Times are naive UTC."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from local.sample import arithmetic
from local.sample.arithmetic import Between
from local.sample.belonging import Window, base_of, base_tags, statements_of
from local.sample.flakebench import naive, stored_query_id
from local.sample.queries import RawQuery
from local.sample.runs import SampleRun

Row = dict[str, Any]


def _times(query: RawQuery) -> dict[str, int]:
    return {"EXEC": query.execution_ms, "COMPILE": query.compilation_ms, "ELAPSED": query.elapsed_ms}


def source_rows(queries: Iterable[RawQuery]) -> list[list[RawQuery]]:
    """Statements by the view row that counts them: minute, text, session, user, tag, release and so on."""
    rows: dict[tuple[Any, ...], list[RawQuery]] = defaultdict(list)
    for query in queries:
        minute = query.started_at.strftime("%Y-%m-%dT%H:%M")
        who = (query.session_id, query.user, query.role, query.warehouse, query.tag, query.release)
        rows[minute, query.pattern.text, *who].append(query)
    return list(rows.values())


def counted(run: SampleRun, span: Window) -> list[RawQuery]:
    """Measured statements of the run that AGGREGATE_QUERY_HISTORY counts."""
    return [query for query in statements_of(run, span) if query.in_aggregate]


def recorded(run: SampleRun, span: Window, *, measured_only: bool = True) -> list[RawQuery]:
    """Statements of the run that QUERY_HISTORY knows."""
    return [query for query in statements_of(run, span, measured_only=measured_only) if query.in_query_history]


def aggregate_query_metrics(run: SampleRun, span: Window) -> dict[str | None, Row]:
    """One row per hash, a missing hash included."""
    patterns: dict[str | None, list[RawQuery]] = defaultdict(list)
    for query in counted(run, span):
        patterns[query.pattern.parameterized_hash].append(query)
    bases = base_tags(run)
    rows: dict[str | None, Row] = {}
    for pattern_hash, queries in patterns.items():
        minutes = sorted({query.started_at.replace(second=0, microsecond=0) for query in queries})
        common = {base_of(query, bases) for query in queries}
        errors = Counter((q.error_code, q.error_message) for q in queries if q.error_code is not None)
        row: Row = {
            "TEST_ID": run.run_id,
            "RUN_ID": run.run_id,
            "QUERY_PARAMETERIZED_HASH": pattern_hash,
            "QUERY_TAG": common.pop() if len(common) == 1 else None,
            "INTERVAL_START": naive(minutes[0]),
            "INTERVAL_END": naive(minutes[-1] + timedelta(minutes=1)),
            "INTERVAL_COUNT": len(minutes),
            "QUERY_COUNT": len(queries),
            "ERRORS_COUNT": sum(errors.values()),
            "HYBRID_REQUESTS_THROTTLED_COUNT": sum(query.throttled for query in queries),
            "ERRORS_BREAKDOWN": [{"code": c, "message": m, "count": n} for (c, m), n in sorted(errors.items())],
            "SOURCE_VIEW": "AGGREGATE_QUERY_HISTORY",
        }
        row |= distributions(queries)
        for name, volumes in (
            ("BYTES_SCANNED", [query.bytes_scanned for query in queries]),
            ("ROWS_PRODUCED", [query.rows_produced for query in queries]),
        ):
            row[f"{name}_SUM"] = sum(volumes)
            row[f"{name}_AVG"] = int(arithmetic.rounded(arithmetic.average(volumes), 0))
            row[f"{name}_MAX"] = max(volumes)
        rows[pattern_hash] = row
    return rows


def distributions(queries: Sequence[RawQuery]) -> Row:
    """Sums, averages, deviations, percentiles with bounds, and queue times, ms, of one or many patterns."""
    sources = source_rows(queries)
    row: Row = {
        "PERCENTILE_METHOD": "EXACT" if len(sources) == 1 else "MIXTURE",
        "P999_IS_MAX": len(queries) < arithmetic.FEW_CALLS,
    }
    true = true_percentiles(queries)
    for prefix in ("EXEC", "COMPILE", "ELAPSED"):
        values = [_times(query)[prefix] for query in queries]
        row[f"{prefix}_SUM_MS"] = arithmetic.rounded(sum(values))
        row[f"{prefix}_AVG_MS"] = arithmetic.rounded(arithmetic.average(values))
        row[f"{prefix}_STDDEV_MS"] = arithmetic.deviation(values)
        row[f"{prefix}_MIN_MS"] = arithmetic.rounded(min(values))
        row[f"{prefix}_MAX_MS"] = arithmetic.rounded(max(values))
        for quantile in arithmetic.QUANTILES:
            row |= _percentile(sources, prefix, quantile, true[f"{prefix}_{quantile}_MS"])
    for name, queued in (
        ("QUEUED_OVERLOAD", [query.queued_overload_ms for query in queries]),
        ("QUEUED_PROVISIONING", [query.queued_provisioning_ms for query in queries]),
    ):
        row[f"{name}_SUM_MS"] = arithmetic.rounded(sum(queued))
        row[f"{name}_AVG_MS"] = arithmetic.rounded(arithmetic.average(queued))
        row[f"{name}_MAX_MS"] = arithmetic.rounded(max(queued))
    return row


def _percentile(sources: Sequence[Sequence[RawQuery]], prefix: str, quantile: str, true: Decimal) -> Row:
    """A percentile and its bounds. Of one view row they are its own, but for the 95th; else they hold the true one."""
    values = [_times(query)[prefix] for source in sources for query in source]
    least, largest = arithmetic.rounded(min(values)), arithmetic.rounded(max(values))
    value: Decimal | Between = Between(least, largest)
    low: Decimal | Between = Between(least, true)
    high: Decimal | Between = Between(true, largest)
    is_maximum = quantile == "P999" and len(values) < arithmetic.FEW_CALLS
    if len(sources) == 1:
        below, above = arithmetic.SOURCE_POINTS[quantile]
        low = _point(sources[0], prefix, below)
        high = largest if is_maximum else _point(sources[0], prefix, above)
        value = low if low == high else Between(low, high)
    name = f"{prefix}_{quantile}"
    return {f"{name}_MS": largest if is_maximum else value, f"{name}_LOW_MS": low, f"{name}_HIGH_MS": high}


def _point(source: Sequence[RawQuery], prefix: str, quantile: str) -> Decimal:
    values = [_times(query)[prefix] for query in source]
    return arithmetic.rounded(arithmetic.percentile(values, arithmetic.QUANTILES[quantile]))


def true_percentiles(queries: Sequence[RawQuery]) -> dict[str, Decimal]:
    """Percentiles of the raw statements themselves, what a merged percentile estimates."""
    return {
        f"{prefix}_{quantile}_MS": arithmetic.rounded(
            arithmetic.percentile([_times(q)[prefix] for q in queries], share)
        )
        for prefix in ("EXEC", "COMPILE", "ELAPSED")
        for quantile, share in arithmetic.QUANTILES.items()
    }


def lock_contention_events(run: SampleRun, span: Window) -> dict[tuple[str, datetime | None], Row]:
    """One row per waiting statement and request."""
    rows: dict[tuple[str, datetime | None], Row] = {}
    for query in recorded(run, span):
        for wait in query.lock_waits:
            if not span.holds(wait.requested_at):
                continue
            first, *further = sorted(wait.blockers, key=lambda blocker: blocker.acquired_at)
            waited_ms = int((first.acquired_at - wait.requested_at).total_seconds() * 1000)
            duration: int | None = query.reported_blocked_ms or None
            source = "TRANSACTION_BLOCKED_TIME" if duration else None
            if duration is None and waited_ms >= 0:
                duration, source = waited_ms, "ACQUIRED_AT"
            requested_at = naive(wait.requested_at)
            rows[query.query_id, requested_at] = {
                "TEST_ID": run.run_id,
                "RUN_ID": run.run_id,
                "LOCK_TRANSACTION_ID": query.transaction_id,
                "BLOCKING_TRANSACTION_ID": first.transaction_id,
                "REQUESTED_AT": requested_at,
                "LOCK_ACQUIRED_AT": naive(first.acquired_at),
                "WAIT_DURATION_MS": None if duration is None else arithmetic.rounded(duration),
                "WAIT_SOURCE": source,
                "LOCK_TYPE": "ROW",
                "OBJECT_NAME": "ROW",
                "SCHEMA_NAME": None,
                "DATABASE_NAME": "BENCH_DB",
                "QUERY_ID": query.query_id,
                "BLOCKING_QUERY_ID": first.query_id,
                "FURTHER_BLOCKERS": [
                    {
                        "is_snowflake": b.is_snowflake,
                        "query_id": b.query_id,
                        "transaction_id": b.transaction_id,
                    }
                    for b in further
                ],
            }
    return rows


def hybrid_table_credits(run: SampleRun, span: Window) -> dict[datetime | None, Row]:
    """One row per usage row that overlaps the window, whole."""
    rows: dict[datetime | None, Row] = {}
    for used in run.usage:
        if used.started_at < span.end and used.ended_at > span.start:
            rows[naive(used.started_at)] = {
                "TEST_ID": run.run_id,
                "RUN_ID": run.run_id,
                "TABLE_NAME": None,
                "START_TIME": naive(used.started_at),
                "END_TIME": naive(used.ended_at),
                "CREDITS_USED": Decimal(used.credits_used),
                "REQUESTS_COUNT": None,
                "CREDIT_SCOPE": "ACCOUNT",
            }
    return rows


def query_insights_cache(run: SampleRun, span: Window) -> dict[tuple[str, int], Row]:
    """One row per statement and insight."""
    return {
        (query.query_id, insight.instance_id): {
            "TEST_ID": run.run_id,
            "RUN_ID": run.run_id,
            "QUERY_ID": query.query_id,
            "INSIGHT_INSTANCE_ID": insight.instance_id,
            "QUERY_PARAMETERIZED_HASH": query.pattern.parameterized_hash,
            "QUERY_TEXT": None,
            "INSIGHT_TYPE": insight.type_id,
            "INSIGHT_CATEGORY": insight.topic,
            "INSIGHT_SEVERITY": "HIGH" if insight.is_opportunity else "LOW",
            "IS_OPPORTUNITY": insight.is_opportunity,
            "RECOMMENDATION": "\n".join(insight.suggestions) if insight.suggestions else None,
        }
        for query in recorded(run, span)
        for insight in query.insights
    }


def query_execution_metrics(run: SampleRun, span: Window) -> dict[str, Row]:
    """One row per measured statement that QUERY_HISTORY knows."""
    return {
        query.query_id: {
            "RUN_ID": run.run_id,
            "TEST_ID": query.child_id,
            "QUERY_ID": query.query_id,
            "QUERY_PARAMETERIZED_HASH": query.pattern.parameterized_hash,
            "START_TIME": naive(query.started_at),
            "PARTITIONS_SCANNED": query.partitions_scanned,
            "PARTITIONS_TOTAL": query.partitions_total,
            "BYTES_SCANNED": query.bytes_scanned,
            "BYTES_SPILLED_LOCAL": query.spilled_local,
            "BYTES_SPILLED_REMOTE": query.spilled_remote,
            "PCT_SCANNED_FROM_CACHE": query.cache_share * 100,
        }
        for query in recorded(run, span)
    }


def query_executions(run: SampleRun, span: Window | None) -> dict[tuple[str | None, str], Row]:
    """The columns filled on QUERY_EXECUTIONS, one row per execution; all NULL where nothing is found.

    :param span: None when QUERY_HISTORY has not been read
    """
    found = {q.query_id for q in recorded(run, span, measured_only=False)} if span else set()
    rows: dict[tuple[str | None, str], Row] = {}
    for query in run.queries:
        if query.logged:
            fill = query.query_id in found and query.knows_query_id
            rows[query.child_id, stored_query_id(query, run.run_id)] = {
                "SF_PARTITIONS_SCANNED": query.partitions_scanned if fill else None,
                "SF_PARTITIONS_TOTAL": query.partitions_total if fill else None,
                "SF_BYTES_SPILLED_LOCAL": query.spilled_local if fill else None,
                "SF_BYTES_SPILLED_REMOTE": query.spilled_remote if fill else None,
                "SF_PCT_SCANNED_FROM_CACHE": query.cache_share * 100 if fill else None,
                "QUERY_PARAMETERIZED_HASH": query.pattern.parameterized_hash if fill else None,
            }
    return rows
