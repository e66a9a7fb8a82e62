"""Misbehaving sources: load them, let the product look, hold what is stored against the oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.settings import Settings
from tests.faults.matrix import Matrix
from tests.faults.oracle import TARGETS, Stored, expected
from tests.faults.oracle.values import text
from tests.sql.account import Account, Row
from tests.sql.cases import CLAIM_TOKEN, run_try

VIEWS = (
    *("QUERY_HISTORY", "AGGREGATE_QUERY_HISTORY", "LOCK_WAIT_HISTORY", "QUERY_INSIGHTS"),
    "HYBRID_TABLE_USAGE_HISTORY",
    "QUERY_ACCELERATION_HISTORY",
)
FLAKEBENCH = ("TEST_RESULTS", "QUERY_EXECUTIONS", "RUN_STATUS")
HYBRID_KINDS = ("QUERY_HISTORY", "AGGREGATE", "LOCK_CONTENTION", "HYBRID_CREDITS", "QUERY_ACCELERATION")
KINDS = ("QUERY_HISTORY", "AGGREGATE", "QUERY_INSIGHTS", "QUERY_ACCELERATION")
ALL_KINDS = (*HYBRID_KINDS, "QUERY_INSIGHTS")
"""Enrichment types of hybrid tables, of others, and all; the optional one among them."""

_KEYS = {
    "QUERY_EXECUTION_METRICS": ("QUERY_ID",),
    "AGGREGATE_QUERY_METRICS": ("QUERY_PARAMETERIZED_HASH",),
    "LOCK_CONTENTION_EVENTS": ("QUERY_ID", "REQUESTED_AT"),
    "HYBRID_TABLE_CREDITS": ("START_TIME", "END_TIME"),
    "QUERY_INSIGHTS_CACHE": ("QUERY_ID", "INSIGHT_INSTANCE_ID", "INSIGHT_TYPE"),
    "QUERY_ACCELERATION_CREDITS": ("WAREHOUSE_ID", "WAREHOUSE_NAME", "START_TIME"),
}
_FILLED = (
    *("SF_PARTITIONS_SCANNED", "SF_PARTITIONS_TOTAL", "SF_BYTES_SPILLED_LOCAL", "SF_BYTES_SPILLED_REMOTE"),
    "SF_PCT_SCANNED_FROM_CACHE",
)
_ESTIMATE = re.compile(r"^(EXEC|COMPILE|ELAPSED)_(MEDIAN|P\d+)_MS$")
GRID = 0.006
"""Buckets in which the product looks for a percentile; in proportion to the time + 0.5 ms."""

_ROUNDED_TO_WHOLE = ("BYTES_SCANNED", "ROWS_PRODUCED")

Identity = tuple[Hashable, ...]


@dataclass
class Source:
    """One run and everything that the account says about it.

    :param tables: rows by table; those of the views and of FlakeBench that are missing are empty
    :param queued_at: when its tasks were made, naive UTC
    """

    run_id: str
    tables: dict[str, list[Row]]
    queued_at: datetime

    def __post_init__(self) -> None:
        self.tables = {name: list(self.tables.get(name, ())) for name in (*VIEWS, *FLAKEBENCH)}

    def with_views(self, **views: Sequence[Row]) -> Source:
        """The same run with other rows in some views."""
        return Source(
            self.run_id, {**self.tables, **{name: list(rows) for name, rows in views.items()}}, self.queued_at
        )


@dataclass
class Trial:
    """The looks at one source, type by type; remembers what is stored so far.

    :param shown, stored: what identifies each row that should be there after the last look, and each that is
    """

    account: Account
    settings: Settings
    source: Source
    before: dict[str, Stored] = field(default_factory=dict)
    tries: int = 0
    shown: list[Identity] = field(default_factory=list)
    stored: list[Identity] = field(default_factory=list)

    def begin(self, kinds: Sequence[str]) -> None:
        """Load the source into an empty account, and a claimed task of each type."""
        for name in (*FLAKEBENCH, *VIEWS):
            if self.source.tables[name]:
                self.account.load(name, self.source.tables[name])
        now = _now()
        task = {
            "JOB_ID": "job-1",
            "TEST_ID": self.source.run_id,
            "RUN_ID": self.source.run_id,
            "PRIORITY": 0,
            "STATUS": "IN_PROGRESS",
            "CLAIM_TOKEN": CLAIM_TOKEN,
            "ATTEMPTS": 0,
            "SNOOZES": 0,
            "DUE_AT": now,
            "LEASE_EXPIRES_AT": now + timedelta(minutes=90),
            "CREATED_AT": self.source.queued_at,
        }
        self.account.load("DELAYED_ENRICHMENT_TASKS", [task | {"ENRICHMENT_TYPE": kind} for kind in kinds])
        self.before = {kind: Stored() for kind in kinds}

    def change(self, source: Source) -> None:
        """Put other rows into the views."""
        self.source = source
        for name in VIEWS:
            self.account.run(f"DELETE FROM SNOWFLAKE.ACCOUNT_USAGE.{name}")
            if source.tables[name]:
                self.account.load(name, source.tables[name])

    def look(self) -> None:
        """One try of each type; everything stored is as the oracle says.

        :raises AssertionError: naming the type, the row and the column
        """
        differences = self._try_each()
        assert not differences, "\n".join(differences)

    def last_look(self, matrix: Matrix, fault: str, recovered: str) -> None:
        """As :meth:`look`, and enter what it lost and doubled into the fault matrix."""
        differences = self._try_each()
        matrix.check(fault, recovered, expected=self.shown, stored=self.stored)
        assert not differences, "\n".join(differences)

    def _try_each(self) -> list[str]:
        """What is stored otherwise than the oracle says after a try of each type."""
        self.tries += 1
        self.shown, self.stored = [], []
        differences: list[str] = []
        for kind, before in self.before.items():
            task = ClaimedTask("job-1", self.source.run_id, "benchmark", kind, CLAIM_TOKEN)
            outcome = run_try(task, self.settings, try_number=self.tries)
            after = expected(
                self.source.tables, self.source.run_id, kind, before, now=_now(), queued_at=self.source.queued_at
            )
            self.before[kind] = after
            found = list(self._differences(kind, after))
            differences += [f"{kind}, look {self.tries}: {outcome.message}", *found] if found else []
        return differences

    def _differences(self, kind: str, after: Stored) -> Iterator[str]:
        task = next(row for row in self.account.table("DELAYED_ENRICHMENT_TASKS") if row["ENRICHMENT_TYPE"] == kind)
        yield from _unequal("task", task, after.task)
        target = TARGETS[kind]
        rows = self.account.table(target)
        self.shown += [("task", kind, after.task["STATUS"]), *(_identity(target, row) for row in after.rows)]
        self.stored += [("task", kind, task["STATUS"]), *(_identity(target, row) for row in rows)]
        yield from _unmatched(target, rows, after.rows)
        summaries = self.account.table("RUN_ENRICHMENT_SUMMARY")
        yield from (f"RUN_ENRICHMENT_SUMMARY has {len(summaries)} rows" for _ in summaries[1:])
        yield from _unequal("RUN_ENRICHMENT_SUMMARY", summaries[0] if summaries else {}, after.summary)
        if kind == "QUERY_HISTORY":
            for row in self.account.table("QUERY_EXECUTIONS"):
                key = (row["TEST_ID"], row["QUERY_ID"])
                yield from _unequal(f"execution {key}", row, after.fills.get(key, dict.fromkeys(_FILLED)))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _identity(table: str, row: Mapping[str, Any]) -> Identity:
    return (table, *(_plain(row[name]) for name in _KEYS[table]))


def _plain(value: Any) -> Any:
    """A value that can be hashed, and compared whatever type the connector gives it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return int(value) if isinstance(value, Decimal) else value


def _unmatched(table: str, found: Sequence[Row], wanted: Sequence[Row]) -> Iterator[str]:
    """Rows of one side that the other has not, paired by identity; equal identities in any order."""
    left = list(found)
    for row in wanted:
        same = [item for item in left if _identity(table, item) == _identity(table, row)]
        if not same:
            yield f"{table}: missing {row}"
            continue
        match = next((item for item in same if not list(_unequal(table, item, row))), same[0])
        left.remove(match)
        yield from _unequal(f"{table} {_identity(table, row)[1:]}", match, row)
    yield from (f"{table}: not expected {_identity(table, row)}" for row in left)


def _unequal(name: str, found: Row, wanted: Row) -> Iterator[str]:
    for column, value in wanted.items():
        if not _is_close(column, found.get(column), value):
            yield f"{name}.{column}: {found.get(column)!r}, expected {value!r}"


def _is_close(column: str, found: Any, value: Any) -> bool:
    if isinstance(found, str) and (column in ("ERRORS_BREAKDOWN", "FURTHER_BLOCKERS", "RECOMMENDATION_DETAILS")):
        found = json.loads(found)
        if column == "ERRORS_BREAKDOWN":
            texts = [item | {"code": text(item["code"])} if "code" in item else item for item in found]
            return _in_order(texts) == _in_order(value)
    if found is None or value is None:
        return found is value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isinstance(found, (int, float, Decimal)):
        rounding = 0.501 if column.startswith(_ROUNDED_TO_WHOLE) else 0.000501
        grid = GRID * (abs(value) + 0.5) if _ESTIMATE.search(column) else 0
        return abs(float(found) - value) <= rounding + 1e-9 * abs(value) + grid
    return bool(_plain(found) == value if isinstance(found, datetime) else found == value)


def _in_order(items: Sequence[Row]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)
