"""Raw statements as rows of the ACCOUNT_USAGE views with one row per event. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from local.sample.queries import Blocker, RawQuery
from local.sample.runs import Usage

Row = dict[str, Any]

DATABASE, SCHEMA = "BENCH_DB", "PUBLIC"
TABLE_ID = 90_113


def query_history(queries: Sequence[RawQuery]) -> list[Row]:
    """Rows of QUERY_HISTORY: hybrid statements are sparse, some statements come twice."""
    rows: list[Row] = []
    for query in queries:
        if not query.in_query_history:
            continue
        if query.repeats is not None:
            rows.append(_query_row(_outdated(query)))
            if query.repeats == "later_end":
                rows[-1]["END_TIME"] -= timedelta(milliseconds=250)
            if query.repeats == "larger_elapsed":
                rows[-1]["TOTAL_ELAPSED_TIME"] -= 5
        rows.append(_query_row(query))
    return rows


def _outdated(query: RawQuery) -> RawQuery:
    """The row that the view returned first and corrected later; equal when the repeat is exact."""
    if query.repeats == "exact":
        return query
    return replace(
        query,
        partitions_scanned=max(0, query.partitions_scanned - 1),
        spilled_local=0,
        spilled_remote=0,
        cache_share=0.0,
        reported_blocked_ms=0 if query.reported_blocked_ms is None else query.reported_blocked_ms // 2,
    )


def _query_row(query: RawQuery) -> Row:
    pattern = query.pattern
    written = 0 if pattern.is_read or not query.succeeded else query.rows_produced
    elapsed_ms, ended_at = query.elapsed_ms, query.ended_at
    return {
        "QUERY_ID": query.query_id,
        "QUERY_TEXT": pattern.text,
        "DATABASE_NAME": DATABASE,
        "SCHEMA_NAME": SCHEMA,
        "QUERY_TYPE": pattern.query_type,
        "SESSION_ID": query.session_id,
        "USER_NAME": query.user,
        "ROLE_NAME": query.role,
        "WAREHOUSE_NAME": query.warehouse,
        "WAREHOUSE_SIZE": "Medium",
        "WAREHOUSE_TYPE": "STANDARD",
        "CLUSTER_NUMBER": 1,
        "QUERY_TAG": query.tag,
        "EXECUTION_STATUS": "SUCCESS" if query.succeeded else "FAIL",
        "ERROR_CODE": query.error_code,
        "ERROR_MESSAGE": query.error_message,
        "START_TIME": query.started_at,
        "END_TIME": ended_at,
        "TOTAL_ELAPSED_TIME": elapsed_ms,
        "BYTES_SCANNED": query.bytes_scanned,
        "PERCENTAGE_SCANNED_FROM_CACHE": query.cache_share,
        "ROWS_PRODUCED": query.rows_produced,
        "ROWS_INSERTED": written if pattern.query_type == "INSERT" else 0,
        "ROWS_UPDATED": written if pattern.query_type == "UPDATE" else 0,
        "PARTITIONS_SCANNED": query.partitions_scanned,
        "PARTITIONS_TOTAL": query.partitions_total,
        "BYTES_SPILLED_TO_LOCAL_STORAGE": query.spilled_local,
        "BYTES_SPILLED_TO_REMOTE_STORAGE": query.spilled_remote,
        "COMPILATION_TIME": query.compilation_ms,
        "EXECUTION_TIME": query.execution_ms,
        "QUEUED_PROVISIONING_TIME": query.queued_provisioning_ms,
        "QUEUED_REPAIR_TIME": 0,
        "QUEUED_OVERLOAD_TIME": query.queued_overload_ms,
        "TRANSACTION_BLOCKED_TIME": query.reported_blocked_ms,
        "RELEASE_VERSION": query.release,
        "IS_CLIENT_GENERATED_STATEMENT": False,
        "TRANSACTION_ID": query.transaction_id,
        "QUERY_HASH": pattern.parameterized_hash,
        "QUERY_PARAMETERIZED_HASH": pattern.parameterized_hash,
    }


def lock_wait_history(queries: Iterable[RawQuery]) -> list[Row]:
    """Rows of LOCK_WAIT_HISTORY: as a rule one row per blocker, as for hybrid tables."""
    rows: list[Row] = []
    for query in queries:
        for wait in query.lock_waits:
            groups = [wait.blockers] if wait.one_row else [(blocker,) for blocker in wait.blockers]
            for blockers in groups:
                row = {
                    "OBJECT_ID": TABLE_ID,
                    "LOCK_TYPE": "ROW",
                    "OBJECT_NAME": "ROW",
                    "SCHEMA_ID": 0,
                    "SCHEMA_NAME": None,
                    "DATABASE_NAME": DATABASE,
                    "QUERY_ID": query.query_id,
                    "TRANSACTION_ID": query.transaction_id,
                    "REQUESTED_AT": wait.requested_at,
                    "ACQUIRED_AT": blockers[0].acquired_at,
                    "BLOCKER_QUERIES": [_blocker(blocker) for blocker in blockers],
                }
                rows += [row, dict(row)] if wait.repeated else [row]
    return rows


def _blocker(blocker: Blocker) -> Row:
    return {
        "is_snowflake": blocker.is_snowflake,
        "query_id": blocker.query_id,
        "transaction_id": blocker.transaction_id,
    }


def query_insights(queries: Iterable[RawQuery]) -> list[Row]:
    """Rows of QUERY_INSIGHTS."""
    rows: list[Row] = []
    for query in queries:
        for insight in query.insights:
            row = {
                "START_TIME": query.started_at,
                "END_TIME": query.ended_at,
                "TOTAL_ELAPSED_TIME": query.elapsed_ms,
                "QUERY_ID": query.query_id,
                "QUERY_HASH": query.pattern.parameterized_hash,
                "QUERY_PARAMETERIZED_HASH": query.pattern.parameterized_hash,
                "WAREHOUSE_NAME": query.warehouse,
                "INSIGHT_INSTANCE_ID": insight.instance_id,
                "INSIGHT_TYPE_ID": insight.type_id,
                "MESSAGE": {"summary": insight.type_id.removeprefix("QUERY_INSIGHT_").replace("_", " ").lower()},
                "SUGGESTIONS": None if insight.suggestions is None else list(insight.suggestions),
                "IS_OPPORTUNITY": insight.is_opportunity,
                "INSIGHT_TOPIC": insight.topic,
            }
            rows += [row, dict(row)] if insight.repeated else [row]
    return rows


def hybrid_table_usage_history(usage: Iterable[Usage]) -> list[Row]:
    """Rows of HYBRID_TABLE_USAGE_HISTORY; credits as decimal text."""
    rows: list[Row] = []
    for used in usage:
        row = {
            "OBJECT_TYPE": "ACCOUNT",
            "START_TIME": used.started_at,
            "END_TIME": used.ended_at,
            "CREDITS_USED": used.credits_used,
        }
        rows += [row, dict(row)] if used.repeated else [row]
    return rows
