"""The head of a run's page: the benchmark, its badge, and the timeline of its enrichment types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include.enrichment.benchmark_run import TERMINAL_STATUSES
from include.enrichment.catalogue import CATALOGUE, NO_ENRICHMENT_TABLE_TYPES, EnrichmentType
from include.enrichment.page.badge import Badge, Standing, State, badge
from include.enrichment.page.rows import MOVING, Row, UnknownRunError, count, is_moving, listed, moment, number
from include.enrichment.page.sections import not_applicable

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader
    from include.enrichment.settings import Settings

TEMPLATE = "page/run_header.sql"
_CATALOGUE = {entry.name: entry for entry in CATALOGUE}


@dataclass(frozen=True)
class TypeStanding:
    """Where one enrichment type of the run stands.

    :param latency_minutes: how far its view is behind at most; None: a person's job named an unknown type
    :param due_at: when it may first be read, or is read again
    :param written_at: when it settled; None: not yet
    :param behind_minutes: from the end of the run until it was settled
    :param eta_at: when its view is read next; a time that has passed: in the next pass; None: nothing is to come
    """

    enrichment_type: str
    source_view: str | None
    latency_minutes: int | None
    status: str
    due_at: datetime | None
    started_at: datetime | None
    written_at: datetime | None
    behind_minutes: int | None
    eta_at: datetime | None
    rows_written: int | None
    coverage: float | None
    data_complete: bool | None
    data_available_until: datetime | None
    reason_code: str | None
    message: str | None
    may_be_retried: bool


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """A run and its enrichment.

    :param status: of the benchmark; None: FlakeBench deleted the run
    :param workers: children of the run
    :param immediate_status: of FlakeBench's own first pass over QUERY_HISTORY
    :param state: what the types add up to
    :param eta_at: when all types can be settled; None: they are, or it cannot be told
    :param data_complete: None: cannot be told, or not yet
    :param data_available_until: of the view that reached least far when it was read
    :param is_settled: nothing changes by itself any more
    """

    run_id: str
    name: str | None
    scenario: str | None
    table_name: str | None
    table_type: str | None
    warehouse: str | None
    warehouse_size: str | None
    status: str | None
    started_at: datetime | None
    ended_at: datetime | None
    workers: int | None
    connections: int | None
    operations: int | None
    failed_operations: int | None
    qps: float | None
    immediate_status: str | None
    immediate_error: str | None
    state: State
    last_error: str | None
    badge: Badge
    eta_at: datetime | None
    data_complete: bool | None
    data_available_until: datetime | None
    is_settled: bool
    may_be_retried: bool
    types: tuple[TypeStanding, ...]


def run_page(reader: Reader, run_id: str, *, fresh: bool = False) -> RunPage:
    """Read the head of a run's page.

    :param fresh: ask Snowflake, whatever is kept
    :raises UnknownRunError: nothing has the id
    :raises Unavailable: no answer now
    """
    rows = reader.rows(TEMPLATE, {"run_id": run_id}, is_moving=is_moving, fresh=fresh)
    settings = reader.settings
    head, now = rows[0], datetime.now(UTC)
    tasks = listed(rows, "ENRICHMENT_TYPE")
    if head["RUN_STATUS"] is None and not tasks:
        raise UnknownRunError(run_id)
    ended_at = moment(head["RUN_ENDED_AT"])
    types = tuple(_standing(row, ended_at) for row in tasks) or _expected(head, settings, ended_at, now)
    state = _state(head, tasks)
    data_complete = _is_complete(tasks)
    pending = [item for item in types if item.status == "PENDING"]
    standing = Standing(
        state=state,
        immediate_status=head["IMMEDIATE_STATUS"],
        run_status=head["RUN_STATUS"],
        done=sum(item.status == "COMPLETED" for item in types),
        failed=sum(item.status == "FAILED" for item in types),
        full_at=max((item.due_at for item in pending if item.due_at), default=None),
        is_complete=data_complete,
        waits_for=frozenset(item.reason_code for item in pending if item.reason_code),
    )
    return RunPage(
        run_id=head["RUN_ID"],
        name=head["TEST_NAME"],
        scenario=head["SCENARIO_NAME"],
        table_name=head["TABLE_NAME"],
        table_type=head["TABLE_TYPE"],
        warehouse=head["WAREHOUSE"],
        warehouse_size=head["WAREHOUSE_SIZE"],
        status=head["RUN_STATUS"],
        started_at=moment(head["RUN_STARTED_AT"]),
        ended_at=ended_at,
        workers=count(head["WORKER_COUNT"]),
        connections=count(head["CONCURRENT_CONNECTIONS"]),
        operations=count(head["TOTAL_OPERATIONS"]),
        failed_operations=count(head["FAILED_OPERATIONS"]),
        qps=number(head["QPS"]),
        immediate_status=head["IMMEDIATE_STATUS"],
        immediate_error=head["IMMEDIATE_ERROR"],
        state=state,
        last_error=head["JOB_ERROR"],
        badge=badge(standing, now),
        eta_at=max((item.eta_at for item in types if _is_open(item) and item.eta_at), default=None),
        data_complete=data_complete,
        data_available_until=min(
            (item.data_available_until for item in types if item.data_available_until), default=None
        ),
        is_settled=_has_ended(head) and not any(_is_open(item) for item in types),
        may_be_retried=any(item.may_be_retried for item in types),
        types=types,
    )


def _standing(row: Row, ended_at: datetime | None) -> TypeStanding:
    entry = _CATALOGUE.get(row["ENRICHMENT_TYPE"])
    status, due_at = row["STATUS"], moment(row["DUE_AT"])
    # what was never tried has the time at which it was queued as its end
    written_at = moment(row["COMPLETED_AT"]) if status in ("COMPLETED", "FAILED") or row["STARTED_AT"] else None
    return TypeStanding(
        enrichment_type=row["ENRICHMENT_TYPE"],
        source_view=entry.source_view if entry else None,
        latency_minutes=_minutes(entry.latency) if entry else None,
        status=status,
        due_at=due_at,
        started_at=moment(row["STARTED_AT"]),
        written_at=written_at,
        behind_minutes=_minutes(written_at - ended_at) if written_at and ended_at and status == "COMPLETED" else None,
        eta_at=due_at if status in MOVING else moment(row["RECHECK_AT"]),
        rows_written=count(row["ROWS_WRITTEN"]),
        coverage=number(row["COVERAGE"]),
        data_complete=row["DATA_COMPLETE"],
        data_available_until=moment(row["DATA_AVAILABLE_UNTIL"]),
        reason_code=row["REASON_CODE"],
        message=row["LAST_ERROR"],
        may_be_retried=status == "FAILED" or (status == "PENDING" and row["LAST_ERROR"] is not None),
    )


def _expected(head: Row, settings: Settings, ended_at: datetime | None, now: datetime) -> tuple[TypeStanding, ...]:
    """What a run that has no tasks yet will get."""
    if head["JOB_STATUS"] not in (None, "PENDING") or head["RUN_STATUS"] not in settings.discover_statuses:
        return ()
    if ended_at is None or (now - ended_at).days >= settings.look_back_days:
        return ()
    return tuple(
        TypeStanding(
            enrichment_type=entry.name,
            source_view=entry.source_view,
            latency_minutes=_minutes(entry.latency),
            status="PENDING",
            due_at=ended_at + entry.due_after,
            started_at=None,
            written_at=None,
            behind_minutes=None,
            eta_at=ended_at + entry.due_after,
            rows_written=None,
            coverage=None,
            data_complete=None,
            data_available_until=None,
            reason_code=None,
            message=None,
            may_be_retried=False,
        )
        for entry in CATALOGUE
        if _applies(entry, head["TABLE_TYPE"], ended_at, settings)
    )


def _applies(entry: EnrichmentType, table_type: str | None, ended_at: datetime, settings: Settings) -> bool:
    has_ended = entry.ended is not None and ended_at.date() >= entry.ended
    return not_applicable(entry, table_type) is None and not has_ended and entry.name not in settings.off_types


def _state(head: Row, tasks: Sequence[Row]) -> State:
    """As ``page/_run_states.sql``."""
    statuses = {row["STATUS"] for row in tasks}
    if {"COMPLETED", "FAILED"} <= statuses and not statuses & MOVING:
        return State.PARTIAL
    order = ("IN_PROGRESS", "PENDING", "FAILED", "COMPLETED", "SKIPPED", "NOT_APPLICABLE")
    found = next((status for status in order if status in statuses), None)
    if found is None and head["TABLE_TYPE"] in NO_ENRICHMENT_TABLE_TYPES:
        return State.NOT_APPLICABLE
    return State(found or head["JOB_STATUS"] or State.NOT_QUEUED)


def _is_complete(tasks: Sequence[Row]) -> bool | None:
    """As ``V_DELAYED_ENRICHMENT_ROLLUP.DATA_COMPLETE``: what was not looked at is not known to be complete."""
    if any(row["DATA_COMPLETE"] is False for row in tasks):
        return False
    if any(row["STATUS"] in MOVING for row in tasks):
        return None
    return True if any(row["DATA_COMPLETE"] for row in tasks) else None


def _has_ended(head: Row) -> bool:
    return head["RUN_STATUS"] is None or head["RUN_STATUS"] in TERMINAL_STATUSES


def _is_open(item: TypeStanding) -> bool:
    return item.status in MOVING


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
