"""Which statements belong to a run: its window, its tags, its measured phase (SPEC §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.faults.oracle.values import Row

Tables = Mapping[str, Sequence[Row]]

PADDING = timedelta(minutes=5)
CONTROL_PLANE = {"flakebench", "unistore_benchmark"}
FINISHED = {"COMPLETED", "FAILED", "CANCELLED"}
PHASE = ":phase="


class NotFinishedError(Exception):
    """The benchmark still runs, or FlakeBench still works on it."""


class RefusedError(Exception):
    """The run cannot be enriched; the reason code is the argument."""


@dataclass(frozen=True)
class Run:
    """A run that can be enriched.

    :param tags: usable tag to the child that alone carries it
    :param ended_at: without the padding
    :param operations: what the children report as successful
    :param warehouses: that FlakeBench names, in upper case
    """

    run_id: str
    table_type: str
    start: datetime
    end: datetime
    ended_at: datetime
    tags: Mapping[str, str | None]
    children: frozenset[str]
    operations: int
    warehouses: frozenset[str]

    @property
    def is_hybrid(self) -> bool:
        return self.table_type in ("HYBRID", "UNISTORE")

    def tag_of(self, row: Row) -> str | None:
        """The run's tag that a statement carries."""
        carried = row.get("QUERY_TAG")
        return next((tag for tag in self.tags if carried is not None and is_or_extends(carried, tag)), None)


def is_or_extends(tag: str, base: str) -> bool:
    return tag == base or tag.startswith(base + ":")


def is_measured(row: Row) -> bool:
    """Whether a statement of the run belongs to its measurement."""
    _, has_phase, tail = row["QUERY_TAG"].partition(PHASE)
    return not has_phase or tail.split(":")[0] in ("RUNNING", "MEASUREMENT")


def find_run(tables: Tables, run_id: str, now: datetime, *, is_past_horizon: bool) -> Run:
    """The run as FlakeBench's tables describe it.

    :raises NotFinishedError: to be looked at again
    :raises RefusedError: RUN_NOT_FOUND, BAD_WINDOW or NO_QUERY_TAG
    """
    rows = [row for row in tables["TEST_RESULTS"] if row["RUN_ID"] == run_id]
    parents = [row for row in rows if row.get("TEST_ID") == run_id]
    children = [row for row in rows if row.get("TEST_ID") not in (None, run_id)]
    if not parents:
        raise RefusedError("RUN_NOT_FOUND")
    phases = [row["PHASE"] for row in tables.get("RUN_STATUS", ()) if row["RUN_ID"] == run_id]
    if parents[0]["STATUS"] not in FINISHED or ("PROCESSING" in phases and not is_past_horizon):
        raise NotFinishedError
    started = min(_first_known("START_TIME", children, parents), default=None)
    ended = max(_first_known("END_TIME", children, parents), default=None)
    if started is None or ended is None or ended < started or ended > now + PADDING:
        raise RefusedError("BAD_WINDOW")
    start, end = started.replace(second=0, microsecond=0), ended + PADDING
    others = [
        row
        for row in tables["TEST_RESULTS"]
        if row["RUN_ID"] != run_id and row["START_TIME"] < end and (row.get("END_TIME") or end) >= start
    ]
    tags = _usable_tags(rows, others, run_id)
    if not tags:
        raise RefusedError("NO_QUERY_TAG")
    return Run(
        run_id=run_id,
        table_type=parents[0]["TABLE_TYPE"].strip().upper(),
        start=start,
        end=end,
        ended_at=ended,
        tags=tags,
        children=frozenset(row["TEST_ID"] for row in children),
        operations=_operations(children),
        warehouses=frozenset((row.get("WAREHOUSE") or "").strip().upper() for row in rows) - {""},
    )


def _first_known(column: str, *groups: Sequence[Row]) -> list[datetime]:
    found = ([row[column] for row in group if row.get(column) is not None] for group in groups)
    return next((moments for moments in found if moments), [])


def _operations(children: Sequence[Row]) -> int:
    """Each child once, however often its row is there."""
    reported: dict[str, int] = {}
    for row in children:
        successful = (row.get("TOTAL_OPERATIONS") or 0) - (row.get("FAILED_OPERATIONS") or 0)
        reported[row["TEST_ID"]] = max(reported.get(row["TEST_ID"], 0), successful)
    return sum(reported.values())


def _usable_tags(rows: Sequence[Row], others: Sequence[Row], run_id: str) -> dict[str, str | None]:
    carriers: dict[str, list[Row]] = {}
    for row in rows:
        base = (row.get("QUERY_TAG") or "").partition(PHASE)[0]
        if base.strip():
            carriers.setdefault(base, []).append(row)
    usable = [base for base, carrying in carriers.items() if _is_usable(base, carrying, others, run_id)]
    shortest = [base for base in usable if not any(is_or_extends(base, other) for other in usable if other != base)]
    tags: dict[str, str | None] = {}
    for base in shortest:
        sharing = [row for longer in usable if is_or_extends(longer, base) for row in carriers[longer]]
        ids = {row.get("TEST_ID") for row in sharing} - {None}
        only = next(iter(ids)) if len(ids) == 1 else None
        tags[base] = None if only == run_id else only
    return tags


def _is_usable(base: str, carrying: Sequence[Row], others: Sequence[Row], run_id: str) -> bool:
    names = [row.get("TEST_ID") for row in carrying]
    if run_id in base or any(name is not None and name in base for name in names):
        return True
    is_shared = any(is_or_extends(row.get("QUERY_TAG") or "", base) for row in others)
    return base.strip() not in CONTROL_PLANE and not is_shared
