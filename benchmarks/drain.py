"""Many runs that are due at once, of every table type: do bounded passes drain them, and in bounded memory?"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.due_runs import MOST_RUNS, due_runs
from benchmarks.memory import GROWTH_ALLOWED, SLACK_MB, Sample, growth, sampled
from benchmarks.passes import Pass, passes_of
from benchmarks.report import Row, publish
from include.enrichment.settings import Settings
from local import postgres
from local.deployment import Deployment, deploy
from local.environment import QUIET
from local.processes import StoppedError, stop_on_signals
from local.sample.differences import differences
from local.sample.runs import SampleRun
from local.sample_account import truth

_STALLED_SECONDS = 900.0  # longer than the schedule's interval and the first two backoffs
_POLL_SECONDS = 3.0
_SAY_SECONDS = 30.0
_PROGRESS = (
    "SELECT COUNT(*) AS TASKS, COUNT_IF(STATUS IN ('PENDING', 'IN_PROGRESS')) AS OPEN_TASKS, "
    "COUNT(DISTINCT JOB_ID) AS JOBS, MIN(CREATED_AT) AS FIRST_CREATED FROM DELAYED_ENRICHMENT_TASKS"
)
_NOT_SETTLED = "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_QUEUE WHERE STATUS IN ('PENDING', 'IN_PROGRESS', 'FAILED')"
_FAILED = "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_TASKS WHERE STATUS = 'FAILED'"


@dataclass
class Traffic:
    """What the package sent to Snowflake.

    :param tag: of its sessions; the benchmark's own have another
    :param seconds: of all statements, in the server
    """

    tag: str
    statements: int = 0
    errors: int = 0
    seconds: float = 0.0
    logins: int = 0
    sessions: int = 0
    _last: int = field(default=0, repr=False)
    _first_logins: int = field(default=-1, repr=False)

    def read(self, deployment: Deployment) -> None:
        """Add what the server logged since the last call; its log is finite."""
        reply = deployment.server("GET", "/statements", params={"since": self._last})
        if self._first_logins < 0:
            self._first_logins = reply["logins"]  # the first call only says where the measurement begins
        else:
            ours = [item for item in reply["statements"] if item["query_tag"] == self.tag]
            self.statements += len(ours)
            self.errors += sum(item["error"] is not None for item in ours)
            self.seconds += sum(item["milliseconds"] for item in ours) / 1000
        self.logins = reply["logins"] - self._first_logins
        self._last = max(self._last, reply["last"])
        self.sessions = max(self.sessions, deployment.server("GET", "/health")["sessions"])


@dataclass(frozen=True)
class Outcome:
    """What a measurement found.

    :param wrong: the first lines about what was lost, failed or differs; empty when nothing is
    """

    rows: list[Row]
    wrong: list[str]


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when a job was lost, a task failed or a stored row differs from the ground truth
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100, help=f"runs that are due at once, at most {MOST_RUNS}")
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL as Airflow's database, not SQLite")
    parser.add_argument(
        "--compared", type=int, default=200, help="about so many runs are held against the ground truth"
    )
    options = parser.parse_args(arguments)
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url, others = "", {}
            if options.postgres:
                url, supervisor = stack.enter_context(postgres.cluster(folder / "logs"))
                others = {name: process.pid for name, process in supervisor.running.items()}
            # a pass begins when all runs are there, and no other DAG takes part
            deployment = stack.enter_context(
                deploy(folder, database_url=url, AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="True")
            )
            leaders = {name: process.pid for name, process in deployment.supervisor.running.items()} | others
            outcome = measure(deployment, leaders, options.jobs, options.compared)
    except StoppedError:
        return 128 + signal.SIGINT
    except postgres.PostgresMissingError as error:
        print(error, file=sys.stderr)
        return 1
    publish(f"drain-{'postgres' if options.postgres else 'sqlite'}", outcome.rows)
    for line in outcome.wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if outcome.wrong else 0


def measure(deployment: Deployment, leaders: dict[str, int], jobs: int, compared: int) -> Outcome:
    """Let all runs be there at once, wait until none is due, and look at what it took.

    :param deployment: whose DAGs are paused
    :param leaders: name to id of the processes whose memory counts
    """
    client = deployment.client
    now = datetime.now(UTC)
    draw = random.Random(jobs)
    chosen: list[SampleRun] = []
    for account in due_runs(now, jobs):
        deployment.write(account)
        # no more of them are kept than needed: a run has all its statements
        chosen += [run for run in account.runs if draw.random() < compared / jobs]
    traffic = Traffic(Settings().query_tag)
    traffic.read(deployment)
    started = time.monotonic()
    with sampled(leaders) as memory:
        client.pause(paused=False)
        client.trigger()
        drain(deployment, traffic, jobs)
        elapsed = time.monotonic() - started
        deployment.wait_until_quiet()
    traffic.read(deployment)
    passes = passes_of(deployment)
    wrong = lost_or_failed(deployment, passes, jobs)
    differing = compare(deployment, chosen, now)
    rows = figures(passes, traffic, jobs, elapsed)
    rows.append(
        Row("lost jobs, failed tasks", f"{len(wrong)}", f"0; {sum(item.repeated for item in passes)} tries repeated")
    )
    rows.append(
        Row("runs that equal the ground truth", f"{len(chosen) - len(differing)}", f"{len(chosen)} of {jobs} compared")
    )
    rows += memory_figures(memory, passes)
    return Outcome(rows, [*wrong, *differing][:20])


def drain(deployment: Deployment, traffic: Traffic, jobs: int) -> None:
    """Wait until every job has its tasks and no task is open.

    :raises TimeoutError: nothing has been settled for a quarter of an hour
    """
    settled, since, said = -1, time.monotonic(), 0.0
    while True:
        deployment.supervisor.check()
        traffic.read(deployment)
        (row,) = deployment.rows(_PROGRESS)
        if row["JOBS"] >= jobs and row["OPEN_TASKS"] == 0:
            return
        if (now_settled := row["TASKS"] - row["OPEN_TASKS"]) != settled:
            settled, since = now_settled, time.monotonic()
        if time.monotonic() > said + _SAY_SECONDS:
            said = time.monotonic()
            print(f"  {row['JOBS']} jobs, {settled} of {row['TASKS']} tasks settled", flush=True)
        if time.monotonic() - since > _STALLED_SECONDS:
            raise TimeoutError(f"{row['OPEN_TASKS']} tasks are open, and none was settled in {_STALLED_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def lost_or_failed(deployment: Deployment, passes: Sequence[Pass], jobs: int) -> list[str]:
    """A line per finding; none is good."""
    wrong = [f"{item.dag_run_id}: {name} failed" for item in passes for name in item.failed]
    found = deployment.rows(_PROGRESS)[0]["JOBS"]
    if found != jobs:
        wrong.append(f"{found} jobs for {jobs} runs")
    for sql, what in ((_NOT_SETTLED, "jobs are not settled or failed"), (_FAILED, "tasks are FAILED")):
        if number := deployment.rows(sql)[0]["N"]:
            wrong.append(f"{number} {what}")
    return wrong


def compare(deployment: Deployment, runs: Sequence[SampleRun], now: datetime) -> list[str]:
    """The first difference of each run whose rows are not what they should be."""
    created = deployment.rows(_PROGRESS)[0]["FIRST_CREATED"]
    differing = []
    for run in runs:
        expected = truth.expected(run, now, created)
        first = next(differences(deployment.rows, run.run_id, expected), None)
        if first is not None:
            differing.append(f"{run.name} {run.run_id}: {first}")
    return differing


def figures(passes: Sequence[Pass], traffic: Traffic, jobs: int, elapsed: float) -> list[Row]:
    """Sizes, speed and cost."""
    tasks = sum(item.mapped for item in passes)
    batch = Settings().batch_size
    largest = max(item.mapped for item in passes)
    return [
        Row("jobs due at once", f"{jobs}", f"{tasks} mapped tasks"),
        Row("passes", f"{len(passes)}", f"{-(-tasks // batch)} full batches"),
        Row("largest pass", f"{largest} mapped tasks", bar(largest <= batch, f"batch size {batch}")),
        Row("drained in", f"{elapsed:.0f} s", f"{tasks / elapsed:.2f} mapped tasks per second"),
        Row(
            "seconds of a full pass",
            f"{_span([item.seconds for item in passes if item.mapped == largest])}",
            "first, last: should be alike",
        ),
        Row(
            "statements",
            f"{traffic.statements}",
            f"{traffic.statements / len(passes):.0f} per pass, {traffic.statements / tasks:.1f} per task; "
            f"{traffic.errors} failed",
        ),
        Row(
            "logins",
            f"{traffic.logins}",
            f"{traffic.logins / len(passes):.0f} per pass, {traffic.logins / tasks:.1f} per task; "
            f"{traffic.sessions} sessions open at once",
        ),
        Row(
            "cost per job",
            f"{traffic.statements / jobs:.1f} statements, {traffic.seconds / jobs:.2f} s in the server",
            f"{elapsed / jobs:.1f} s of the whole deployment",
        ),
    ]


def memory_figures(memory: dict[str, list[Sample]], passes: Sequence[Pass]) -> list[Row]:
    """A row per kind of process: peaks, and whether it grows."""
    third = -(-len(passes) // 3)
    first = passes[0].started_at, passes[third - 1].ended_at
    last = passes[-third].started_at, passes[-1].ended_at
    rows = []
    for kind, samples in memory.items():
        found = growth(samples, first, last)
        number = f"{found.processes} processes" if found.processes > 1 else "1 process"
        rows.append(
            Row(
                f"memory of {kind}, {number} at most",
                f"peak {found.peak_pss:.0f} MB PSS, {found.peak_rss:.0f} MB RSS",
                bar(
                    found.bounded,
                    f"median of first third {found.first:.0f} MB, of last {found.last:.0f} MB, "
                    f"at most {found.allowed:.0f} MB ({GROWTH_ALLOWED:.2f} x + {SLACK_MB:.0f} MB)",
                ),
            )
        )
    return rows


def bar(holds: bool, text: str) -> str:
    """A bar and whether it holds."""
    return f"{text}: {'holds' if holds else 'EXCEEDED'}"


def _span(values: Sequence[Any]) -> str:
    return f"{values[0]:.0f}, {values[-1]:.0f}"


if __name__ == "__main__":
    sys.exit(main())
