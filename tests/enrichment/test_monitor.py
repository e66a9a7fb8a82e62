"""What the monitor makes of the figures at a given time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.enrichment import monitor, slo
from include.enrichment.monitor import Bucket
from include.enrichment.settings import ConfigurationError, Settings, parse
from include.enrichment.slo import OBJECTIVES, Level

NOW = datetime(2026, 3, 2, 12, 0)


def bucket(figure: str, ago: timedelta, amount: int = 1, part: int = 0, total: float = 0, kind: str = "") -> Bucket:
    moment = NOW - ago
    return Bucket(figure, moment.replace(minute=0), kind or None, amount, part, total, moment, moment)


def values(*buckets: Bucket) -> dict[str, float | None]:
    found = monitor.measure(monitor.Figures.of_now(buckets, Settings(), NOW), Settings())
    return {measurement.objective.key: measurement.value for measurement in found}


def test_every_objective_is_measured() -> None:
    assert list(values()) == [objective.key for objective in OBJECTIVES]


def test_nothing_to_measure_is_unknown_and_not_good() -> None:
    found = values()
    assert [key for key, value in found.items() if value is None] == [
        "oldest_pending",
        "failure_rate",
        "completion_latency",
        "late_jobs",
        "slow_jobs",
        "average_attempts",
    ]
    assert slo.FAILURE_RATE.level(None) is Level.UNKNOWN


def test_depth_counts_what_is_due_now_backfill_apart() -> None:
    due, later = bucket("DUE_JOBS", timedelta(hours=1), 60), bucket("DUE_JOBS", -timedelta(minutes=1), 500)
    found = values(due, later, bucket("BACKFILL_JOBS", timedelta(hours=1), 900))
    assert (found["due_jobs"], found["backlog"]) == (60, 60)


def test_a_pending_task_ages_from_its_first_due_time_whatever_its_next_is() -> None:
    found = values(
        bucket("WAITING", timedelta(hours=10), kind="AGGREGATE"),
        bucket("WAITING", timedelta(hours=2), kind="QUERY_HISTORY"),
    )
    assert found["oldest_pending"] == (10 * 60 - 195)


def test_a_task_that_was_not_tried_since_it_was_queued_ages_from_its_due_time() -> None:
    assert values(bucket("UNTRIED", timedelta(minutes=7), kind="AGGREGATE"))["oldest_pending"] == 7


def test_what_is_not_due_yet_has_waited_for_no_time() -> None:
    assert values(bucket("WAITING", timedelta(minutes=5), kind="AGGREGATE"))["oldest_pending"] == 0


def test_rates_are_of_the_last_24_hours_and_backfill_is_in_the_number_of_failed_jobs_only() -> None:
    day_before = timedelta(hours=25)
    found = values(
        bucket("SETTLED_TASKS", timedelta(hours=23), 10, 1),
        bucket("SETTLED_TASKS", day_before, 10, 10),
        bucket("SETTLED_JOBS", timedelta(hours=2), 4, 3, 10),
        bucket("SETTLED_BACKFILL_JOBS", timedelta(hours=2), 10, 2, 10),
        bucket("SETTLED_JOBS", day_before, 50, 50, 500),
        bucket("COMPLETED_TASKS", timedelta(hours=2), 5, 0, 90),
        bucket("COMPLETED_TASKS", day_before, 5, 0, 90_000),
    )
    assert found["failure_rate"] == 10
    assert (found["failed_jobs"], found["average_attempts"]) == (5, 2.5)
    assert found["completion_latency"] == 1.5


def test_only_a_lease_that_has_ended_is_stale() -> None:
    assert (
        values(bucket("LEASES", timedelta(minutes=1), 2), bucket("LEASES", -timedelta(minutes=1), 9))["stale_leases"]
        == 2
    )


def test_a_job_is_late_only_when_it_had_time_enough_and_a_run_without_a_job_is_not_done() -> None:
    found = values(
        bucket("ENDED_JOBS", timedelta(hours=5), 8, part=6, total=4),
        bucket("ENDED_JOBS", timedelta(hours=3, minutes=45), 8, part=0, total=0),
        bucket("ENDED_JOBS", timedelta(hours=29), 100, part=0),
        bucket("UNKNOWN_RUNS", timedelta(hours=6), 5, part=2),
    )
    assert found["late_jobs"] == 40
    assert found["slow_jobs"] == pytest.approx(100 * (4 + 8 + 2) / 18)


def test_a_finished_run_is_missed_when_it_has_left_the_look_back() -> None:
    found = values(bucket("UNKNOWN_RUNS", timedelta(days=7, hours=1), 3), bucket("UNKNOWN_RUNS", timedelta(days=6), 5))
    assert found["missed_runs"] == 3


def test_a_threshold_is_passed_above_it_and_can_be_overridden_or_switched_off() -> None:
    assert [slo.DUE_JOBS.level(value) for value in (50, 51, 200, 201)] == [
        Level.OK,
        Level.WARNING,
        Level.WARNING,
        Level.CRITICAL,
    ]
    table = slo.objectives({"due_jobs": {"warning": 10, "critical": None}})
    assert [table["due_jobs"].level(value) for value in (10, 11, 999)] == [Level.OK, Level.WARNING, Level.WARNING]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('{"depth": {"warning": 1}}', "unknown objectives"),
        ('{"due_jobs": {"warning": 300}}', "warning 300 is above critical 200"),
        ("{", "it is not JSON"),
    ],
)
def test_a_threshold_that_means_nothing_is_refused_by_name(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse({"FLAKEBENCH_ENRICHMENT_THRESHOLDS": value})
