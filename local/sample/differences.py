"""Holds what is stored against the ground truth of the sample account, value by value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from local.sample.arithmetic import QUANTILES, Between
from local.sample.truth import ExpectedRun

Rows = Callable[..., list[dict[str, Any]]]
"""``rows(sql, **binds)``: the rows of a query as mappings."""

KEYED_TABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("aggregate_query_metrics", "AGGREGATE_QUERY_METRICS", ("QUERY_PARAMETERIZED_HASH",)),
    ("lock_contention_events", "LOCK_CONTENTION_EVENTS", ("QUERY_ID", "REQUESTED_AT")),
    ("hybrid_table_credits", "HYBRID_TABLE_CREDITS", ("START_TIME",)),
    ("query_insights_cache", "QUERY_INSIGHTS_CACHE", ("QUERY_ID", "INSIGHT_INSTANCE_ID")),
    ("query_execution_metrics", "QUERY_EXECUTION_METRICS", ("QUERY_ID",)),
)
_TASK_FIELDS = ("rows_written", "expected_count", "found_count", "coverage", "data_complete")


def differences(rows: Rows, run_id: str, expected: ExpectedRun) -> Iterator[str]:
    """Every stored value of a run that is not what the ground truth says, in words; none is good."""
    yield from _job(rows, run_id, expected)
    yield from _tasks(rows, run_id, expected)
    for attribute, table, key in KEYED_TABLES:
        stored = rows(f"SELECT * FROM {table} WHERE RUN_ID = %(run_id)s", run_id=run_id)
        yield from _keyed(table, getattr(expected, attribute), stored, key)
    yield from _executions(rows, run_id, expected)
    yield from _single(
        "TEST_RESULTS",
        expected.summary,
        rows("SELECT * FROM TEST_RESULTS WHERE RUN_ID = %(run_id)s AND TEST_ID = RUN_ID", run_id=run_id),
    )
    yield from _single(
        "RUN_ENRICHMENT_SUMMARY",
        expected.run_summary,
        rows("SELECT * FROM RUN_ENRICHMENT_SUMMARY WHERE RUN_ID = %(run_id)s", run_id=run_id),
    )


def _job(rows: Rows, run_id: str, expected: ExpectedRun) -> Iterator[str]:
    stored = rows("SELECT STATUS FROM DELAYED_ENRICHMENT_QUEUE WHERE RUN_ID = %(run_id)s", run_id=run_id)
    statuses = [row["STATUS"] for row in stored]
    if statuses != ([] if expected.job_status is None else [expected.job_status]):
        yield f"job {statuses}, expected {expected.job_status}"


def _tasks(rows: Rows, run_id: str, expected: ExpectedRun) -> Iterator[str]:
    stored = rows("SELECT * FROM DELAYED_ENRICHMENT_TASKS WHERE RUN_ID = %(run_id)s", run_id=run_id)
    by_type = {row["ENRICHMENT_TYPE"]: row for row in stored}
    if len(by_type) != len(stored) or by_type.keys() != expected.tasks.keys():
        yield f"tasks {sorted(by_type)} ({len(stored)} rows), expected {sorted(expected.tasks)}"
        return
    for name, task in expected.tasks.items():
        row = by_type[name]
        if row["STATUS"] != task.status:
            yield f"{name} is {row['STATUS']} ({row['LAST_ERROR']}), expected {task.status}"
        if task.status != "NOT_APPLICABLE" and row["REASON_CODE"] != task.reason_code:
            yield f"{name} has reason {row['REASON_CODE']}, expected {task.reason_code}"
        if task.due_at is not None and row["DUE_AT"] != task.due_at:
            yield f"{name} is due at {row['DUE_AT']}, expected {task.due_at}"
        if task.status in {"COMPLETED", "PENDING"}:
            for field in _TASK_FIELDS:
                yield from _value(f"{name}.{field}", getattr(task, field), row[field.upper()])


def _keyed(
    table: str, expected: Mapping[Any, Mapping[str, Any]], stored: list[dict[str, Any]], key: tuple[str, ...]
) -> Iterator[str]:
    by_key = {tuple(row[name] for name in key): row for row in stored}
    wanted = {item if isinstance(item, tuple) else (item,): row for item, row in expected.items()}
    if len(by_key) != len(stored):
        yield f"{table}: {len(stored)} rows for {len(by_key)} keys"
    if by_key.keys() != wanted.keys():
        lost, foreign = wanted.keys() - by_key.keys(), by_key.keys() - wanted.keys()
        yield f"{table}: {len(lost)} rows lost {_some(lost)}, {len(foreign)} rows foreign {_some(foreign)}"
    for item in by_key.keys() & wanted.keys():
        for column, value in wanted[item].items():
            yield from _value(f"{table}{item}.{column}", value, by_key[item][column])
        yield from _outside_bounds(f"{table}{item}", by_key[item])


def _executions(rows: Rows, run_id: str, expected: ExpectedRun) -> Iterator[str]:
    stored = rows(
        "SELECT * FROM QUERY_EXECUTIONS WHERE TEST_ID IN "
        "(SELECT TEST_ID FROM TEST_RESULTS WHERE RUN_ID = %(run_id)s AND TEST_ID <> RUN_ID)",
        run_id=run_id,
    )
    measured = expected.query_execution_metrics
    for row in stored:
        wanted = expected.query_executions.get((row["TEST_ID"], row["QUERY_ID"]))
        if wanted is None:
            yield f"QUERY_EXECUTIONS: {row['TEST_ID']} {row['QUERY_ID']} is unknown to the ground truth"
            continue
        for column, value in wanted.items():
            # the hash repeats QUERY_EXECUTION_METRICS, which leaves warm-up out
            is_copied = column != "QUERY_PARAMETERIZED_HASH" or row["QUERY_ID"] in measured
            yield from _value(
                f"QUERY_EXECUTIONS({row['QUERY_ID']}).{column}", value if is_copied else None, row[column]
            )


def _single(table: str, expected: Mapping[str, Any], stored: list[dict[str, Any]]) -> Iterator[str]:
    if not expected:
        if stored and table != "TEST_RESULTS":
            yield f"{table}: {len(stored)} rows, expected none"
        return
    if len(stored) != 1:
        yield f"{table}: {len(stored)} rows, expected one"
        return
    for column, value in expected.items():
        yield from _value(f"{table}.{column}", value, stored[0][column])
    yield from _outside_bounds(table, stored[0])


def _outside_bounds(name: str, stored: Mapping[str, Any]) -> Iterator[str]:
    """Percentiles that do not lie between their bounds, or in another order than they must."""
    for prefix in ("EXEC", "COMPILE", "ELAPSED"):
        percentiles = [stored.get(f"{prefix}_{quantile}_MS") for quantile in QUANTILES]
        bounded = [
            [stored.get(f"{prefix}_{quantile}{suffix}_MS") for suffix in ("_LOW", "", "_HIGH")]
            for quantile in QUANTILES
        ]
        for values in (percentiles, *bounded):
            known = [value for value in values if value is not None]
            if known != sorted(known):
                yield f"{name}: {prefix} percentiles are out of order: {values}"


def _value(name: str, expected: Any, stored: Any) -> Iterator[str]:
    if isinstance(stored, str) and isinstance(expected, list):
        # the order within a VARIANT array is not part of the truth
        stored, expected = (sorted(items, key=_canonical) for items in (json.loads(stored), expected))
    if not _equal(expected, stored):
        yield f"{name} is {stored!r}, expected {expected!r}"


def _equal(expected: Any, stored: Any) -> bool:
    if isinstance(expected, Between):
        return stored is not None and expected.holds(Decimal(str(stored)))
    if expected is None or stored is None or isinstance(expected, (str, bool, datetime, list, dict)):
        return bool(expected == stored)
    if isinstance(stored, float):
        return abs(stored - float(expected)) <= 1e-9 * max(1.0, abs(stored))
    wanted, found = Decimal(str(expected)), Decimal(str(stored))
    if isinstance(found.as_tuple().exponent, int) and isinstance(wanted.as_tuple().exponent, int):
        step = Decimal(1).scaleb(max(-9, int(found.as_tuple().exponent)))
        return wanted.quantize(step, ROUND_HALF_UP) == found
    return wanted == found


def _some(items: set[Any]) -> list[Any]:
    return sorted(items, key=str)[:3]


def _canonical(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=str)
