"""Raw statements: what one benchmark statement did, before any view or table tells about it.

Everything else in this package follows from these records: the rows of ``ACCOUNT_USAGE`` (``views``), the
rows of FlakeBench (``flakebench``) and, separately, the values that the product must store (``truth``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pattern:
    """One parameterized statement of a benchmark.

    :param kind: FlakeBench's operation kind, as in the ``UB_KIND`` comment of the statement
    :param query_type: ``QUERY_TYPE`` in Snowflake's views
    :param text: the statement
    :param hashed: False for a statement without ``QUERY_PARAMETERIZED_HASH``
    :param compile_ms: typical compilation time, ms
    :param execution_ms: typical execution time, ms
    :param spread: standard deviation of the logarithm of both times
    :param rows: rows returned or changed
    :param partitions: micro-partitions of the table, 0 for a hybrid table
    """

    kind: str
    query_type: str
    text: str
    hashed: bool = True
    compile_ms: float = 4.0
    execution_ms: float = 12.0
    spread: float = 0.4
    rows: int = 1
    partitions: int = 0

    @property
    def parameterized_hash(self) -> str | None:
        """The same text has the same hash in every run, as in Snowflake."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32] if self.hashed else None

    @property
    def is_read(self) -> bool:
        """Whether FlakeBench counts it as a read operation."""
        return self.query_type == "SELECT"


@dataclass(frozen=True, slots=True)
class Blocker:
    """A transaction that held a lock another statement waited for.

    :param query_id: NULL when Snowflake does not show it (a short hybrid statement, or its own work)
    :param transaction_id: NULL when ``is_snowflake``
    :param acquired_at: when the holder got the lock
    """

    acquired_at: datetime
    query_id: str | None = None
    transaction_id: int | None = None
    is_snowflake: bool = False


@dataclass(frozen=True, slots=True)
class LockWait:
    """One wait of one statement for a row lock.

    :param blockers: who held it, the first holder first
    :param one_row: True for one view row with all blockers, False for one view row per blocker
    :param repeated: the view returns its rows twice
    """

    requested_at: datetime
    blockers: tuple[Blocker, ...]
    one_row: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Insight:
    """One insight of Snowflake on one statement; ids repeat across statements.

    :param repeated: the view returns it twice
    """

    instance_id: int
    type_id: str
    topic: str
    is_opportunity: bool | None
    suggestions: tuple[str, ...] | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class RawQuery:
    """One statement as it happened. Times are aware UTC, durations whole milliseconds.

    :param child_id: the worker's test id; NULL for statements of nobody's run
    :param blocked_ms: time really spent waiting for locks
    :param reported_blocked_ms: ``TRANSACTION_BLOCKED_TIME`` as Snowflake reports it
    :param cache_share: share scanned from the warehouse cache, 0 to 1
    :param reached_server: False when the client failed before Snowflake saw the statement
    :param in_query_history: whether the statement leaves a record in QUERY_HISTORY
    :param in_aggregate: whether AGGREGATE_QUERY_HISTORY counts it already
    :param logged: whether FlakeBench stored it in QUERY_EXECUTIONS
    :param knows_query_id: False when FlakeBench stored ``LOCAL_<uuid>`` instead of the query id
    :param repeats: how QUERY_HISTORY returns it a second time: ``later_end`` and ``larger_elapsed`` with an
        outdated first row, ``exact`` with an equal one
    """

    query_id: str
    child_id: str | None
    worker_id: int
    session_id: int
    user: str
    tag: str | None
    pattern: Pattern
    started_at: datetime
    compilation_ms: int
    execution_ms: int
    role: str = "FLAKEBENCH_ROLE"
    warehouse: str = "BENCH_WH"
    release: str = "10.31.102"
    queued_overload_ms: int = 0
    queued_provisioning_ms: int = 0
    blocked_ms: int = 0
    reported_blocked_ms: int | None = 0
    network_ms: float = 0.0
    warmup: bool = False
    measured: bool = True
    succeeded: bool = True
    error_code: int | None = None
    error_message: str | None = None
    throttled: bool = False
    transaction_id: int = 0
    bytes_scanned: int = 0
    rows_produced: int = 0
    partitions_scanned: int = 0
    partitions_total: int = 0
    spilled_local: int = 0
    spilled_remote: int = 0
    cache_share: float = 0.0
    reached_server: bool = True
    in_query_history: bool = True
    in_aggregate: bool = True
    logged: bool = True
    knows_query_id: bool = True
    repeats: str | None = None
    lock_waits: tuple[LockWait, ...] = ()
    insights: tuple[Insight, ...] = ()

    @property
    def elapsed_ms(self) -> int:
        """``TOTAL_ELAPSED_TIME``, ms."""
        queued = self.queued_overload_ms + self.queued_provisioning_ms
        return self.compilation_ms + self.execution_ms + queued + self.blocked_ms

    @property
    def ended_at(self) -> datetime:
        """``END_TIME``, aware UTC."""
        return self.started_at + timedelta(milliseconds=self.elapsed_ms)
