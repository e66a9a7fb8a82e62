"""The section *history*: every try of the run's tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.page.rows import Row, UnknownRunError, count, listed, moment, page_of, structure
from include.enrichment.page.sections import SectionState

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader
    from include.enrichment.settings import Settings

TEMPLATE = "page/history.sql"
ENRICH_TASK = "enrich"
"""Task of ``delayed_enrichment`` that is mapped over the claimed tasks."""


@dataclass(frozen=True)
class Change:
    """A value of the run that a try replaced by another one."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True)
class TaskLog:
    """Where the log of a try is in Airflow.

    :param label: what the mapped task instance is called
    :param try_number: of the task instance
    """

    dag_id: str
    dag_run_id: str
    task_id: str
    label: str
    try_number: int | None


@dataclass(frozen=True)
class EnrichmentAttempt:
    """One try of one task.

    :param outcome: the status that it gave the task; ``FAILED`` for each error, ``LOST``: its worker died,
        ``RECHECKED``: a second look
    :param error: cause and next action
    """

    enrichment_type: str
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str
    reason_code: str | None
    rows_written: int | None
    expected_count: int | None
    found_count: int | None
    duration_ms: int | None
    query_id: str | None
    error: str | None
    changes: tuple[Change, ...]
    claimed_by: str | None
    log: TaskLog | None


@dataclass(frozen=True, kw_only=True)
class History:
    """The tries of a run, the newest first.

    :param data_complete: of all types of the run; None: cannot be told, or not yet
    :param eta_at: when the next task is due
    :param total: number of tries; ``attempts`` has those of this page
    """

    run_id: str
    state: SectionState
    message: str
    eta_at: datetime | None
    data_complete: bool | None
    data_available_until: datetime | None
    total: int
    limit: int
    offset: int
    attempts: tuple[EnrichmentAttempt, ...]


def history(reader: Reader, run_id: str, *, limit: int = 20, offset: int = 0, fresh: bool = False) -> History:
    """Read the section.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = page_of(reader, TEMPLATE, run_id, limit=limit, offset=offset, fresh=fresh, is_moving=_is_moving)
    head = rows[0]
    if head["RUN_STATUS"] is None and not head["TASK_COUNT"]:
        raise UnknownRunError(run_id)
    total = count(head["ATTEMPT_COUNT"]) or 0
    state, message = _state(head, total, reader.settings)
    return History(
        run_id=head["RUN_ID"],
        state=state,
        message=message,
        eta_at=moment(head["NEXT_DUE_AT"]),
        data_complete=_is_complete(head),
        data_available_until=moment(head["DATA_AVAILABLE_UNTIL"]),
        total=total,
        limit=limit,
        offset=offset,
        attempts=tuple(_attempt(row) for row in listed(rows, "ATTEMPT_PLACE")),
    )


def _is_moving(rows: Sequence[Row]) -> bool:
    return bool(rows[0]["OPEN_COUNT"]) or not rows[0]["TASK_COUNT"]


def _state(head: Row, total: int, settings: Settings) -> tuple[SectionState, str]:
    if total:
        return SectionState.DATA, ""
    if not head["TASK_COUNT"]:
        return SectionState.EMPTY, "This run has no enrichment tasks, so nothing was tried."
    if head["TRY_COUNT"]:
        kept = f"Tries are deleted {settings.queue_retention_days} days after the job settled."
        return SectionState.EMPTY, kept
    if head["OPEN_COUNT"]:
        return SectionState.COMING, "Nothing was tried yet."
    return SectionState.EMPTY, "Nothing had to be tried: no enrichment type applies to this run."


def _is_complete(head: Row) -> bool | None:
    """As ``V_DELAYED_ENRICHMENT_ROLLUP.DATA_COMPLETE``."""
    if head["INCOMPLETE_COUNT"]:
        return False
    return True if head["WHOLE_COUNT"] and not head["OPEN_COUNT"] else None


def _attempt(row: Row) -> EnrichmentAttempt:
    changes: dict[str, dict[str, Any]] = structure(row["CHANGES"]) or {}
    return EnrichmentAttempt(
        enrichment_type=row["ENRICHMENT_TYPE"],
        started_at=moment(row["STARTED_AT"]),
        ended_at=moment(row["ENDED_AT"]),
        outcome=row["OUTCOME"],
        reason_code=row["REASON_CODE"],
        rows_written=count(row["ROWS_WRITTEN"]),
        expected_count=count(row["EXPECTED_COUNT"]),
        found_count=count(row["FOUND_COUNT"]),
        duration_ms=count(row["DURATION_MS"]),
        query_id=row["QUERY_ID"],
        error=row["ERROR"],
        changes=tuple(Change(name, item.get("from"), item.get("to")) for name, item in sorted(changes.items())),
        claimed_by=row["CLAIMED_BY"],
        log=_log(row),
    )


def _log(row: Row) -> TaskLog | None:
    """The task instance of a try: ``CLAIMED_BY`` is ``<dag_id>/<run_id>``, ``CLAIM_TOKEN`` ``<claim>:<try>``."""
    dag_id, _, dag_run_id = (row["CLAIMED_BY"] or "").partition("/")
    if not dag_run_id:
        return None
    try_number = (row["CLAIM_TOKEN"] or "").rpartition(":")[2]
    name = (row["TEST_NAME"] or "").strip() or row["RUN_ID"]
    task = ClaimedTask("", row["RUN_ID"], name, row["ENRICHMENT_TYPE"], "", row["OUTCOME"] == "RECHECKED")
    return TaskLog(dag_id, dag_run_id, ENRICH_TASK, task.label, int(try_number) if try_number.isdigit() else None)
