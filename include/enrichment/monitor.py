"""What ``enrichment_monitor`` measures: the figures of ``monitor/figures.sql`` compared with now.

Pure but for :func:`read_buckets`, whose times are naive UTC. Snowflake's answer has no clock in it, see the template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from include.enrichment import slo
from include.enrichment.catalogue import CATALOGUE
from include.enrichment.snowflake import AUTOCOMMIT_OF_LOGIN, rows_as_mappings
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.settings import Settings
    from include.enrichment.slo import Level, Objective

DAY = timedelta(hours=24)
DONE_WITHIN = timedelta(hours=4)
TARGET = timedelta(minutes=210)

_DUE_AFTER = {entry.name: entry.due_after for entry in CATALOGUE}


@dataclass(frozen=True)
class Bucket:
    """One row of ``monitor/figures.sql``; its header says what the amounts are of each figure."""

    figure: str
    bucket_at: datetime | None
    enrichment_type: str | None
    amount: int
    part: int
    total: float
    oldest_at: datetime | None
    newest_at: datetime | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Bucket:
        """:param row: by column name"""
        return cls(
            figure=row["FIGURE"],
            bucket_at=row["BUCKET_AT"],
            enrichment_type=row["ENRICHMENT_TYPE"],
            amount=int(row["AMOUNT"]),
            part=int(row["PART"]),
            total=float(row["TOTAL"] or 0),
            oldest_at=row["OLDEST_AT"],
            newest_at=row["NEWEST_AT"],
        )


@dataclass(frozen=True)
class Measurement:
    """One number with its objective.

    :param value: in the objective's unit; None: there was nothing to measure
    :param since: when it began, where the figures tell
    """

    objective: Objective
    value: float | None
    since: datetime | None = None

    @property
    def level(self) -> Level:
        """How it stands."""
        return self.objective.level(self.value)


def monitor_parameters(settings: Settings) -> dict[str, Any]:
    """Bind parameters of ``monitor/figures.sql``; they change with the settings only."""
    return {
        "statuses": list(settings.discover_statuses),
        "look_back_days": settings.look_back_days,
        "later_types": [entry.name for entry in CATALOGUE if entry.due_after > TARGET],
    }


def read_buckets(hook: DbApiHook, settings: Settings) -> list[Bucket]:
    """Ask Snowflake; an unchanged queue is answered from its result cache."""
    rows = hook.run(
        render("monitor/figures.sql", settings),
        autocommit=AUTOCOMMIT_OF_LOGIN,
        parameters=monitor_parameters(settings),
        handler=rows_as_mappings,
    )
    return [Bucket.from_row(row) for row in cast("list[Mapping[str, Any]]", rows or [])]


def measure(figures: Figures, settings: Settings) -> list[Measurement]:
    """Every objective with its value of now, in the order of the table."""
    table = slo.objectives(settings.thresholds)
    return [Measurement(objective, *_MEASURES[key](figures)) for key, objective in table.items()]


def unreadable(settings: Settings) -> Measurement:
    """What is measured when Snowflake gave no answer."""
    return Measurement(slo.objectives(settings.thresholds)[slo.UNREADABLE.key], 1)


Value = tuple[float | None, datetime | None]
"""A value and since when."""


@dataclass(frozen=True)
class Figures:
    """The buckets, asked with the time of now.

    :param now: UTC, naive or aware as the buckets' times are
    """

    buckets: Sequence[Bucket]
    now: datetime
    look_back: timedelta

    @classmethod
    def of_now(cls, buckets: Iterable[Bucket], settings: Settings, now: datetime) -> Figures:
        """What Snowflake answered, at a moment."""
        return cls(tuple(buckets), now, timedelta(days=settings.look_back_days))

    def of(self, figure: str) -> list[Bucket]:
        """Every bucket of a figure."""
        return [bucket for bucket in self.buckets if bucket.figure == figure]

    def passed(self, figure: str) -> list[Bucket]:
        """Buckets, of a minute each, whose last row's time has come."""
        return [bucket for bucket in self.of(figure) if bucket.newest_at is not None and bucket.newest_at <= self.now]

    def of_last_day(self, figure: str) -> list[Bucket]:
        """Buckets that reach into the last 24 hours; what lies before in the oldest one's hour counts as well."""
        return [
            bucket for bucket in self.of(figure) if bucket.newest_at is not None and bucket.newest_at > self.now - DAY
        ]

    def due_jobs(self) -> Value:
        """Jobs that may be tried now, backfill apart."""
        return _counted(self.passed("DUE_JOBS"))

    def due_backfill_jobs(self) -> Value:
        """Jobs of a backfill that may be tried now."""
        return _counted(self.passed("BACKFILL_JOBS"))

    def stale_leases(self) -> Value:
        """Tasks whose lease has ended; a lease without an end is nobody's."""
        endless = [bucket for bucket in self.of("LEASES") if bucket.newest_at is None]
        return _counted([*self.passed("LEASES"), *endless])

    def waiting(self) -> list[tuple[datetime, str]]:
        """Since when the task of each type that waits longest is due, backfill apart.

        Tries that ended without a result do not make it young; a person's retry does.
        """
        first_due = [(bucket, timedelta()) for bucket in self.of("UNTRIED")]
        first_due += [
            (bucket, _DUE_AFTER.get(bucket.enrichment_type or "", timedelta())) for bucket in self.of("WAITING")
        ]
        return [
            (bucket.oldest_at + due_after, bucket.enrichment_type or "")
            for bucket, due_after in first_due
            if bucket.oldest_at is not None
        ]

    def oldest_pending(self) -> Value:
        """Minutes since the first due time of the task that waits longest."""
        due = [moment for moment, _ in self.waiting()]
        if not due:
            return None, None
        return max((self.now - min(due)) / timedelta(minutes=1), 0), min(due)

    def failure_rate(self) -> Value:
        """Percent of the tasks that were tried and settled."""
        return _share(self.of_last_day("SETTLED_TASKS"), lambda bucket: bucket.part)

    def failed_jobs(self) -> Value:
        """Jobs of which a type failed, of backfill as well: a number is not hidden by many others, as a rate is."""
        settled = [*self.of_last_day("SETTLED_JOBS"), *self.of_last_day("SETTLED_BACKFILL_JOBS")]
        failed = [bucket for bucket in settled if bucket.part]
        return sum(bucket.part for bucket in failed), _oldest(failed)

    def average_attempts(self) -> Value:
        """Attempts of the type that needed most, over the jobs that settled."""
        settled = self.of_last_day("SETTLED_JOBS")
        jobs = sum(bucket.amount for bucket in settled)
        return (sum(bucket.total for bucket in settled) / jobs if jobs else None), None

    def completion_latency(self) -> Value:
        """Minutes from due to completed of the slowest."""
        completed = self.of_last_day("COMPLETED_TASKS")
        return max((bucket.total / 60 for bucket in completed), default=None), None

    def not_done_within(self, limit: timedelta, done: Callable[[Bucket], float]) -> Value:
        """Percent of the runs of a day, the day ending when the newest had time enough, that are not done.

        :param limit: after the run's end
        :param done: how many jobs of a bucket were
        """
        until = self.now - limit

        def in_window(bucket: Bucket) -> bool:
            return bucket.newest_at is not None and until - DAY < bucket.newest_at <= until

        jobs = [bucket for bucket in self.of("ENDED_JOBS") if in_window(bucket)]
        # a run without a job is not done either, unless it had ended before the package was there
        runs = [replace(bucket, amount=bucket.part, part=0) for bucket in self.of("UNKNOWN_RUNS") if in_window(bucket)]
        return _share([*jobs, *runs], lambda bucket: bucket.amount - done(bucket))

    def missed_runs(self) -> Value:
        """Finished runs that ended before the look-back and have no job: nothing finds them any more."""
        limit = self.now - self.look_back
        return _counted(
            [bucket for bucket in self.of("UNKNOWN_RUNS") if bucket.newest_at is not None and bucket.newest_at < limit]
        )


_MEASURES: dict[str, Callable[[Figures], Value]] = {
    slo.DUE_JOBS.key: Figures.due_jobs,
    slo.BACKLOG.key: Figures.due_jobs,
    slo.OLDEST_PENDING.key: Figures.oldest_pending,
    slo.FAILURE_RATE.key: Figures.failure_rate,
    slo.FAILED_JOBS.key: Figures.failed_jobs,
    slo.COMPLETION_LATENCY.key: Figures.completion_latency,
    slo.LATE_JOBS.key: lambda figures: figures.not_done_within(DONE_WITHIN, lambda bucket: bucket.part),
    slo.SLOW_JOBS.key: lambda figures: figures.not_done_within(TARGET, lambda bucket: bucket.total),
    slo.STALE_LEASES.key: Figures.stale_leases,
    slo.AVERAGE_ATTEMPTS.key: Figures.average_attempts,
    slo.MISSED_RUNS.key: Figures.missed_runs,
    slo.UNREADABLE.key: lambda _figures: (0, None),
}


def _counted(buckets: Sequence[Bucket]) -> Value:
    return sum(bucket.amount for bucket in buckets), _oldest(buckets)


def _share(buckets: Sequence[Bucket], part: Callable[[Bucket], float]) -> Value:
    whole = sum(bucket.amount for bucket in buckets)
    if not whole:
        return None, None
    counted = [bucket for bucket in buckets if part(bucket)]
    return 100 * sum(part(bucket) for bucket in counted) / whole, _oldest(counted)


def _oldest(buckets: Sequence[Bucket]) -> datetime | None:
    return min((bucket.oldest_at for bucket in buckets if bucket.oldest_at is not None), default=None)
