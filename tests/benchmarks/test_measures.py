"""What the benchmarks measure with: a wrong ruler shows no wrong figure."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.cpu import cpu_seconds
from benchmarks.freshness import PHASES, SCHEDULE_MINUTES, runs_about_to_be_due
from benchmarks.memory import forget_peak, peak_rss
from benchmarks.origin_plan import POLL_SECONDS, Simulation
from benchmarks.passes import Pass, Span
from benchmarks.sent_statements import SentStatement
from include.enrichment.catalogue import HYBRID_TABLE_TYPES

NOW = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)


def span(first: float, last: float) -> Span:
    return Span(NOW + timedelta(seconds=first), NOW + timedelta(seconds=last))


def test_the_time_between_the_steps_of_a_pass_is_the_schedulers() -> None:
    done = Pass("run", NOW, NOW + timedelta(seconds=60), 3, (), 0, span(1, 3), span(5, 40), span(42, 43))
    assert done.between == 4.0
    assert done.seconds == 60.0


@pytest.mark.parametrize(("jobs", "polls"), [(1, 1), (3, 1), (4, 2), (34, 12), (100, 34)])
def test_the_origin_plan_sleeps_after_every_three_jobs_but_not_after_the_last(jobs: int, polls: int) -> None:
    plan = Simulation(jobs, statements=0, working=7.0)
    assert plan.polls == polls
    assert plan.seconds == (polls - 1) * POLL_SECONDS + 7.0


def test_each_type_that_a_run_of_today_has_becomes_due_in_every_third_of_the_schedule() -> None:
    watched = list(runs_about_to_be_due(NOW))
    assert {item.entry.name for item in watched} == {"QUERY_HISTORY", "QUERY_INSIGHTS", "AGGREGATE", "LOCK_CONTENTION"}
    assert len({item.run_id for item in watched}) == len(watched)
    for item in watched:
        assert item.ended_at + item.entry.due_after - NOW in PHASES
        assert timedelta(0) <= item.ended_at - (item.account.runs[0].ended_at or NOW) < timedelta(minutes=1)
        if item.entry.table_types == HYBRID_TABLE_TYPES:
            assert item.account.runs[0].table_type in HYBRID_TABLE_TYPES
    assert {phase.total_seconds() * 3 // (60 * SCHEDULE_MINUTES) % 3 for phase in PHASES} == {0, 1, 2}


def test_memory_that_was_given_back_counts_until_it_is_forgotten() -> None:
    pid = os.getpid()
    forget_peak(pid)
    before = peak_rss(pid)
    block = bytearray(os.urandom(1_000_000) * 100)
    del block
    assert peak_rss(pid) >= before + 95
    forget_peak(pid)
    assert peak_rss(pid) < before + 95


def test_the_cpu_time_of_what_a_process_started_counts_after_its_end() -> None:
    pid = os.getpid()
    before = cpu_seconds({"tests": pid})["tests"]
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_seconds({"tests": pid})["tests"] >= before + 0.3


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("-- step: write\nINSERT INTO DB.S.T (A)\nSELECT 1", "INSERT INTO T"),
        (
            "CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_SOURCE AS\nSELECT 1",
            "CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_SOURCE",
        ),
        ("MERGE INTO DB.S.T AS t USING u", "MERGE INTO T"),
        ("SELECT\n  A,\n  B\nFROM T", "SELECT A, B FROM"),
    ],
)
def test_a_statement_is_named_by_what_it_does_to_which_table(text: str, title: str) -> None:
    assert SentStatement(text, 1.0, 1).title == title
