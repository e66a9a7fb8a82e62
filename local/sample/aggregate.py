"""Raw statements as rows of AGGREGATE_QUERY_HISTORY: one per minute, statement, session, tag and release."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from local.sample.queries import RawQuery
from local.sample.views import DATABASE, SCHEMA

Row = dict[str, Any]

REPEATED_EACH = 17
"""Each n-th row is returned twice, equal in every column."""


def aggregate_query_history(queries: Iterable[RawQuery]) -> list[Row]:
    """Rows of AGGREGATE_QUERY_HISTORY. A statement belongs to the minute in which it started."""
    groups: dict[tuple[Any, ...], list[RawQuery]] = defaultdict(list)
    for query in queries:
        if query.reached_server and query.in_aggregate:
            minute = query.started_at.replace(second=0, microsecond=0)
            key = (minute, query.pattern.text, query.session_id, query.user, query.role, query.warehouse)
            groups[(*key, query.tag, query.release)].append(query)
    rows: list[Row] = []
    for number, group in enumerate(groups.values()):
        row = _row(group)
        rows += [row, dict(row)] if number % REPEATED_EACH == 0 else [row]
    return rows


def distribution(values: Sequence[float], *, with_sum: bool = True) -> dict[str, float]:
    """One OBJECT column. A single call has no ``stddev``; percentiles are interpolated between the values.

    :param with_sum: False for shares, whose objects have no ``sum``
    """
    ordered = sorted(values)
    known: dict[str, float] = {"sum": sum(ordered)} if with_sum else {}
    known["avg"] = statistics.fmean(ordered)
    if len(ordered) > 1:
        known["stddev"] = statistics.stdev(ordered)
    known["min"] = ordered[0]
    for name, share in (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)):
        known[name] = _percentile(ordered, share)
    known["max"] = ordered[-1]
    return known


def _percentile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _row(group: Sequence[RawQuery]) -> Row:
    first = group[0]
    minute = first.started_at.replace(second=0, microsecond=0)
    errors = Counter((query.error_code, query.error_message) for query in group if query.error_code is not None)
    return {
        "CALLS": len(group),
        "INTERVAL_START_TIME": minute,
        "INTERVAL_END_TIME": minute + timedelta(minutes=1),
        "QUERY_PARAMETERIZED_HASH": first.pattern.parameterized_hash,
        "QUERY_TEXT": first.pattern.text,
        "DATABASE_NAME": DATABASE,
        "SCHEMA_NAME": SCHEMA,
        "QUERY_TYPE": first.pattern.query_type,
        "SESSION_ID": first.session_id,
        "USER_NAME": first.user,
        "ROLE_NAME": first.role,
        "WAREHOUSE_NAME": first.warehouse,
        "WAREHOUSE_SIZE": "Medium",
        "WAREHOUSE_TYPE": "STANDARD",
        "QUERY_TAG": first.tag,
        "IS_CLIENT_GENERATED_STATEMENT": False,
        "RELEASE_VERSION": first.release,
        "ERRORS": [{"code": code, "message": text, "count": n} for (code, text), n in sorted(errors.items())],
        "TOTAL_ELAPSED_TIME": distribution([query.elapsed_ms for query in group]),
        "BYTES_SCANNED": distribution([query.bytes_scanned for query in group]),
        "PERCENTAGE_SCANNED_FROM_CACHE": distribution([query.cache_share for query in group], with_sum=False),
        "ROWS_PRODUCED": distribution([query.rows_produced for query in group]),
        "PARTITIONS_SCANNED": distribution([query.partitions_scanned for query in group]),
        "PARTITIONS_TOTAL": distribution([query.partitions_total for query in group]),
        "BYTES_SPILLED_TO_LOCAL_STORAGE": distribution([query.spilled_local for query in group]),
        "BYTES_SPILLED_TO_REMOTE_STORAGE": distribution([query.spilled_remote for query in group]),
        "COMPILATION_TIME": distribution([query.compilation_ms for query in group]),
        "EXECUTION_TIME": distribution([query.execution_ms for query in group]),
        "QUEUED_PROVISIONING_TIME": distribution([query.queued_provisioning_ms for query in group]),
        "QUEUED_OVERLOAD_TIME": distribution([query.queued_overload_ms for query in group]),
        "TRANSACTION_BLOCKED_TIME": distribution([query.blocked_ms for query in group]),
        "HYBRID_TABLE_REQUESTS_THROTTLED_COUNT": sum(query.throttled for query in group),
    }
