"""Runs as FlakeBench stores them: TEST_RESULTS, QUERY_EXECUTIONS, RUN_STATUS. Times are naive UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from local.sample.queries import RawQuery
from local.sample.runs import SampleChild, SampleRun, stable_id

Row = dict[str, Any]


def naive(moment: datetime | None) -> datetime | None:
    """A moment as a TIMESTAMP_NTZ in UTC."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def test_results(runs: Iterable[SampleRun]) -> list[Row]:
    """One parent row and one row per child of each run; the parent's counts are the children's sums."""
    rows: list[Row] = []
    for run in runs:
        rows.append(_result_row(run, None))
        rows += [_result_row(run, child) for child in run.children]
    return rows


def _result_row(run: SampleRun, child: SampleChild | None) -> Row:
    started_at = child.started_at if child else run.parent_started_at
    ended_at = child.ended_at if child else run.parent_ended_at
    operations = [q for q in run.queries if q.measured and (child is None or q.child_id == child.test_id)]
    failed = sum(not query.succeeded for query in operations)
    reads = sum(query.pattern.is_read for query in operations)
    seconds = (ended_at - started_at).total_seconds() if ended_at else None
    latencies = sorted(_client_ms(query) for query in operations if query.succeeded)
    postgres = run.table_type.upper() == "POSTGRES"
    finished = run.status == "COMPLETED"
    return {
        "TEST_ID": child.test_id if child else run.run_id,
        "RUN_ID": run.run_id,
        "TEST_NAME": run.name,
        "SCENARIO_NAME": run.name,
        "TABLE_NAME": "FACTS" if run.table_type.upper() in ("STANDARD", "INTERACTIVE", "DYNAMIC") else "ORDERS",
        "TABLE_TYPE": run.table_type,
        "WAREHOUSE": None if postgres else "BENCH_WH",
        "WAREHOUSE_SIZE": None if postgres else "MEDIUM",
        "STATUS": run.status,
        "START_TIME": naive(started_at),
        "END_TIME": naive(ended_at),
        "DURATION_SECONDS": seconds,
        "CONCURRENT_CONNECTIONS": 2 if child else 2 * len(run.children),
        "TOTAL_OPERATIONS": len(operations),
        "READ_OPERATIONS": reads,
        "WRITE_OPERATIONS": len(operations) - reads,
        "FAILED_OPERATIONS": failed,
        "QPS": round(len(operations) / seconds, 3) if seconds and seconds > 0 else 0.0,
        "AVG_LATENCY_MS": round(sum(latencies) / len(latencies), 3) if latencies else 0.0,
        "P50_LATENCY_MS": _nearest(latencies, 0.5),
        "P90_LATENCY_MS": _nearest(latencies, 0.9),
        "P95_LATENCY_MS": _nearest(latencies, 0.95),
        "P99_LATENCY_MS": _nearest(latencies, 0.99),
        "MIN_LATENCY_MS": _nearest(latencies, 0.0),
        "MAX_LATENCY_MS": _nearest(latencies, 1.0),
        "ERROR_COUNT": failed,
        "ERROR_RATE": round(failed / len(operations), 6) if operations else 0.0,
        "TEST_CONFIG": _config(run),
        "QUERY_TAG": child.stored_tag if child else None,
        "FAILURE_REASON": "Worker process exited" if run.status == "FAILED" else None,
        "ENRICHMENT_STATUS": ("SKIPPED" if postgres else "COMPLETED") if finished else None,
        "CREATED_AT": naive(run.parent_started_at),
        "UPDATED_AT": naive(ended_at or started_at),
    }


def _config(run: SampleRun) -> Row:
    return {
        "template_name": run.name,
        "template_config": {
            "database": "BENCH_DB",
            "schema": "PUBLIC",
            "table_name": "FACTS" if run.table_type.upper() in ("STANDARD", "INTERACTIVE", "DYNAMIC") else "ORDERS",
            "table_type": run.table_type.upper(),
            "warehouse_name": "BENCH_WH",
            "warmup": 30,
            "scaling": {"mode": "FIXED", "min_workers": len(run.children), "max_workers": len(run.children)},
        },
    }


def _client_ms(query: RawQuery) -> float:
    """What the client measured: the server's share and the network's, ms."""
    return query.elapsed_ms + query.network_ms


def _nearest(ordered: Sequence[float], share: float) -> float:
    return round(ordered[round(share * (len(ordered) - 1))], 3) if ordered else 0.0


def stored_query_id(query: RawQuery, run_id: str) -> str:
    """``QUERY_EXECUTIONS.QUERY_ID``: the query id, or ``LOCAL_<uuid>`` where the client never learned it."""
    return query.query_id if query.knows_query_id else f"LOCAL_{stable_id(0, run_id, query.query_id)}"


def query_executions(runs: Iterable[SampleRun]) -> list[Row]:
    """One row per statement that FlakeBench logged. Its own first enrichment filled some columns of some."""
    rows: list[Row] = []
    for run in runs:
        for number, query in enumerate(run.queries):
            if not query.logged:
                continue
            started_at = query.started_at - timedelta(milliseconds=query.network_ms / 2)
            seen = query.in_query_history and query.knows_query_id and number % 10 != 9
            rows.append(
                {
                    "EXECUTION_ID": stable_id(0, run.run_id, "execution", query.query_id),
                    "TEST_ID": query.child_id,
                    "QUERY_ID": stored_query_id(query, run.run_id),
                    "QUERY_TEXT": query.pattern.text,
                    "START_TIME": naive(started_at),
                    "END_TIME": naive(started_at + timedelta(milliseconds=_client_ms(query))),
                    "DURATION_MS": _client_ms(query),
                    "ROWS_AFFECTED": query.rows_produced,
                    "BYTES_SCANNED": query.bytes_scanned if seen else None,
                    "WAREHOUSE": query.warehouse,
                    "SUCCESS": query.succeeded,
                    "ERROR": query.error_message,
                    "CONNECTION_ID": query.session_id % 10,
                    "QUERY_KIND": query.pattern.kind,
                    "WORKER_ID": query.worker_id,
                    "WARMUP": query.warmup,
                    "APP_ELAPSED_MS": _client_ms(query),
                    "SF_TOTAL_ELAPSED_MS": query.elapsed_ms if seen else None,
                    "SF_EXECUTION_MS": query.execution_ms if seen else None,
                    "SF_COMPILATION_MS": query.compilation_ms if seen else None,
                }
            )
    return rows


def run_status(runs: Iterable[SampleRun]) -> list[Row]:
    """One row per run: the state of FlakeBench's orchestrator."""
    return [
        {
            "RUN_ID": run.run_id,
            "TEST_ID": run.run_id,
            "TEST_NAME": run.name,
            "STATUS": run.status,
            "PHASE": "MEASUREMENT" if run.status == "RUNNING" else "COMPLETED",
            "START_TIME": naive(run.parent_started_at),
            "END_TIME": naive(run.parent_ended_at),
            "TOTAL_WORKERS_EXPECTED": len(run.children),
        }
        for run in runs
    ]


def queued_jobs(runs: Iterable[SampleRun]) -> list[Row]:
    """Jobs that a person queued."""
    return [
        {
            "JOB_ID": run.job.job_id,
            "TEST_ID": run.run_id,
            "RUN_ID": run.run_id,
            "TEST_END_TIME": naive(run.ended_at),
            "EARLIEST_ENRICHMENT_TIME": naive(run.job.created_at),
            "TABLE_TYPE": run.table_type,
            "ENRICHMENT_TYPES": list(run.job.types),
            "STATUS": "PENDING",
            "CREATED_AT": naive(run.job.created_at),
            "UPDATED_AT": naive(run.job.created_at),
        }
        for run in runs
        if run.job is not None
    ]
