"""Is the data of a run complete, and what happens to its task? A function of one look at the view."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.enrichment.catalogue import HYBRID_TABLE_TYPES, EnrichmentType, Readiness

NEWEST_LOOKED_FOR = timedelta(days=14)
"""How far beyond a window the newest row of anybody is looked for; bounds the scan for old runs."""

_EMPTY = {
    "NO_DATA": "The view holds nothing of this run.",
    "WAREHOUSE_UNKNOWN": "TEST_RESULTS names no WAREHOUSE for this run, and the view knows its rows by nothing else. "
    "Correct the run's rows, then retry it with force.",
}
"""Reason code to message, of a task that found nothing and is SKIPPED."""


@dataclass(frozen=True)
class Look:
    """What one look at a view found.

    :param found_rows: rows that would be written
    :param found_calls: statements that they count, None when the type counts none
    :param stored_rows, stored_calls: what an earlier look wrote
    :param found_count, expected_count: for the coverage; expected None: unknown
    :param newest_at: how far the view reaches, naive UTC; None: it holds nothing there
    :param previous_found_count: found_count of the look before, None at the first
    :param force: replace even by less, though not by nothing
    :param has_warehouse: False: FlakeBench names none, without which no row can be told to be of this run
    """

    now: datetime
    window_end: datetime
    due_at: datetime
    found_rows: int
    stored_rows: int
    found_calls: int | None
    stored_calls: int | None
    found_count: int
    expected_count: int | None
    newest_at: datetime | None
    previous_found_count: int | None
    force: bool = False
    has_warehouse: bool = True

    @property
    def has_passed(self) -> bool:
        """Whether the view reaches past the run."""
        return self.newest_at is not None and self.newest_at > self.window_end

    def coverage(self, found_count: int) -> float | None:
        """Share of what is expected that so many account for, 0 to 1; None: expected unknown."""
        return min(found_count / self.expected_count, 1.0) if self.expected_count else None


@dataclass(frozen=True)
class Decision:
    """What becomes of a task after a look.

    :param replace: whether the run's rows are replaced by those of this look
    :param found_count: what the stored rows, old or new, account for
    :param coverage: found / expected, 0 to 1; None: expected unknown
    """

    status: str
    reason_code: str | None
    replace: bool
    data_complete: bool | None
    found_count: int
    coverage: float | None
    message: str | None = None

    @property
    def is_snoozed(self) -> bool:
        """Back to PENDING: looked at again later, the try not counted."""
        return self.status == "PENDING"


def never_waits(entry: EnrichmentType, table_type: str | None) -> bool:
    """A hybrid run's QUERY_HISTORY is sparse by design: waiting would not make it complete."""
    return entry.name == "QUERY_HISTORY" and (table_type or "") in HYBRID_TABLE_TYPES


def judge(entry: EnrichmentType, table_type: str | None, look: Look, threshold: float) -> Decision:
    """Decide what one look means (SPEC §7, readiness and not ready).

    :param threshold: coverage from which data is complete, 0 to 1
    """
    # force accepts less, but not nothing: a view that has forgotten a run disproves no number
    is_shrunk = _holds_less(look) and not (look.force and look.found_rows)
    kept = max(look.previous_found_count or 0, look.stored_calls or 0) if is_shrunk else 0
    found_count = max(look.found_count, kept)
    coverage = look.coverage(found_count)
    status, reason, complete = _completeness(entry, table_type, look, found_count, coverage, threshold)
    if is_shrunk and status != "PENDING":
        return _source_shrunk(look, found_count, coverage, complete)
    replace = not is_shrunk and (status == "COMPLETED" or look.found_rows > 0)
    message = _EMPTY[reason] if status == "SKIPPED" and reason else None
    return Decision(status, reason, replace, complete, found_count, coverage, message)


def needs_second_look(entry: EnrichmentType, table_type: str | None, decision: Decision) -> bool:
    """Whether a settled task is looked at once more: rows can still arrive or change.

    Not where everything expected was there, and not for what is sparse by design.
    """
    is_short = decision.data_complete is False or (decision.coverage is not None and decision.coverage < 1.0)
    return decision.status == "COMPLETED" and is_short and not never_waits(entry, table_type)


def judge_again(entry: EnrichmentType, look: Look, settled_reason: str | None, threshold: float) -> Decision:
    """Decide what the second look at a settled task means: replace what is stored, but never by less.

    The task stays COMPLETED, whatever is found.

    :param settled_reason: reason code with which the first look settled
    :param threshold: coverage from which data is complete, 0 to 1
    """
    if _holds_less(look) or look.found_count < (look.previous_found_count or 0):
        return _source_shrunk(look, look.found_count, None, None)
    coverage = look.coverage(look.found_count)
    if entry.readiness is Readiness.DUE:
        is_complete = True
    elif coverage is not None:
        is_complete = coverage >= threshold
    else:
        is_complete = look.has_passed
    reason = None if is_complete else settled_reason or "COVERAGE_LOW"
    return Decision("COMPLETED", reason, True, is_complete, look.found_count, coverage)


def _source_shrunk(look: Look, found_count: int, coverage: float | None, is_complete: bool | None) -> Decision:
    return Decision(
        "COMPLETED",
        "SOURCE_SHRUNK",
        replace=False,
        data_complete=is_complete,
        found_count=found_count,
        coverage=coverage,
        message=f"The view now holds less of this run ({_amount(look.found_rows, look.found_calls)}) than is "
        f"stored ({_amount(look.stored_rows, look.stored_calls)}); the stored rows were kept.",
    )


def _holds_less(look: Look) -> bool:
    calls_shrunk = look.found_calls is not None and look.found_calls < (look.stored_calls or 0)
    return look.found_rows < look.stored_rows or calls_shrunk


def _amount(rows: int, calls: int | None) -> str:
    return f"{rows} rows" if calls is None else f"{rows} rows, {calls} calls"


def _completeness(
    entry: EnrichmentType,
    table_type: str | None,
    look: Look,
    found_count: int,
    coverage: float | None,
    threshold: float,
) -> tuple[str, str | None, bool | None]:
    """Status, reason code and completeness."""
    is_empty = look.found_rows == 0 and look.stored_rows == 0
    if never_waits(entry, table_type):
        return "COMPLETED", None, None
    if entry.readiness is Readiness.DUE:
        if look.now < look.due_at:  # a retry, or a job that was queued while the run was going on
            return "PENDING", "NOT_READY", False
        nothing = ("SKIPPED", "NO_DATA" if look.has_warehouse else "WAREHOUSE_UNKNOWN", None)
        return nothing if is_empty else ("COMPLETED", None, True)
    is_enough = coverage is None or coverage >= threshold
    if coverage == 1.0 or (look.has_passed and is_enough):
        if is_empty and entry.name == "AGGREGATE":
            return "SKIPPED", "NO_DATA", None
        return "COMPLETED", None, True
    is_complete = coverage is not None and is_enough
    is_unchanged = look.previous_found_count is not None and found_count == look.previous_found_count
    if look.has_passed and is_unchanged:
        return ("SKIPPED", "NO_DATA", False) if is_empty else ("COMPLETED", "COVERAGE_LOW", False)
    if look.now >= look.due_at + entry.horizon:
        return ("SKIPPED", "NO_DATA", False) if is_empty else ("COMPLETED", "HORIZON", is_complete)
    return "PENDING", "NOT_READY", is_complete
