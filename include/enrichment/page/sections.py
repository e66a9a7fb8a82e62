"""Where a section of a run's page stands: what is there now, what is coming and when, or why there is nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from include.enrichment.benchmark_run import TERMINAL_STATUSES
from include.enrichment.catalogue import NO_ENRICHMENT_TABLE_TYPES, SNOWFLAKE_TABLE_TYPES, EnrichmentType
from include.enrichment.page.rows import Row, UnknownRunError, count, moment, number

if TYPE_CHECKING:
    from datetime import timedelta

    from include.enrichment.settings import Settings


class SectionState(StrEnum):
    """What a section shows. Partial data while more is coming is ``DATA`` with a notice."""

    DATA = "data"
    EMPTY = "empty"
    COMING = "coming"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, kw_only=True)
class Section:
    """Where a section stands; each section adds what it shows.

    :param message: what the state means here, in a sentence
    :param next_action: what the reader can do; None: nothing
    :param notices: what to know about the data that is shown
    :param eta_at: when the view is read next; a time that has passed: in the next pass; None: nothing is to come, or it
        cannot be told
    :param may_be_retried: whether a retry would re-queue it
    :param data_complete: None: cannot be told, or not yet
    :param data_available_until: how far the view reached when it was read
    :param status: of the task; None: the run has none of this type
    :param is_shown: whether there is something to show, of this or an earlier look
    :param written_at: when it was written; None: not known
    :param last_query_id: the Snowflake query that read the view
    """

    run_id: str
    enrichment_type: str
    source_view: str
    state: SectionState
    message: str
    next_action: str | None = None
    notices: tuple[str, ...] = ()
    eta_at: datetime | None = None
    may_be_retried: bool = False
    data_complete: bool | None = None
    data_available_until: datetime | None = None
    status: str | None = None
    reason_code: str | None = None
    expected_count: int | None = None
    found_count: int | None = None
    coverage: float | None = None
    is_shown: bool = False
    written_at: datetime | None = None
    last_query_id: str | None = None


@dataclass(frozen=True)
class Subject:
    """What a section is about.

    :param nothing_found: what a view without a row of the run means, and what cannot be seen
    """

    entry: EnrichmentType
    nothing_found: str


def stand(row: Row, subject: Subject, settings: Settings, now: datetime | None = None) -> dict[str, Any]:
    """The fields of :class:`Section`, from the columns of ``page/_state_columns.sql``.

    :raises UnknownRunError: nothing has the id
    """
    if row["RUN_STATUS"] is None and row["STATUS"] is None:
        raise UnknownRunError(str(row["RUN_ID"]))
    now = now or datetime.now(UTC)
    fields = {"run_id": row["RUN_ID"], "enrichment_type": subject.entry.name, "source_view": subject.entry.source_view}
    if row["STATUS"] is None:
        return fields | _without_task(row, subject.entry, settings, now)
    fields |= {
        "status": row["STATUS"],
        "reason_code": row["REASON_CODE"],
        "data_complete": row["DATA_COMPLETE"],
        "data_available_until": moment(row["DATA_AVAILABLE_UNTIL"]),
        "expected_count": count(row["EXPECTED_COUNT"]),
        "found_count": count(row["FOUND_COUNT"]),
        "coverage": number(row["COVERAGE"]),
        "last_query_id": row["LAST_QUERY_ID"],
    }
    return fields | _of_task(row, subject, settings, now)


def _without_task(row: Row, entry: EnrichmentType, settings: Settings, now: datetime) -> dict[str, Any]:
    """A run that has no task of the type: not yet, or never."""
    table_type, run_status, ended_at = row["TABLE_TYPE"], row["RUN_STATUS"], moment(row["RUN_ENDED_AT"])
    reason = not_applicable(entry, table_type)
    if reason is not None:
        return {"state": SectionState.NOT_APPLICABLE, "message": reason}
    if row["TASK_COUNT"] or row["JOB_STATUS"] not in (None, "PENDING"):
        return {
            "state": SectionState.NOT_APPLICABLE,
            "message": f"The job of this run does not ask for {entry.name}.",
        }
    if entry.name in settings.off_types:
        return {
            "state": SectionState.NOT_APPLICABLE,
            "message": f"{entry.name} is {settings.off_types[entry.name]}.",
        }
    if run_status not in TERMINAL_STATUSES:
        return {
            "state": SectionState.COMING,
            "message": f"The run is {run_status}. {entry.source_view} is read {minutes(entry.due_after)} after it "
            "ended.",
        }
    if row["JOB_STATUS"] is None and run_status not in settings.discover_statuses:
        return {
            "state": SectionState.NOT_APPLICABLE,
            "message": f"A run that ended {run_status} is not enriched.",
            "next_action": "To enrich such runs, add the status to FLAKEBENCH_ENRICHMENT_DISCOVER_STATUSES, or insert "
            "a row into DELAYED_ENRICHMENT_QUEUE.",
        }
    if ended_at is not None and (now - ended_at).days >= settings.look_back_days and row["JOB_STATUS"] is None:
        return {
            "state": SectionState.NOT_APPLICABLE,
            "message": f"The run ended before the look-back of {settings.look_back_days} days and was not queued.",
            "next_action": "Trigger the DAG enrichment_backfill for the day of the run.",
        }
    return {
        "state": SectionState.COMING,
        "message": f"The next pass of delayed_enrichment queues it; {entry.source_view} is read "
        f"{minutes(entry.due_after)} after the end of the run.",
        "eta_at": ended_at + entry.due_after if ended_at else None,
        "notices": _switched_off(settings),
    }


def not_applicable(entry: EnrichmentType, table_type: str | None) -> str | None:
    """Why a table type never has an enrichment type; None: it has."""
    if table_type in NO_ENRICHMENT_TABLE_TYPES:
        return (
            "Postgres runs leave nothing in Snowflake's ACCOUNT_USAGE views: FlakeBench's own numbers are all there is."
        )
    if table_type in SNOWFLAKE_TABLE_TYPES and table_type not in entry.table_types:
        names = " and ".join(entry.table_types)
        return f"{entry.source_view} is about {names} tables only; this run's are {table_type}."
    return dict(entry.not_applicable).get(table_type or "")


def _of_task(row: Row, subject: Subject, settings: Settings, now: datetime) -> dict[str, Any]:
    status = row["STATUS"]
    # what an earlier try stored is still there, whatever became of the task since
    is_shown = bool(row["ROWS_WRITTEN"])
    if status in ("PENDING", "IN_PROGRESS"):
        return _open(row, subject.entry, settings, now) | {"is_shown": is_shown}
    if status == "FAILED":
        return {
            "state": SectionState.FAILED,
            "message": row["LAST_ERROR"] or f"It failed with {row['REASON_CODE']}.",
            "next_action": f"When the cause is gone, retry {subject.entry.name}.",
            "may_be_retried": True,
            "is_shown": is_shown,
            "notices": ("What is shown was stored by an earlier look.",) if is_shown else (),
        }
    if status == "NOT_APPLICABLE" or (status == "SKIPPED" and row["REASON_CODE"] != "NO_DATA"):
        return {"state": SectionState.NOT_APPLICABLE, "message": row["LAST_ERROR"] or f"{row['REASON_CODE']}."}
    recheck_at = moment(row["RECHECK_AT"])
    return {
        "state": SectionState.DATA if is_shown else SectionState.EMPTY,
        "message": "" if is_shown else subject.nothing_found,
        "is_shown": is_shown,
        "written_at": moment(row["COMPLETED_AT"]),
        "notices": (*_completeness(row), *((_SECOND_LOOK,) if recheck_at else ())),
        "eta_at": recheck_at,
    }


def _open(row: Row, entry: EnrichmentType, settings: Settings, now: datetime) -> dict[str, Any]:
    """A task that is not settled: nothing is there yet, or what an earlier look found."""
    due_at, error = moment(row["DUE_AT"]), row["LAST_ERROR"]
    is_running, is_shown = row["STATUS"] == "IN_PROGRESS", bool(row["ROWS_WRITTEN"])
    if is_running:
        message = f"{entry.source_view} is being read."
    elif due_at is not None and due_at <= now:
        message = f"{entry.source_view} is read in the next pass of delayed_enrichment."
    else:
        message = f"{entry.source_view} is up to {minutes(entry.latency)} behind."
    notices = () if is_running else _switched_off(settings)
    if error:
        notices = (str(error), *notices)
    fields: dict[str, Any] = {
        "eta_at": due_at,
        "may_be_retried": error is not None and not is_running,
    }
    if not is_shown:
        looked = " It was looked at, and was not complete." if count(row["SNOOZES"]) else ""
        return fields | {"state": SectionState.COMING, "message": message + looked, "notices": notices}
    standing = "It is read again on request" if row["DATA_COMPLETE"] else f"Provisional: {_found(row)}"
    return fields | {
        "state": SectionState.DATA,
        "message": "",
        "written_at": None if is_running else moment(row["STARTED_AT"]),
        "notices": (f"{standing}. {message}", *notices),
    }


_SECOND_LOOK = "Rows can still arrive or change: the view is looked at once more."
_INCOMPLETE = {
    "COVERAGE_LOW": "Two looks found the same, so no more is expected.",
    "HORIZON": "It was waited for until the horizon.",
}


def _completeness(row: Row) -> tuple[str, ...]:
    """What to know about settled data."""
    reason = row["REASON_CODE"]
    if reason == "SOURCE_SHRUNK":
        return (str(row["LAST_ERROR"]),)
    if row["DATA_COMPLETE"] is False:
        return (" ".join(["Incomplete:", f"{_found(row)}.", _INCOMPLETE.get(reason or "", "")]).strip(),)
    return ()


def _found(row: Row) -> str:
    found, expected, coverage = count(row["FOUND_COUNT"]), count(row["EXPECTED_COUNT"]), number(row["COVERAGE"])
    if found is None or expected is None or coverage is None:
        return "the view has not passed the end of the run"
    # 99.6 % must not read as 100 %
    return f"{found:,} of {expected:,} statements ({int(coverage * 1000) / 10:g} %) are there"


def _switched_off(settings: Settings) -> tuple[str, ...]:
    return () if settings.enabled else ("Enrichment is switched off (FLAKEBENCH_ENRICHMENT_ENABLED): nothing is read.",)


def minutes(span: timedelta) -> str:
    """A latency in words: ``45 min``, ``3 h``, ``3 h 15 min``."""
    hours, rest = divmod(int(span.total_seconds()) // 60, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{rest} min"] if rest or not parts else parts)
