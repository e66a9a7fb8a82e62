"""What is sent to Airflow's Stats; its backend alone is replaced."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.enrichment import metrics, slo
from include.enrichment.monitor import Measurement


class Backend:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, str] | None = None) -> None:
        self.sent.append((stat, count, tags or {}))

    def gauge(self, stat: str, value: float) -> None:
        self.sent.append((stat, value))

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, str] | None = None) -> None:
        self.sent.append((stat, dt, tags or {}))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    backend = Backend()
    monkeypatch.setattr("airflow.sdk._shared.observability.metrics.stats._get_backend", lambda: backend)
    return backend.sent


def test_a_try_is_counted_by_type_outcome_and_reason_and_timed(sent: list[tuple[Any, ...]]) -> None:
    metrics.ended("AGGREGATE", "failed", "TASK_TIMEOUT", timedelta(seconds=2))
    tags = {"type": "AGGREGATE", "outcome": "failed"}
    assert sent == [
        ("flakebench_enrichment.tasks_ended", 1, {**tags, "reason": "TASK_TIMEOUT"}),
        ("flakebench_enrichment.try_duration", timedelta(seconds=2), tags),
    ]


def test_written_rows_are_counted_by_type(sent: list[tuple[Any, ...]]) -> None:
    metrics.ended("AGGREGATE", "completed", None, timedelta(), rows_written=7)
    assert sent[-1] == ("flakebench_enrichment.rows_written", 7, {"type": "AGGREGATE"})


def test_an_exporter_that_keeps_values_shows_no_old_one_when_there_is_nothing_to_measure(
    sent: list[tuple[Any, ...]],
) -> None:
    metrics.measured([Measurement(slo.FAILURE_RATE, None), Measurement(slo.DUE_JOBS, 3, datetime(2026, 3, 1))], 8)
    assert [entry[1] for entry in sent[:-1]] == [0, 3, 8]
    assert sent[-1] == ("flakebench_enrichment.looked_at", pytest.approx(time.time(), abs=60))


def test_every_metric_that_is_sent_is_in_the_lists_that_the_dashboard_is_made_from(sent: list[tuple[Any, ...]]) -> None:
    metrics.claimed(3, 1)
    metrics.ended("AGGREGATE", "completed", None, timedelta(), rows_written=7)
    metrics.measured([Measurement(objective, 1) for objective in slo.OBJECTIVES], 0)
    listed = {*metrics.COUNTERS, *metrics.TIMERS, *metrics.GAUGES, *(objective.key for objective in slo.OBJECTIVES)}
    assert {entry[0].removeprefix("flakebench_enrichment.") for entry in sent} == listed
