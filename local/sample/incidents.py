"""What makes a run interesting: lock waits, insights, client failures and rows that a view returns twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from local.sample.queries import Blocker, Insight, LockWait, Pattern, RawQuery

Statements = tuple[RawQuery, ...]

_REMOTE_SPILL = Insight(
    1,
    "QUERY_INSIGHT_REMOTE_SPILLAGE",
    "WAREHOUSE",
    True,
    ("Use a larger warehouse.", "Process the data in smaller batches."),
    repeated=True,
)
_UNSELECTIVE = Insight(
    2, "QUERY_INSIGHT_UNSELECTIVE_FILTER", "TABLE_SCAN", True, ("Add a filter that removes more rows.",)
)
_CLUSTERED = Insight(1, "QUERY_INSIGHT_FILTER_WITH_CLUSTERING_KEY", "TABLE_SCAN", False, ())
_OPTIMA = Insight(3, "QUERY_INSIGHT_SNOWFLAKE_OPTIMA", "TABLE_SCAN", None, None)


def with_lock_waits(queries: Statements, *, number: int = 6) -> Statements:
    """Let some measured writes, and one of the warm-up, wait more than five seconds for a row lock.

    :param number: how many of the six measured cases to make
    """
    writes = [
        position
        for position, query in enumerate(queries)
        if query.measured and query.succeeded and query.pattern.query_type == "UPDATE"
    ]
    holders = [queries[position] for position in writes[:2]]
    waiting = writes[2 :: max(1, len(writes) // 7)][:6]
    changed = list(queries)
    for case, position in enumerate(waiting[:number]):
        changed[position] = _waiting(queries[position], case, holders)
    for position, query in enumerate(queries):
        if query.warmup and query.pattern.query_type == "UPDATE":
            changed[position] = _waiting(query, 0, holders)
            break
    return tuple(changed)


def _waiting(query: RawQuery, case: int, holders: Sequence[RawQuery]) -> RawQuery:
    """One of six kinds of wait, by case number."""
    blocked_ms = (6_200, 7_400, 5_300, 5_650, 11_000, 8_050)[case]
    asked = query.started_at + timedelta(milliseconds=query.compilation_ms)
    before = timedelta(seconds=2)
    first, second = (
        Blocker(asked - before / (n + 1), holder.query_id, holder.transaction_id) for n, holder in enumerate(holders)
    )
    later = asked + timedelta(milliseconds=5_500)
    waits: tuple[LockWait, ...] = (
        (LockWait(asked, (first, second)),),
        (LockWait(asked, (first, second), one_row=True),),
        (LockWait(asked, (replace(first, acquired_at=asked + timedelta(milliseconds=5_300)),)),),
        (LockWait(asked, (first,)),),
        (
            LockWait(asked, (first,)),
            LockWait(later, (replace(second, acquired_at=later - before, query_id=None),)),
        ),
        (LockWait(asked, (Blocker(asked - before, is_snowflake=True),), repeated=True),),
    )[case]
    return replace(
        query,
        blocked_ms=blocked_ms,
        reported_blocked_ms={2: None, 3: 0}.get(case, blocked_ms),
        in_query_history=True,
        lock_waits=waits,
        repeats="later_end" if case == 1 else None,
    )


def with_insights(queries: Statements) -> Statements:
    """Give insights to some measured statements, several to those that spilled, and to one of the warm-up."""
    changed = list(queries)
    reads = [n for n, query in enumerate(queries) if query.measured and query.succeeded and query.pattern.is_read]
    for position in [n for n in reads if queries[n].spilled_remote][:4]:
        changed[position] = replace(changed[position], insights=(_REMOTE_SPILL, _UNSELECTIVE))
    for turn, position in enumerate([n for n in reads if not queries[n].spilled_remote][::25]):
        changed[position] = replace(changed[position], insights=(_OPTIMA if turn == 2 else _CLUSTERED,))
    warmup = next(n for n, query in enumerate(queries) if query.warmup)
    changed[warmup] = replace(changed[warmup], insights=(_REMOTE_SPILL,))
    return tuple(changed)


def with_repeats(queries: Statements) -> Statements:
    """Let QUERY_HISTORY return some of the recorded statements twice."""
    kinds = ("later_end", "larger_elapsed", "exact")
    recorded = [n for n, query in enumerate(queries) if query.in_query_history and query.repeats is None]
    changed = list(queries)
    for turn, position in enumerate(recorded[3::17]):
        changed[position] = replace(changed[position], repeats=kinds[turn % len(kinds)])
    return tuple(changed)


def with_client_failures(queries: Statements, *, number: int = 3) -> Statements:
    """Measured operations that failed on their way: FlakeBench counts them, Snowflake never saw them."""
    measured = [
        n
        for n, query in enumerate(queries)
        if query.measured and query.succeeded and query.logged and not (query.lock_waits or query.insights)
    ]
    changed = list(queries)
    for position in measured[5 :: max(1, len(measured) // number)][:number]:
        changed[position] = replace(
            changed[position],
            succeeded=False,
            error_message="250001: Could not connect to Snowflake backend",
            knows_query_id=False,
            reached_server=False,
            in_query_history=False,
            throttled=False,
        )
    return tuple(changed)


def with_known_failure(queries: Statements) -> Statements:
    """One failed statement whose query id the client did learn: filled when found, never expected."""
    changed = list(queries)
    position = next(n for n, query in enumerate(queries) if query.error_code is not None)
    changed[position] = replace(changed[position], knows_query_id=True)
    return tuple(changed)


def with_twins(queries: Statements, pattern: Pattern, around: datetime) -> Statements:
    """Two statements of one session, minute and duration that only the Snowflake release tells apart.

    :param pattern: a statement that nothing else in the run sends
    :param around: the moment of the release change, inside a minute
    """
    changed = list(queries)
    before = max(n for n, query in enumerate(queries) if query.measured and query.started_at < around)
    after = before + 1
    for position in (before, after):
        changed[position] = replace(
            changed[position],
            pattern=pattern,
            session_id=queries[before].session_id,
            user=queries[before].user,
            tag=queries[before].tag,
            compilation_ms=9,
            execution_ms=21,
            queued_overload_ms=0,
            queued_provisioning_ms=0,
            bytes_scanned=8192,
            rows_produced=2,
            partitions_scanned=1,
            partitions_total=1,
            spilled_local=0,
            spilled_remote=0,
            cache_share=0.5,
        )
    return tuple(changed)


def still_filling(queries: Statements, until: datetime) -> Statements:
    """AGGREGATE_QUERY_HISTORY does not count yet what started from this full minute on."""
    return tuple(replace(query, in_aggregate=query.started_at < until) for query in queries)
