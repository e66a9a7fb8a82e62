"""The processor of the plan that this package replaces, simulated: three jobs a poll, one after the other.

Its statements really run, one after the other on one session of the same embedded Snowflake, over the same runs. Its
waiting is computed from its poll interval, because nothing is learnt by sleeping for an hour.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.enrichment.catalogue import CATALOGUE, HYBRID_TABLE_TYPES
from local.deployment import Deployment
from local.sample.runs import SampleRun

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

POLL_SECONDS = 300
JOBS_A_POLL = 3
DUE_AFTER = max(entry.due_after for entry in CATALOGUE)
"""A job is due when the slowest of the views is: nothing of a run is there before."""

_STEP = re.compile(r"^-- step: (\w+)$", re.MULTILINE)
_PAD = timedelta(minutes=10)
_OF_ALL_TABLES = ("QUERY_HISTORY", "QUERY_INSIGHTS", "AGGREGATE")
_OF_HYBRID_TABLES = (*_OF_ALL_TABLES, "LOCK_CONTENTION", "HYBRID_CREDITS")


@dataclass(frozen=True)
class Simulation:
    """What the processor needed for some jobs.

    :param working: seconds of its statements, measured
    """

    jobs: int
    statements: int
    working: float

    @property
    def polls(self) -> int:
        """How often it wakes up; the first time at once."""
        return ceil(self.jobs / JOBS_A_POLL)

    @property
    def seconds(self) -> float:
        """From its first poll until the last job is done: it sleeps after each poll but the last."""
        return self.working + (self.polls - 1) * POLL_SECONDS


def simulate(deployment: Deployment, runs: Sequence[SampleRun]) -> Simulation:
    """Let it work on these runs, in a schema of its own."""
    statements = dict(_statements())
    with closing(deployment.connect()) as session:
        _execute(session, statements["prepare"], None)
        started = time.monotonic()
        sent = sum(_process(session, statements, run) for run in runs)
        return Simulation(len(runs), sent, time.monotonic() - started)


def _process(session: SnowflakeConnection, statements: dict[str, list[str]], run: SampleRun) -> int:
    types = _OF_HYBRID_TABLES if run.table_type.upper() in HYBRID_TABLE_TYPES else _OF_ALL_TABLES
    binds = {
        "job_id": run.run_id,
        "run_id": run.run_id,
        "child_tags": [str(child.stored_tag).split(":phase=")[0] for child in run.children],
        "window_start": (run.started_at - _PAD).isoformat(),
        "window_end": ((run.ended_at or run.started_at) + _PAD).isoformat(),
    }
    return sum(_execute(session, statements[step], binds) for step in ("claim", *types, "complete"))


def _execute(session: SnowflakeConnection, statements: Sequence[str], binds: dict[str, Any] | None) -> int:
    for statement in statements:
        session.cursor().execute(statement, binds)
    return len(statements)


def _statements() -> Iterator[tuple[str, list[str]]]:
    """The name of each step of ``origin_plan.sql`` with its statements."""
    from snowflake.connector.util_text import split_statements

    _, *parts = _STEP.split(Path(__file__).with_suffix(".sql").read_text())
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        yield name, [found for found, _ in split_statements(io.StringIO(text), remove_comments=True) if found]
