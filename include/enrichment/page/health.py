"""How the deployment is: each measure beside its objective, what the doctor found, what the package costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include.enrichment import monitor, slo
from include.enrichment.page.unavailable import Unavailable
from include.enrichment.slo import Level

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader, Row

COST_HOURS = 24
_COST_STEP_MINUTES = 5
"""The cost's window moves in steps, so that its question can be kept."""


@dataclass(frozen=True)
class Measure(monitor.Measurement):
    """One number with its objective, as the monitor measures it.

    :param detail: which type, claim or number it is about
    """

    detail: str = ""


@dataclass(frozen=True)
class Queue:
    """How much is waiting.

    :param next_try_at: when the next pending type is due
    """

    due_jobs: int
    due_tasks: int
    due_backfill_tasks: int
    later_tasks: int
    in_progress_tasks: int
    next_try_at: datetime | None


@dataclass(frozen=True)
class OldestPending:
    """The pending task of a type that has waited longest.

    :param overdue_minutes: since it may be tried; negative: not yet
    """

    enrichment_type: str
    run_id: str
    age_minutes: int
    due_at: datetime | None
    overdue_minutes: int | None
    reason_code: str | None


@dataclass(frozen=True)
class CompletionLatency:
    """How long after they were due tasks of a type completed in the last 24 hours."""

    enrichment_type: str
    tasks: int
    median_minutes: float
    max_minutes: float


@dataclass(frozen=True)
class DoctorFinding:
    """One line of the last doctor."""

    check: str
    subject: str
    status: str
    message: str
    next_action: str | None


@dataclass(frozen=True)
class Doctor:
    """What the last doctor found.

    :param views: findings about the views of ACCOUNT_USAGE
    :param others: the other findings that are not OK
    """

    ran_at: datetime
    performed_by: str | None
    status: str
    views: tuple[DoctorFinding, ...]
    others: tuple[DoctorFinding, ...]


@dataclass(frozen=True)
class OwnCost:
    """What the package itself did in the last 24 hours, as far as QUERY_HISTORY shows it."""

    statements: int
    sessions: int
    warehouse_statements: int
    warehouse_seconds: float
    failed_statements: int
    newest_start_time: datetime | None
    window_start: datetime
    window_end: datetime


@dataclass(frozen=True)
class Health:
    """Everything that the page shows.

    :param doctor: None: it has not run yet
    :param cost: or why it cannot be read
    :param read_at: of this process's clock
    """

    queue: Queue
    measures: tuple[Measure, ...]
    oldest_pending: tuple[OldestPending, ...]
    latencies: tuple[CompletionLatency, ...]
    doctor: Doctor | None
    cost: OwnCost | Unavailable
    read_at: datetime

    @property
    def level(self) -> Level:
        """The worst of its measures, and of the doctor's findings."""
        levels = {measure.level for measure in self.measures}
        if self.doctor is not None and self.doctor.status == "FAILED":
            levels.add(Level.CRITICAL)
        return next((level for level in (Level.CRITICAL, Level.WARNING) if level in levels), Level.OK)

    @property
    def is_moving(self) -> bool:
        """Whether something is due or in progress."""
        return bool(self.queue.due_tasks or self.queue.in_progress_tasks)


def read_health(reader: Reader, *, fresh: bool = False) -> Health:
    """Ask every question of the health page; each is kept by itself.

    :raises Unavailable: no answer now about our own tables; the cost may be unavailable alone
    """

    def rows(name: str) -> Sequence[Row]:
        return reader.rows(f"monitor/{name}.sql", is_moving=lambda _rows: True, fresh=fresh)

    (depth,), (leases,) = rows("queue_depth"), rows("stale_leases")
    oldest = tuple(_oldest(row) for row in rows("oldest_pending"))
    latencies = tuple(_latency(row) for row in rows("completion_latency"))
    buckets = reader.rows(
        "monitor/figures.sql",
        monitor.monitor_parameters(reader.settings),
        is_moving=lambda _rows: True,
        fresh=fresh,
    )
    figures = monitor.Figures.of_now(
        [monitor.Bucket.from_row(row) for row in buckets], reader.settings, datetime.now(UTC)
    )
    details = _details(figures, depth, leases, latencies)
    return Health(
        queue=Queue(
            due_jobs=depth["DUE_JOBS"],
            due_tasks=depth["DUE_TASKS"],
            due_backfill_tasks=depth["DUE_BACKFILL_TASKS"],
            later_tasks=depth["LATER_TASKS"],
            in_progress_tasks=leases["IN_PROGRESS_TASKS"],
            next_try_at=depth["NEXT_TRY_AT"],
        ),
        measures=tuple(
            Measure(item.objective, item.value, item.since, details.get(item.objective.key, ""))
            for item in monitor.measure(figures, reader.settings)
            if item.objective.key != slo.UNREADABLE.key  # without an answer there is no page
        ),
        oldest_pending=oldest,
        latencies=latencies,
        doctor=_doctor(rows("last_doctor")),
        cost=_cost(reader, fresh=fresh),
        read_at=datetime.now(UTC),
    )


def _details(
    figures: monitor.Figures, depth: Row, leases: Row, latencies: Sequence[CompletionLatency]
) -> dict[str, str]:
    """Key of an objective to which type, claim or number it is about."""
    waiting = min(figures.waiting(), default=None)
    settled = figures.of_last_day("SETTLED_TASKS")
    slowest = max(latencies, key=lambda item: item.max_minutes, default=None)
    return {
        slo.DUE_JOBS.key: f"{depth['DUE_TASKS']} types",
        slo.OLDEST_PENDING.key: waiting[1] if waiting else "Nothing is pending",
        slo.FAILURE_RATE.key: (
            f"{sum(bucket.part for bucket in settled)} of {sum(bucket.amount for bucket in settled)} types"
            if settled
            else "Nothing settled"
        ),
        slo.COMPLETION_LATENCY.key: slowest.enrichment_type if slowest else "Nothing completed",
        slo.STALE_LEASES.key: leases["CLAIMED_BY"] or "No lease has expired",
    }


def _oldest(row: Row) -> OldestPending:
    return OldestPending(
        enrichment_type=row["ENRICHMENT_TYPE"],
        run_id=row["RUN_ID"],
        age_minutes=int(row["AGE_MINUTES"]),
        due_at=row["DUE_AT"],
        overdue_minutes=None if row["OVERDUE_MINUTES"] is None else int(row["OVERDUE_MINUTES"]),
        reason_code=row["REASON_CODE"],
    )


def _latency(row: Row) -> CompletionLatency:
    return CompletionLatency(
        enrichment_type=row["ENRICHMENT_TYPE"],
        tasks=row["TASKS"],
        median_minutes=float(row["MEDIAN_MINUTES"]),
        max_minutes=float(row["MAX_MINUTES"]),
    )


def _doctor(rows: Sequence[Row]) -> Doctor | None:
    if not rows:
        return None
    findings = [_finding(row) for row in rows if row["STATUS"] is not None]
    return Doctor(
        ran_at=rows[0]["STARTED_AT"],
        performed_by=rows[0]["PERFORMED_BY"],
        status=rows[0]["DOCTOR_STATUS"],
        views=tuple(item for item in findings if item.check == "view"),
        others=tuple(item for item in findings if item.check != "view" and item.status != "OK"),
    )


def _finding(row: Row) -> DoctorFinding:
    return DoctorFinding(
        check=row["CHECK_NAME"],
        subject=row["SUBJECT"],
        status=row["STATUS"],
        message=row["MESSAGE"],
        next_action=row["NEXT_ACTION"] or None,
    )


def _cost(reader: Reader, *, fresh: bool) -> OwnCost | Unavailable:
    end = _floor(datetime.now(UTC).replace(tzinfo=None))
    start = end - timedelta(hours=COST_HOURS)
    binds = {
        "query_tag": reader.settings.query_tag,
        "window_start": start.isoformat(sep=" "),
        "window_end": end.isoformat(sep=" "),
    }
    try:
        (row,) = reader.rows("page/own_cost.sql", binds, fresh=fresh)
    except Unavailable as reason:
        return reason
    return OwnCost(
        statements=row["STATEMENTS"],
        sessions=row["SESSIONS"],
        warehouse_statements=row["WAREHOUSE_STATEMENTS"],
        warehouse_seconds=float(row["WAREHOUSE_SECONDS"]),
        failed_statements=row["FAILED_STATEMENTS"],
        newest_start_time=row["NEWEST_START_TIME"],
        window_start=start.replace(tzinfo=UTC),
        window_end=end.replace(tzinfo=UTC),
    )


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute - moment.minute % _COST_STEP_MINUTES, second=0, microsecond=0)
