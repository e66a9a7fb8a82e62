"""Many runs that are due at once, of every table type: how fast do bounded passes drain them, and in what memory?

Several backlogs one after the other in one deployment, so that the costs per job can be compared; then the processor of
the origin plan on the runs of the first.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from benchmarks import origin_plan
from benchmarks.cpu import cpu_seconds
from benchmarks.due_runs import MOST_RUNS, WARM_UP, due_runs
from benchmarks.memory import GROWTH_ALLOWED, SLACK_MB, Sample, growth, sampled
from benchmarks.passes import Pass, passes_of
from benchmarks.report import Row, publish
from benchmarks.traffic import Traffic
from include.enrichment.settings import Settings
from local import postgres
from local.deployment import Deployment, deploy
from local.environment import QUIET
from local.processes import StoppedError, stop_on_signals
from local.sample.differences import differences
from local.sample.runs import SampleRun
from local.sample_account import truth

JOBS = (34, 100)
PARALLELISM = "12"
"""The pool's eight slots and four for the tasks beside them (docs/scale.md)."""

MOST_SECONDS = {34: 45.0}
"""Largest time allowed for a backlog of so many jobs, from its first claim until its last job is settled, seconds."""

MOST_RATIO = 1.2
"""Largest cost per job allowed of a larger backlog, in costs per job of the first."""

_STALLED_SECONDS = 900.0  # longer than the schedule's interval and the first two backoffs
_POLL_SECONDS = 3.0
_SAY_SECONDS = 30.0
_PROGRESS = (
    "SELECT COUNT(*) AS TASKS, COUNT_IF(STATUS IN ('PENDING', 'IN_PROGRESS')) AS OPEN_TASKS, "
    "COUNT(DISTINCT JOB_ID) AS JOBS, MIN(CREATED_AT) AS FIRST_CREATED FROM DELAYED_ENRICHMENT_TASKS"
)
_NOT_SETTLED = "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_QUEUE WHERE STATUS IN ('PENDING', 'IN_PROGRESS', 'FAILED')"
_FAILED = "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_TASKS WHERE STATUS = 'FAILED'"


@dataclass(frozen=True)
class Backlog:
    """A backlog that was drained.

    :param runs: those of its runs that were kept for comparison with the ground truth
    :param cpu: name of a process to the CPU seconds that it and what it started took meanwhile
    """

    jobs: int
    runs: tuple[SampleRun, ...]
    passes: tuple[Pass, ...]
    traffic: Traffic
    memory: Mapping[str, list[Sample]]
    cpu: Mapping[str, float]

    @property
    def tasks(self) -> int:
        return sum(item.mapped for item in self.passes)

    @property
    def seconds(self) -> float:
        """From the begin of the first claim to the end of the last roll-up."""
        return (self.passes[-1].roll_up.ended_at - self.passes[0].claim.started_at).total_seconds()

    @property
    def seconds_per_job(self) -> float:
        return self.seconds / self.jobs


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when a bar is missed, a job was lost, a task failed or a stored row differs from the ground truth
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=__doc__)
    parser.add_argument(
        "--jobs",
        type=int,
        nargs="+",
        default=JOBS,
        help=f"runs that are due at once; in all at most {MOST_RUNS - WARM_UP}",
    )
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
                deploy(
                    folder,
                    database_url=url,
                    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="True",
                    AIRFLOW__CORE__PARALLELISM=PARALLELISM,
                )
            )
            leaders = {name: process.pid for name, process in deployment.supervisor.running.items()} | others
            rows, wrong = measure(deployment, leaders, options.jobs, options.compared)
    except StoppedError:
        return 128 + signal.SIGINT
    except postgres.PostgresMissingError as error:
        print(error, file=sys.stderr)
        return 1
    holds = publish(f"drain-{'postgres' if options.postgres else 'sqlite'}", rows)
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 0 if holds else 1


def measure(
    deployment: Deployment, leaders: dict[str, int], sizes: Sequence[int], compared: int
) -> tuple[list[Row], list[str]]:
    """Drain one backlog after the other, and look at what it took.

    :param deployment: whose DAGs are paused
    :param leaders: name to id of the processes whose memory and CPU time count
    :param sizes: jobs of each backlog
    :param compared: about so many runs are held against the ground truth
    :returns: the figures; and the first lines about what was lost, failed or differs, empty when nothing is
    """
    now, total = datetime.now(UTC), WARM_UP + sum(sizes)
    backlogs: list[Backlog] = []
    for jobs in (WARM_UP, *sizes):
        first = sum(item.jobs for item in backlogs)
        draw = random.Random(jobs)
        chosen: list[SampleRun] = []
        for account in due_runs(now, total, first=first, last=first + jobs):
            deployment.write(account)
            # no more of them are kept than needed: a run has all its statements
            chosen += [run for run in account.runs if draw.random() < compared / total]
        known = {item.dag_run_id for backlog in backlogs for item in backlog.passes}
        backlogs.append(drained(deployment, leaders, jobs, tuple(chosen), known, first + jobs))
    passes = [item for backlog in backlogs for item in backlog.passes]
    wrong = lost_or_failed(deployment, passes, total)
    chosen = [run for backlog in backlogs for run in backlog.runs]
    differing = compare(deployment, chosen, now)
    _, *measured = backlogs
    rows = [row for backlog in measured for row in figures(backlog, measured[0])]
    rows += origin_figures(deployment, measured)
    repeated = sum(item.repeated for item in passes)
    rows += [
        Row("lost jobs, failed tasks", f"{len(wrong)}", f"{repeated} tries repeated", "0", not wrong),
        Row(
            "runs that equal the ground truth",
            f"{len(chosen) - len(differing)}",
            f"{len(chosen)} of {total} compared",
            f"{len(chosen)}",
            not differing,
        ),
        *memory_figures(max(measured, key=lambda item: len(item.passes))),
    ]
    return rows, [*wrong, *differing][:20]


def drained(
    deployment: Deployment,
    leaders: Mapping[str, int],
    jobs: int,
    runs: tuple[SampleRun, ...],
    known: set[str],
    in_all: int,
) -> Backlog:
    """Let the DAG work until nothing is due, and pause it again.

    :param known: ids of the DAG runs of earlier backlogs
    :param in_all: jobs that there are then, with those of earlier backlogs
    """
    traffic = Traffic(Settings().query_tag)
    traffic.read(deployment)
    before = cpu_seconds(leaders)
    with sampled(leaders) as memory:
        deployment.client.pause(paused=False)
        deployment.client.trigger()
        drain(deployment, traffic, in_all)
        deployment.wait_until_quiet()
    deployment.client.pause(paused=True)
    deployment.wait_until_quiet()
    traffic.read(deployment)
    cpu = {name: after - before[name] for name, after in cpu_seconds(leaders).items()}
    return Backlog(jobs, runs, tuple(passes_of(deployment, known)), traffic, memory, cpu)


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


def figures(backlog: Backlog, first: Backlog) -> list[Row]:
    """Speed, cost and where the time goes of one backlog, compared with the first."""
    jobs, tasks, passes, traffic = backlog.jobs, backlog.tasks, backlog.passes, backlog.traffic
    batch = Settings().batch_size
    largest = max(item.mapped for item in passes)
    most = MOST_SECONDS.get(jobs)
    ratio = backlog.seconds_per_job / first.seconds_per_job
    is_first = backlog is first
    return [
        Row(
            f"{jobs} jobs, from claim to settled",
            f"{backlog.seconds:.1f} s",
            f"{tasks} mapped tasks in {len(passes)} passes, {backlog.seconds / tasks:.2f} s per task",
            "" if most is None else f"<= {most:.0f} s",
            None if most is None else backlog.seconds <= most,
        ),
        Row(
            f"{jobs} jobs, seconds per job",
            f"{backlog.seconds_per_job:.2f} s",
            f"{ratio:.2f} x that of {first.jobs} jobs",
            "" if is_first else f"<= {MOST_RATIO} x",
            None if is_first else ratio <= MOST_RATIO,
        ),
        Row(f"{jobs} jobs, where the time goes", _spent(passes), _cpu(backlog)),
        Row(
            f"{jobs} jobs, largest pass",
            f"{largest} mapped tasks",
            f"{-(-tasks // batch)} full batches",
            f"<= {batch}, the batch size",
            largest <= batch,
        ),
        Row(
            f"{jobs} jobs, statements and logins",
            f"{traffic.statements} and {traffic.logins}",
            f"{traffic.statements / tasks:.1f} and {traffic.logins / tasks:.1f} per task; {traffic.errors} failed; "
            f"{traffic.sessions} sessions open at once; {traffic.seconds / jobs:.2f} s per job in the server",
        ),
    ]


def _spent(passes: Sequence[Pass]) -> str:
    claims = sum(item.claim.seconds for item in passes)
    enrichment = sum(item.enrichment.seconds for item in passes)
    roll_ups = sum(item.roll_up.seconds for item in passes)
    between = sum(item.between for item in passes)
    starts = sum(
        (later.claim.started_at - earlier.roll_up.ended_at).total_seconds() for earlier, later in pairwise(passes)
    )
    return (
        f"claim {claims:.1f} s, mapped tasks {enrichment:.1f} s, roll-up {roll_ups:.1f} s, scheduler between them "
        f"{between:.1f} s, next pass {starts:.1f} s"
    )


def _cpu(backlog: Backlog) -> str:
    cores = os.cpu_count() or 1
    used = sum(backlog.cpu.values())
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in backlog.cpu.items())
    return f"CPU {parts}: {used / backlog.seconds:.1f} of {cores} cores"


def origin_figures(deployment: Deployment, backlogs: Sequence[Backlog]) -> list[Row]:
    """The processor of the origin plan on the runs that were kept of the first backlog, and what follows for each."""
    if not backlogs[0].runs:
        return []
    measured = origin_plan.simulate(deployment, backlogs[0].runs)
    rows = []
    for backlog in backlogs:
        working = measured.working / measured.jobs * backlog.jobs
        plan = origin_plan.Simulation(backlog.jobs, measured.statements, working)
        rows.append(
            Row(
                f"{backlog.jobs} jobs, the origin plan's processor (simulated)",
                f"{plan.seconds / 60:.0f} min",
                f"{plan.seconds / backlog.seconds:.0f} x ours; {plan.working:.0f} s of statements (measured on "
                f"{measured.jobs} jobs), {plan.polls} polls of {origin_plan.JOBS_A_POLL} jobs every "
                f"{origin_plan.POLL_SECONDS} s (computed)",
            )
        )
    return rows


def memory_figures(backlog: Backlog) -> list[Row]:
    """A row per kind of process: peaks, and whether it grows."""
    passes = backlog.passes
    third = -(-len(passes) // 3)
    first = passes[0].started_at, passes[third - 1].ended_at
    last = passes[-third].started_at, passes[-1].ended_at
    rows = []
    for kind, samples in backlog.memory.items():
        found = growth(samples, first, last)
        number = f"{found.processes} processes" if found.processes > 1 else "1 process"
        rows.append(
            Row(
                f"memory of {kind}, {number} at most",
                f"peak {found.peak_pss:.0f} MB PSS, {found.peak_rss:.0f} MB RSS",
                f"median of last third of the passes {found.last:.0f} MB, of first {found.first:.0f} MB",
                f"<= {found.allowed:.0f} MB ({GROWTH_ALLOWED:.2f} x + {SLACK_MB:.0f} MB)",
                found.bounded,
            )
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
