"""A very large run: does every template stay within its statement timeout, and is the memory bounded?"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.embedded import CONN_ID, embedded
from benchmarks.memory import forget_peak, peak_rss
from benchmarks.report import Row, publish
from benchmarks.sent_statements import SentStatement, sent_statements
from include.enrichment.catalogue import CATALOGUE
from include.enrichment.settings import Settings
from local.environment import QUIET
from local.processes import StoppedError, stop_on_signals

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from local.connection import LocalConnection

RUN_ID = "big-run-0"
RUNS, CHILDREN, EXECUTIONS, AGGREGATE_ROWS = 10, 64, 31_250, 60_000
_AGE = timedelta(hours=6)  # every type is due
SERVER_MB = 4_000.0
"""Largest memory allowed of the embedded Snowflake, MB."""

CLIENT_MB = 50.0
"""Largest growth allowed of the process that sends the statements, MB."""

TASK_ROWS = 1
"""What a statement of a task may return: everything is computed in Snowflake."""

_SENSOR, _TASK = "wait_for_due_work", "enrich"
_SCHEMA = "INFORMATION_SCHEMA"

_JOB_ROW = """
INSERT INTO DELAYED_ENRICHMENT_QUEUE (JOB_ID, TEST_ID, RUN_ID, TABLE_TYPE, ENRICHMENT_TYPES)
SELECT MD5(%(run_id)s), %(run_id)s, %(run_id)s, 'STANDARD', PARSE_JSON('[]')
"""
_TASK_ROW = """
INSERT INTO DELAYED_ENRICHMENT_TASKS
  (JOB_ID, TEST_ID, RUN_ID, ENRICHMENT_TYPE, STATUS, PRIORITY, DUE_AT, ATTEMPTS, SNOOZES)
SELECT MD5(%(run_id)s), %(run_id)s, %(run_id)s, %(type)s, 'PENDING', 0, SYSDATE(), 0, 0
"""


@dataclass(frozen=True)
class Step:
    """One part of the package at work on the run.

    :param group: of steps that are shown in one row
    :param server_mb: largest resident memory of the embedded Snowflake meanwhile
    :param client_mb: growth of this process meanwhile
    """

    group: str
    name: str
    statements: tuple[SentStatement, ...]
    server_mb: float
    client_mb: float

    @property
    def slowest(self) -> SentStatement:
        return max(self.statements, key=lambda item: item.seconds)

    @property
    def seconds(self) -> float:
        return sum(item.seconds for item in self.statements)


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when a bar is missed
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_run", description=__doc__)
    parser.add_argument("--executions", type=int, default=EXECUTIONS, help=f"of each of the {CHILDREN} children")
    options = parser.parse_args(arguments)
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)) as server:
            seconds = generate(server.connection, options.executions)
            steps = list(measure(server.pid))
    except StoppedError:
        return 128 + signal.SIGINT
    return 0 if publish("big-run", figures(steps, options.executions, seconds)) else 1


def generate(connection: LocalConnection, executions: int) -> float:
    """Let the engine make the account of ``big_run.sql``, and queue the run with every enrichment type.

    :param executions: of each child
    :returns: seconds
    """
    import snowflake.connector
    from snowflake.connector.util_text import split_statements

    ended_at = (datetime.now(UTC) - _AGE).replace(second=0, microsecond=0, tzinfo=None)
    binds = {
        "runs": RUNS,
        "children": CHILDREN,
        "executions": executions,
        "aggregate_rows": AGGREGATE_ROWS,
        "ended_at": ended_at.isoformat(sep=" "),
    }
    text = Path(__file__).with_suffix(".sql").read_text()
    started = time.monotonic()
    with closing(snowflake.connector.connect(**connection.connector_kwargs(TIMEZONE="UTC"))) as session:
        cursor = session.cursor()
        for statement, _ in split_statements(io.StringIO(text), remove_comments=True):
            if statement:
                cursor.execute(statement, binds)
        cursor.execute(_JOB_ROW, {"run_id": RUN_ID})
        for entry in (entry for entry in CATALOGUE if not entry.is_optional):
            cursor.execute(_TASK_ROW, {"run_id": RUN_ID, "type": entry.name})
    return time.monotonic() - started


def measure(server: int) -> Iterator[Step]:
    """Enrich the run as a pass does, then clean up and ask every question of the monitor.

    :param server: process id of the embedded Snowflake
    """
    from include.enrichment import cleanup, queue
    from include.enrichment.lifecycle import ClaimedTask
    from include.enrichment.snowflake import open_hook
    from include.enrichment.templates import paths, render

    settings = Settings()
    hook = open_hook(CONN_ID, settings)
    sensor = render("queue/next_due.sql", settings)
    yield _step(_SENSOR, "", server, lambda: hook.get_records(sensor, queue.sensor_parameters(settings)))
    claims: list[queue.Claim] = []

    def claim() -> None:
        claims.append(queue.claim_due_tasks(hook, settings, claimed_by="benchmark", lease_minutes=90))

    yield _step("claim_due_tasks", "", server, claim)
    tasks = [ClaimedTask(**task) for task in claims[0].tasks]
    for task in tasks:
        yield _step(f"{_TASK} {task.enrichment_type}", "", server, partial(enrich, hook, settings, task))
    yield _step("roll_up_jobs", "", server, partial(queue.settle_jobs, hook, settings))
    yield _step("mirror", "", server, partial(queue.mirror, CONN_ID, settings, tasks[0].claim_token))
    for name in cleanup.STEPS:
        yield _step("steps of the cleanup", name, server, partial(cleanup.run_step, name, CONN_ID, settings))
    binds = _monitor_binds()
    for path in paths():
        if path.startswith("monitor/"):
            question = partial(hook.get_records, render(path, settings), binds)
            yield _step("questions of the monitor", Path(path).stem, server, question)


def enrich(hook: SnowflakeHook, settings: Settings, task: Any) -> None:
    """One try of a task, statement by statement as the operator of the mapped tasks sends them."""
    from include.enrichment.lifecycle import Attempt
    from include.enrichment.templates import render

    attempt = Attempt(task, settings, try_number=1, claimed_by="benchmark", lease_minutes=90)
    hook.run(
        render(attempt.entry.template, settings),
        autocommit=True,
        parameters=attempt.parameters,
        handler=attempt.observe,
        return_last=False,
    )
    if attempt.decision is None or attempt.decision.status != "COMPLETED":
        raise RuntimeError(f"{attempt.summary()}: the benchmark measures nothing")
    print(f"  {attempt.summary()}", flush=True)


def _monitor_binds() -> Mapping[str, Any]:
    now = datetime.now(UTC)
    return {
        "run_id": RUN_ID,
        "window_start": (now - timedelta(days=1)).isoformat(),
        "window_end": now.isoformat(),
        "usage_start": (now - timedelta(days=2)).isoformat(),
    }


def _step(group: str, name: str, server: int, work: Callable[[], object]) -> Step:
    for pid in (server, os.getpid()):
        forget_peak(pid)
    before = peak_rss(os.getpid())
    with sent_statements() as statements:
        work()
    return Step(group, name, tuple(statements), peak_rss(server), peak_rss(os.getpid()) - before)


def figures(steps: list[Step], executions: int, generated: float) -> list[Row]:
    """The tables' sizes, the slowest statements, memory and rows."""
    run = CHILDREN * executions
    size = Row(
        "the run",
        f"{CHILDREN} children, {run:,} executions, {AGGREGATE_ROWS:,} rows of AGGREGATE_QUERY_HISTORY",
        f"{run * RUNS:,} executions in the table, {run:,} statements of others in the window; "
        f"made in {generated:.0f} s",
    )
    groups: dict[str, list[Step]] = {}
    for step in steps:
        groups.setdefault(step.group, []).append(step)
    return [size, *map(timing, groups.values()), *memory_figures(steps), *returned_rows(steps)]


def timing(steps: list[Step]) -> Row:
    """The slowest statement of some steps."""
    timeout = Settings().statement_timeout_seconds
    step = max(steps, key=lambda item: item.slowest.seconds)
    slowest = step.slowest
    name = steps[0].group if len(steps) == 1 else f"{steps[0].group} ({len(steps)}; slowest: {step.name})"
    statements = sum(len(item.statements) for item in steps)
    return Row(
        name,
        f"{slowest.seconds:.1f} s: {slowest.title}",
        f"{100 * slowest.seconds / timeout:.0f} % of its timeout; {statements} statements in "
        f"{sum(item.seconds for item in steps):.1f} s; server {max(item.server_mb for item in steps):,.0f} MB",
        f"<= {timeout} s a statement",
        slowest.seconds <= timeout,
    )


def memory_figures(steps: list[Step]) -> list[Row]:
    """The largest of both processes."""
    server = max(steps, key=lambda item: item.server_mb)
    client = max(steps, key=lambda item: item.client_mb)
    return [
        Row(
            "memory of the embedded Snowflake",
            f"{server.server_mb:,.0f} MB RSS",
            f"in {server.group} {server.name}; {server.server_mb / steps[0].server_mb:.1f} x that of the sensor",
            f"<= {SERVER_MB:,.0f} MB",
            server.server_mb <= SERVER_MB,
        ),
        Row(
            "memory of the process that sends the statements",
            f"+ {client.client_mb:.1f} MB RSS",
            f"in {client.group} {client.name}",
            f"<= + {CLIENT_MB:.0f} MB",
            client.client_mb <= CLIENT_MB,
        ),
    ]


def returned_rows(steps: list[Step]) -> list[Row]:
    """What came back to Python; the answer about the schema is as long as the schema, whatever the runs."""
    enriching = [(step, item) for step in steps if step.group.startswith(_TASK) for item in step.statements]
    others = [(step, item) for step in steps if not step.group.startswith(_TASK) for item in step.statements]
    schema = [(step, item) for step, item in others if _SCHEMA in item.text]
    of_runs = [(step, item) for step, item in others if _SCHEMA not in item.text]
    return [
        _most_rows("a statement of a task", enriching, TASK_ROWS, "a row"),
        _most_rows("a statement for all runs", of_runs, CHILDREN, "a row per child"),
        _most_rows("a question about the schema", schema, None, ""),
    ]


def _most_rows(what: str, sent: Sequence[tuple[Step, SentStatement]], most: int | None, meaning: str) -> Row:
    step, largest = max(sent, key=lambda pair: pair[1].rows)
    return Row(
        f"rows that {what} returns",
        f"{largest.rows} at most",
        f"{len(sent)} statements; most in {step.group} {step.name}: {largest.title}",
        "" if most is None else f"<= {most} ({meaning})",
        None if most is None else largest.rows <= most,
    )


if __name__ == "__main__":
    sys.exit(main())
