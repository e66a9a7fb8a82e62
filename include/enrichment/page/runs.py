"""The list of runs: each with its badge, its types and what of it is complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

from include.enrichment.catalogue import NO_ENRICHMENT_TABLE_TYPES
from include.enrichment.page.badge import Badge, Standing, State, badge

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader, Row

MAX_PAGE_SIZE = 200
_QUEUED_WITHIN = timedelta(hours=1)
_NOTHING = "-"
"""A list that is not asked for is bound as one with a value that nothing has: SQL has no empty list."""


@dataclass(frozen=True)
class Task:
    """One enrichment type of a run.

    :param due_at: when a pending one is tried next, or a settled one was due
    :param recheck_at: when its second look is due
    :param coverage: 0 to 1; None: nothing tells
    """

    enrichment_type: str
    status: str
    due_at: datetime | None
    attempts: int
    completed_at: datetime | None
    recheck_at: datetime | None
    rows_written: int | None
    expected_count: int | None
    found_count: int | None
    coverage: float | None
    data_complete: bool | None
    data_available_until: datetime | None
    reason_code: str | None
    last_error: str | None

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Of a row with the columns of ``page/_run_states.sql``."""
        return cls(
            enrichment_type=row["ENRICHMENT_TYPE"],
            status=row["STATUS"],
            due_at=row["DUE_AT"],
            attempts=row["ATTEMPTS"] or 0,
            completed_at=row["COMPLETED_AT"],
            recheck_at=row["RECHECK_AT"],
            rows_written=row["ROWS_WRITTEN"],
            expected_count=row["EXPECTED_COUNT"],
            found_count=row["FOUND_COUNT"],
            coverage=row["COVERAGE"],
            data_complete=row["DATA_COMPLETE"],
            data_available_until=row["DATA_AVAILABLE_UNTIL"],
            reason_code=row["REASON_CODE"],
            last_error=row["LAST_ERROR"],
        )

    @property
    def is_provisional(self) -> bool:
        """Whether what is stored is only what the view had at the last look."""
        return self.status == "PENDING" and bool(self.rows_written)


@dataclass(frozen=True)
class Run:
    """A run as the list shows it.

    :param job_error: of its job, where that has no tasks
    :param read_at: Snowflake's clock when it was read
    """

    run_id: str
    test_name: str | None
    table_type: str | None
    run_status: str | None
    immediate_status: str | None
    started_at: datetime | None
    ended_at: datetime | None
    state: State
    job_error: str | None
    tasks: tuple[Task, ...]
    badge: Badge
    read_at: datetime

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> Self:
        """Of the rows of one run, one per type."""
        first = rows[0]
        tasks = tuple(Task.from_row(row) for row in rows if row["ENRICHMENT_TYPE"] is not None)
        state = State(first["STATE"])
        return cls(
            run_id=first["RUN_ID"],
            test_name=first["TEST_NAME"],
            table_type=first["TABLE_TYPE"],
            run_status=first["RUN_STATUS"],
            immediate_status=first["IMMEDIATE_STATUS"],
            started_at=first["STARTED_AT"],
            ended_at=first["ENDED_AT"],
            state=state,
            job_error=first["JOB_ERROR"],
            tasks=tasks,
            badge=badge(standing(state, tasks, first["IMMEDIATE_STATUS"], first["RUN_STATUS"]), first["SERVER_TIME"]),
            read_at=first["SERVER_TIME"],
        )

    @property
    def is_moving(self) -> bool:
        """Whether it will change by itself; a run that no pass has queued in an hour waits for a person."""
        if self.state is not State.NOT_QUEUED:
            return self.state.is_moving
        return self.ended_at is None or self.read_at - self.ended_at < _QUEUED_WITHIN

    @property
    def is_retriable(self) -> bool:
        """Whether a retry takes something of it: what failed, or waits after a failed try."""
        return any(task.status == "FAILED" or (task.status == "PENDING" and task.last_error) for task in self.tasks)

    def of_status(self, *statuses: str) -> tuple[Task, ...]:
        """Its types with one of these statuses."""
        return tuple(task for task in self.tasks if task.status in statuses)

    @property
    def applicable(self) -> tuple[Task, ...]:
        """Its types that are or will be looked at."""
        return tuple(task for task in self.tasks if task.status not in {"NOT_APPLICABLE", "SKIPPED"})

    @property
    def data_complete(self) -> bool | None:
        """Whether the views held all of it; None: not known yet, or nothing tells."""
        return all_complete(self.tasks, self.state)

    @property
    def data_available_until(self) -> datetime | None:
        """How far the view that is furthest behind had come when its rows were read."""
        return earliest(task.data_available_until for task in self.tasks)

    @property
    def least_covered(self) -> Task | None:
        """The type of which the smallest share is there, of those that are not complete.

        A complete one may hold few of the run's statements: ``QUERY_HISTORY`` records only some of a hybrid table's.
        """
        missing = (task for task in self.tasks if task.data_complete is False and task.coverage is not None)
        return min(missing, key=_coverage, default=None)

    @property
    def next_due_at(self) -> datetime | None:
        """When the first of its pending types is due."""
        return earliest(task.due_at for task in self.of_status("PENDING"))

    @property
    def minutes_remaining(self) -> float | None:
        """Until then, when it was read; 0: it is due."""
        if self.next_due_at is None:
            return None
        return round(max(0.0, (self.next_due_at - self.read_at).total_seconds() / 60), 1)

    @property
    def completed_at(self) -> datetime | None:
        """When the last of its types settled; None while one has not."""
        return None if self.state.is_moving else latest(task.completed_at for task in self.tasks)

    @property
    def last_error(self) -> str | None:
        """What failed, else what waits after an error, as the job's roll-up says it."""
        for status in ("FAILED", "PENDING"):
            told = [f"{task.enrichment_type}: {task.last_error}" for task in self.of_status(status) if task.last_error]
            if told:
                return f"{'Partial success: ' if self.state is State.PARTIAL else ''}{'; '.join(told)}"
        return None if self.tasks else self.job_error

    @property
    def full_at(self) -> datetime | None:
        """When the last of its pending types is due."""
        return latest(task.due_at for task in self.of_status("PENDING"))


def _coverage(task: Task) -> float:
    return 1.0 if task.coverage is None else task.coverage


def standing(
    state: State, tasks: Sequence[Task], immediate_status: str | None = None, run_status: str | None = None
) -> Standing:
    """What the badge of a run is made of."""
    pending = [task for task in tasks if task.status == "PENDING"]
    return Standing(
        state=state,
        immediate_status=immediate_status,
        run_status=run_status,
        done=sum(task.status == "COMPLETED" for task in tasks),
        failed=sum(task.status == "FAILED" for task in tasks),
        full_at=latest(task.due_at for task in pending),
        is_complete=all_complete(tasks, state),
        waits_for=frozenset(task.reason_code for task in pending if task.reason_code),
    )


def all_complete(tasks: Iterable[Task], state: State) -> bool | None:
    """Whether the views held everything: as ``V_DELAYED_ENRICHMENT_ROLLUP`` says it of a job."""
    known = [task.data_complete for task in tasks]
    if False in known:
        return False
    return True if True in known and not state.is_moving else None


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """The first of those that are known."""
    return min((moment for moment in moments if moment is not None), default=None)


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """The last of those that are known."""
    return max((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list.

    :param ended_from: inclusive
    :param ended_before: exclusive
    :param search: text within the name, or a run's id
    """

    states: tuple[State, ...] = ()
    table_types: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    ended_from: datetime | None = None
    ended_before: datetime | None = None
    search: str | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing narrows the list."""
        return self == RunFilter()

    def binds(self) -> dict[str, Any]:
        """Of ``page/runs.sql``, without its page."""
        return {
            "states": [str(state) for state in self.states] or [_NOTHING],
            "has_states": bool(self.states),
            "table_types": [name.upper() for name in self.table_types] or [_NOTHING],
            "has_table_types": bool(self.table_types),
            "run_ids": list(self.run_ids) or [_NOTHING],
            "has_run_ids": bool(self.run_ids),
            "ended_from": _as_text(self.ended_from),
            "ended_before": _as_text(self.ended_before),
            "search": self.search or None,
            "unenriched_table_types": list(NO_ENRICHMENT_TABLE_TYPES),
        }


@dataclass(frozen=True)
class RunList:
    """One page of the list.

    :param total: of all pages
    """

    runs: tuple[Run, ...]
    total: int
    limit: int
    offset: int
    server_time: datetime

    @property
    def is_moving(self) -> bool:
        """Whether something of it will change by itself."""
        return any(run.is_moving for run in self.runs)

    @property
    def data_complete(self) -> bool | None:
        """Whether all of these runs are complete."""
        known = [run.data_complete for run in self.runs]
        return False if False in known else None if None in known or not known else True

    @property
    def data_available_until(self) -> datetime | None:
        """That of the run that is furthest behind."""
        return earliest(run.data_available_until for run in self.runs)


def list_runs(
    reader: Reader, chosen: RunFilter | None = None, *, limit: int = 50, offset: int = 0, fresh: bool = False
) -> RunList:
    """One page of the list, in one query; the newest run first.

    :param limit: at most :data:`MAX_PAGE_SIZE`
    :param fresh: ask Snowflake, whatever is kept
    :raises Unavailable: no answer now
    """
    binds = {**(chosen or RunFilter()).binds(), "page_size": min(limit, MAX_PAGE_SIZE), "page_offset": offset}
    rows = reader.rows("page/runs.sql", binds, is_moving=_is_moving, fresh=fresh)
    runs = (Run.from_rows(list(group)) for run_id, group in groupby(rows, key=_run_id) if run_id is not None)
    return RunList(tuple(runs), int(rows[0]["TOTAL"]), limit, offset, rows[0]["SERVER_TIME"])


def find_run(reader: Reader, run_id: str, *, fresh: bool = False) -> Run | None:
    """One run, by its own id.

    :returns: None when there is none of that id
    :raises Unavailable: no answer now
    """
    found = list_runs(reader, RunFilter(run_ids=(run_id,)), limit=1, fresh=fresh)
    return found.runs[0] if found.runs else None


def _run_id(row: Row) -> str | None:
    found: str | None = row["RUN_ID"]
    return found


def _is_moving(rows: Sequence[Row]) -> bool:
    return any(row["STATE"] is not None and State(row["STATE"]).is_moving for row in rows)


def _as_text(moment: datetime | None) -> str | None:
    """As a bound TIMESTAMP_NTZ: UTC, without saying so."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
