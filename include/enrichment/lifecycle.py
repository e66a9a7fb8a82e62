"""The life of one try of a task: it takes the task over, reads the view, judges, writes and ends it.

All of it is one template on one connection (``include/sql/enrich/_lifecycle.sql``). The hook calls
:meth:`Attempt.observe` after each statement; what a statement returned becomes bind parameters of the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.enrichment import changes as value_changes
from include.enrichment.benchmark_run import BenchmarkRun, read_run
from include.enrichment.catalogue import EnrichmentType, enrichment_type
from include.enrichment.error_numbers import ErrorClass
from include.enrichment.errors import ClaimLostError, EnrichmentError
from include.enrichment.readiness import (
    NEWEST_LOOKED_FOR,
    Decision,
    Look,
    judge,
    judge_again,
    needs_second_look,
    never_waits,
)
from include.enrichment.snowflake import affected_rows, rows_as_mappings, step_name

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

    from include.enrichment.settings import Settings

_USAGE_ROW_SPAN = timedelta(days=1)
"""Longest usage row, of credits by the hour, that may overlap the start of a window."""

_LABEL_LENGTH = 180
"""Airflow keeps 250 characters of a map index."""

_LOOKED_AT = ("ROWS_WRITTEN", "EXPECTED_COUNT", "FOUND_COUNT", "COVERAGE", "DATA_COMPLETE")
"""Columns of a task that a look sets, and whose change is told."""

_COUNTS = ("FOUND_ROWS", "STORED_ROWS", "FOUND_CALLS", "STORED_CALLS", "FOUND_COUNT", "EXPECTED_COUNT", "HAS_WAREHOUSE")
"""Columns of the step ``reading``; the others are the stored summary."""

NOTHING = ""
"""Stands for an empty list: ``IN ()`` is no SQL, and no id and no tag is empty."""


@dataclass(frozen=True)
class ClaimedTask:
    """A task as claimed: what a mapped task instance is given.

    :param claim_token: of the pass that claimed it; each try appends its number
    :param is_second_look: the task is settled and stays so; see ``include/sql/enrich/_lifecycle.sql``
    """

    job_id: str
    run_id: str
    run_name: str
    enrichment_type: str
    claim_token: str
    is_second_look: bool = False

    @property
    def label(self) -> str:
        """Name of the mapped task instance in the UI."""
        name = f"{self.run_name[:_LABEL_LENGTH]} · {self.enrichment_type}"
        return f"{name} · second look" if self.is_second_look else name

    @property
    def subject(self) -> str:
        """How messages name the task."""
        return f"Run {self.run_id} ({self.run_name}) {self.enrichment_type}"


class NotFinishedError(Exception):
    """The benchmark run still goes on, so there is nothing to read yet."""


class Attempt:
    """One try of a task.

    :param parameters: bind parameters of the template; filled as the statements return
    """

    def __init__(
        self, task: ClaimedTask, settings: Settings, *, try_number: int, claimed_by: str, lease_minutes: int
    ) -> None:
        self.task = task
        self.settings = settings
        self.entry: EnrichmentType = enrichment_type(task.enrichment_type)
        self.run: BenchmarkRun | None = None
        self.decision: Decision | None = None
        self.due_at: datetime | None = None
        self.attempts = 0
        self.is_past_horizon = False
        self.has_taken_over = False
        self.parameters: dict[str, Any] = {
            "job_id": task.job_id,
            "run_id": task.run_id,
            "enrichment_type": task.enrichment_type,
            "claim_token": task.claim_token,
            "token": f"{task.claim_token}:{try_number}",
            "fence": task.claim_token,
            "is_second_look": task.is_second_look,
            "held_status": "COMPLETED" if task.is_second_look else "IN_PROGRESS",
            "claimed_by": claimed_by,
            "lease_seconds": lease_minutes * 60,
            "control_plane_tags": list(settings.control_plane_tags) or [NOTHING],
            "store_raw": settings.store_raw,
            "insights_days": settings.insights_days,
            "rows_written": None,
            "query_id": None,
        }

    def observe(self, cursor: SnowflakeCursor) -> None:
        """Look at what the last statement did; called by the hook after each.

        :raises ClaimLostError: somebody else holds the task
        :raises NotFinishedError: the benchmark still runs
        :raises EnrichmentError: the run cannot be enriched
        """
        step = step_name(cursor)
        if step is not None:
            getattr(self, f"_after_{step}")(cursor)

    def _after_take_over(self, cursor: SnowflakeCursor) -> None:
        if affected_rows(cursor) != 1:
            raise ClaimLostError(f"{self.task.subject}: the claim is lost")
        self.has_taken_over = True
        self.parameters["fence"] = self.parameters["token"]

    def _after_run(self, cursor: SnowflakeCursor) -> None:
        row = _only_row(cursor)
        self.attempts = int(row["ATTEMPTS"])
        self._previous = row
        waited_until = row["QUEUED_AT"] + self.entry.due_after + self.entry.horizon
        self.is_past_horizon = row["NOW_AT"] >= waited_until
        self.run = read_run(self.task.run_id, self.task.enrichment_type, row, ignore_processing=self.is_past_horizon)
        if self.run is None:
            raise NotFinishedError(f"{self.task.subject}: the benchmark run is {row['RUN_STATUS']}, not finished")
        counted_from = self.run.ended_at if self.run.ended_at <= row["NOW_AT"] else row["QUEUED_AT"]
        self.due_at = counted_from + self.entry.due_after
        self._now = row["NOW_AT"]
        run = self.run
        self.parameters |= {
            "window_start": _bind(run.window_start),
            "window_end": _bind(run.window_end),
            "usage_start": _bind(run.window_start - _USAGE_ROW_SPAN),
            "newest_before": _bind(min(self._now, run.window_end + NEWEST_LOOKED_FOR) + timedelta(days=1)),
            "tags": _tags_json(run),
            "child_ids": list(run.child_ids) or [NOTHING],
            "successful_operations": run.successful_operations,
        }

    def _after_newest(self, cursor: SnowflakeCursor) -> None:
        self._newest_at = _only_row(cursor)["NEWEST_AT"]

    def _after_read(self, cursor: SnowflakeCursor) -> None:
        self.parameters["query_id"] = cursor.sfqid

    def _after_reading(self, cursor: SnowflakeCursor) -> None:
        row = rows_as_mappings(cursor)[0]
        if self.run is None or self.due_at is None:  # pragma: no cover - the template's order
            raise RuntimeError("the template read the view before the run")
        settled = self._previous
        look = Look(
            now=self._now,
            window_end=self.run.window_end,
            due_at=self.due_at,
            found_rows=int(row["FOUND_ROWS"]),
            stored_rows=int(row["STORED_ROWS"]),
            found_calls=_integer(row["FOUND_CALLS"]),
            stored_calls=_integer(row["STORED_CALLS"]),
            found_count=int(row["FOUND_COUNT"]),
            expected_count=_integer(row["EXPECTED_COUNT"]) or None,
            newest_at=self._newest_at,
            previous_found_count=_integer(settled["FOUND_COUNT"]),
            force=bool(settled["IS_FORCED"]) and not self.task.is_second_look,
            has_warehouse=bool(row.get("HAS_WAREHOUSE", True)),
        )
        if self.task.is_second_look:
            decision = judge_again(self.entry, look, settled["REASON_CODE"], self.settings.coverage_threshold)
        else:
            decision = judge(self.entry, self.run.table_type, look, self.settings.coverage_threshold)
        self.decision = decision
        self.parameters |= {
            "replace": decision.replace,
            "status": decision.status,
            "outcome": "RECHECKED" if self.task.is_second_look else decision.status,
            "recheck_at": self._recheck_at(decision),
            "reason_code": decision.reason_code,
            "message": None if decision.is_snoozed else decision.message,
            "due_at": _bind_naive(self.next_look_at) if decision.is_snoozed else None,
            "attempts_delta": -1 if decision.is_snoozed else 0,
            "snoozes_delta": 1 if decision.is_snoozed else 0,
            "expected_count": look.expected_count,
            "found_count": decision.found_count,
            "coverage": decision.coverage,
            "data_complete": None if never_waits(self.entry, self.run.table_type) else decision.data_complete,
            "data_available_until": None if look.newest_at is None else _bind_naive(look.newest_at),
            "rows_written": look.found_rows if decision.replace else look.stored_rows,
        }
        self._stored_summary = {name: value for name, value in row.items() if name not in _COUNTS}
        is_stored = any(value is not None for value in self._stored_summary.values())
        self.parameters |= {
            "has_stored_rows": decision.replace and look.stored_rows > 0,
            "has_found_rows": decision.replace and look.found_rows > 0,
            "has_stored_summary": decision.replace and is_stored,
        }
        self._keep_changes(self._stored_summary)

    def _after_write(self, cursor: SnowflakeCursor) -> None:
        written = affected_rows(cursor)
        expected = self.parameters["rows_written"] if self.parameters["replace"] else 0
        if written != expected:
            raise EnrichmentError(
                f"{self.task.subject}: {written} rows were inserted into {self.entry.target} where {expected} were "
                "read. Nothing was committed; this is a defect of the package, report it with the query id.",
                "WRITE_MISMATCH",
                ErrorClass.PERMANENT,
            )

    def _after_written_summary(self, cursor: SnowflakeCursor) -> None:
        rows = rows_as_mappings(cursor)
        self._keep_changes(rows[0] if rows else self._stored_summary)

    def _keep_changes(self, written: Mapping[str, Any]) -> None:
        """What this look changes of values that were stored.

        :param written: the summary as it will be stored
        """
        found = value_changes.changes(self._stored_summary, written)
        if not (self.task.is_second_look and not self.parameters["replace"]):
            looked_at = {name: self.parameters[name.lower()] for name in _LOOKED_AT}
            found |= value_changes.changes({name: self._previous[name] for name in _LOOKED_AT}, looked_at)
        self.parameters |= {"changes": value_changes.as_bind(found), "is_changed": bool(found)}

    def _after_finish(self, cursor: SnowflakeCursor) -> None:
        if affected_rows(cursor) != 1:
            raise ClaimLostError(f"{self.task.subject}: its lease expired meanwhile; nothing was written")

    def _recheck_at(self, decision: Decision) -> str | None:
        """When a task that settles now is looked at for the second time."""
        if self.task.is_second_look or self.run is None or not self.settings.recheck_hours:
            return None
        if not needs_second_look(self.entry, self.run.table_type, decision):
            return None
        return _bind_naive(self._now + timedelta(hours=self.settings.recheck_hours))

    @property
    def next_look_at(self) -> datetime:
        """When a view that was not ready is looked at again, naive UTC."""
        now: datetime = self._now
        return now + timedelta(minutes=self.settings.not_ready_minutes)

    def summary(self) -> str:
        """What this try did, for the log."""
        if self.decision is None:
            return f"{self.task.subject}: nothing was read"
        found, expected = self.decision.found_count, self.parameters["expected_count"]
        share = "" if self.decision.coverage is None else f", coverage {self.decision.coverage:.2%}"
        reason = f" ({self.decision.reason_code})" if self.decision.reason_code else ""
        if self.task.is_second_look:
            changed = self.parameters.get("changes") or "nothing"
            return f"{self.task.subject}: second look{reason}, found {found}{share}; changed: {changed}"
        return (
            f"{self.task.subject}: {self.decision.status}{reason}, {self.parameters['rows_written']} rows in "
            f"{self.entry.target}, found {found} of {'unknown' if expected is None else expected}{share}"
        )


def _only_row(cursor: SnowflakeCursor) -> Mapping[str, Any]:
    rows = rows_as_mappings(cursor)
    if len(rows) != 1:
        raise ClaimLostError("the task's row is gone: the job was deleted while it ran")
    return rows[0]


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _bind(moment: datetime) -> str:
    """A time for comparison with a TIMESTAMP_LTZ column: ISO 8601 with its offset."""
    return moment.replace(tzinfo=UTC).isoformat()


def _bind_naive(moment: datetime) -> str:
    """A time for a TIMESTAMP_NTZ column: ISO 8601, UTC by convention."""
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def _tags_json(run: BenchmarkRun) -> str:
    return json.dumps([{"tag": item.tag, "test_id": item.test_id} for item in run.tags])
