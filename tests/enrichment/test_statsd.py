"""What arrives at a StatsD server: Airflow's own client, as a deployment configures it, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from include.enrichment import metrics, slo
from include.enrichment.monitor import Measurement

pytest.importorskip("statsd", reason="of apache-airflow[statsd]: `make lock`")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A StatsD server as far as its socket; Airflow's client, told by its configuration, sends to it."""
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(receiver.getsockname()[1]))
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
        yield receiver
    monkeypatch.undo()
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def received(server: socket.socket, count: int) -> list[str]:
    return sorted(server.recv(4096).decode() for _ in range(count))


def test_counters_timers_and_gauges_arrive_under_the_names_of_the_rules(server: socket.socket) -> None:
    metrics.claimed(3, 1)
    metrics.ended("AGGREGATE", "failed", "TASK_TIMEOUT", timedelta(seconds=2))
    metrics.ended("QUERY_HISTORY", "completed", None, timedelta(seconds=1), rows_written=7)
    metrics.measured([Measurement(slo.DUE_JOBS, 51)], 8)
    assert received(server, 9) == [
        "airflow.flakebench_enrichment.due_backfill_jobs:8|g",
        "airflow.flakebench_enrichment.due_jobs:51|g",
        "airflow.flakebench_enrichment.rows_written,type=QUERY_HISTORY:7|c",
        "airflow.flakebench_enrichment.tasks_claimed:3|c",
        "airflow.flakebench_enrichment.tasks_ended,type=AGGREGATE,outcome=failed,reason=TASK_TIMEOUT:1|c",
        "airflow.flakebench_enrichment.tasks_ended,type=QUERY_HISTORY,outcome=completed,reason=none:1|c",
        "airflow.flakebench_enrichment.tasks_left:1|g",
        "airflow.flakebench_enrichment.try_duration,type=AGGREGATE,outcome=failed:2000.000000|ms",
        "airflow.flakebench_enrichment.try_duration,type=QUERY_HISTORY,outcome=completed:1000.000000|ms",
    ]
