"""The same DAGs on LocalExecutor and on CeleryExecutor with two workers, one of which is killed: what is lost?"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.drain import compare, drain, lost_or_failed
from benchmarks.due_runs import MOST_RUNS, due_runs
from benchmarks.memory import EXECUTOR, TASKS, sampled
from benchmarks.passes import Pass, dag_runs, passes_of
from benchmarks.report import Row, publish
from benchmarks.traffic import Traffic
from include.enrichment.settings import ParseSettings, Settings
from local import postgres, redis
from local.airflow_home import SCHEDULER, WORKER
from local.deployment import Deployment, deploy
from local.environment import QUIET
from local.processes import StoppedError, members, stop_on_signals
from local.sample_account import Account

LOCAL, CELERY = "LocalExecutor", "CeleryExecutor"
WORKERS = (f"{WORKER}-1", f"{WORKER}-2")
SLOTS = 6
"""Tasks at once, whatever runs them; of Celery each worker has its share."""

HEARTBEAT_TIMEOUT_SECONDS = 20
QUEUED_TIMEOUT_SECONDS = 120
VISIBILITY_TIMEOUT_SECONDS = 40
_FASTER = {
    # A task that runs without a heartbeat is tried again after 5 minutes by default, ...
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    # ... one that no worker has started is sent again after 10, ...
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_TIMEOUT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    # ... and the broker delivers the message of a lost worker anew after a day.
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT_SECONDS),
}
"""How long a lost worker goes unnoticed: the defaults would make the benchmark wait."""

_WORKERS_START_SECONDS = 60.0
_KILL_PATIENCE_SECONDS = 300.0
_TASKS = (
    "SELECT COUNT(DISTINCT JOB_ID) AS JOBS, COUNT(*) AS TASKS, "
    "COUNT_IF(STATUS IN ('PENDING', 'IN_PROGRESS')) AS OPEN_TASKS "
    "FROM DELAYED_ENRICHMENT_TASKS WHERE STATUS <> 'NOT_APPLICABLE'"
)


@dataclass(frozen=True)
class Drained:
    """A backlog that was worked off.

    :param seconds: from the start of its first pass to the end of its last
    :param seconds_since_kill: to the end of its last pass; None: no worker was killed
    :param killed_tasks: tasks that ran on the worker when it was killed
    """

    executor: str
    jobs: int
    passes: tuple[Pass, ...]
    seconds: float
    statements: int
    seconds_since_kill: float | None = None
    killed_tasks: int = 0

    @property
    def tasks(self) -> int:
        return sum(item.mapped for item in self.passes)

    @property
    def repeated(self) -> int:
        return sum(item.repeated for item in self.passes)

    @property
    def name(self) -> str:
        return f"{self.executor}, {self.jobs} jobs" + (", a worker killed" if self.seconds_since_kill else "")

    def row(self, reference: Drained | None) -> Row:
        """Its figures beside those of another that drained as many jobs."""
        value = (
            f"{self.seconds:.1f} s, {self.tasks / self.seconds:.2f} tasks per second, "
            f"{self.statements / self.tasks:.1f} statements per task"
        )
        compared = f"{self.tasks} mapped tasks in {len(self.passes)} passes"
        if reference is not None:
            ratio = (self.seconds / self.tasks) / (reference.seconds / reference.tasks)
            compared += f"; seconds per task {ratio:.2f} x those of {reference.name}"
        return Row(self.name, value, compared)


@dataclass(frozen=True)
class Measured:
    """What an executor did.

    :param wrong: a line per loss, failure or difference
    :param equal: runs whose rows equal the ground truth
    :param memory_mb: peak of what runs the tasks, with the tasks, MB PSS
    """

    executor: str
    drained: list[Drained]
    wrong: list[str]
    equal: int
    runs: int
    memory_mb: float


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when a job was lost, a task failed or a stored row differs from the ground truth
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument(
        "--jobs", type=int, nargs="+", default=[34], help="backlogs, one after the other; the first once more for kill"
    )
    options = parser.parse_args(arguments)
    if sum(options.jobs) + options.jobs[0] > MOST_RUNS:
        parser.error(f"at most {MOST_RUNS} runs together")
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        postgres.find_programs()
        redis.find_program()  # before the minutes of the first half
        with on_local_executor() as deployment:
            local = measure(deployment, LOCAL, options.jobs, with_kill=False)
        with on_celery() as deployment:
            celery = measure(deployment, CELERY, options.jobs, with_kill=True)
    except StoppedError:
        return 128 + signal.SIGINT
    except (postgres.PostgresMissingError, redis.RedisMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    holds = publish("engines", rows(local, celery))
    for line in [*local.wrong, *celery.wrong][:20]:
        print(f"WRONG: {line}", file=sys.stderr)
    return 0 if holds else 1


@contextmanager
def on_local_executor() -> Iterator[Deployment]:
    """A deployment with PostgreSQL whose scheduler runs the tasks."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, _ = stack.enter_context(postgres.cluster(folder / "logs"))
        yield stack.enter_context(deploy(folder, (), database_url=url, **_environment()))


@contextmanager
def on_celery() -> Iterator[Deployment]:
    """A deployment with PostgreSQL, Redis and two Celery workers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database_url, _ = stack.enter_context(postgres.cluster(folder / "logs"))
        broker_url, _ = stack.enter_context(redis.server(folder / "logs"))
        celery = {
            "AIRFLOW__CORE__EXECUTOR": CELERY,
            "AIRFLOW__CELERY__BROKER_URL": broker_url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database_url}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS // len(WORKERS)),
        }
        environment = {**_environment(), **celery, **_FASTER}
        deployment = stack.enter_context(deploy(folder, (), database_url=database_url, **environment))
        deployment.home.start(deployment.supervisor, WORKERS)
        wait_for_workers(deployment, broker_url)
        yield deployment


def _environment() -> dict[str, str]:
    # a pass begins when all runs are there, and no other DAG takes part
    return {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True", "AIRFLOW__CORE__PARALLELISM": str(SLOTS)}


def wait_for_workers(deployment: Deployment, broker_url: str) -> None:
    """Wait until every worker answers.

    :raises TimeoutError: one does not in time
    """
    from celery import Celery

    application = Celery(broker=broker_url)
    deployment.wait(lambda: len(application.control.ping(timeout=0.5)) == len(WORKERS), _WORKERS_START_SECONDS)
    application.close()


def measure(deployment: Deployment, executor: str, sizes: Sequence[int], *, with_kill: bool) -> Measured:
    """Let backlogs be worked off one after the other, and look at what is stored.

    :param deployment: whose DAGs are paused
    :param with_kill: one more of the first size, in the middle of which a worker is killed
    """
    now = datetime.now(UTC)
    every = [*sizes, *([sizes[0]] if with_kill else [])]
    account = whole_account(now, sum(every))
    running = deployment.supervisor.running
    leaders = {name: running[name].pid for name in (WORKERS if executor == CELERY else (SCHEDULER,))}
    drained, first = [], 0
    with sampled(leaders) as memory:
        for number, jobs in enumerate(every):
            background = account.background if number == 0 else ()
            backlog = replace(account, runs=account.runs[first : first + jobs], background=background)
            first += jobs
            print(f"{executor}: {jobs} jobs", flush=True)
            victim = WORKERS[-1] if number == len(sizes) else None
            drained.append(work_off(deployment, executor, backlog, first, victim))
    passes = [item for one in drained for item in one.passes]
    wrong = lost_or_failed(deployment, passes, first)
    if any(one.killed_tasks and not one.repeated for one in drained):
        wrong.append("a worker was killed, but no task had to be tried again")
    differing = compare(deployment, account.runs, now)
    kinds = leaders if executor == CELERY else (EXECUTOR, TASKS)
    peak = sum(max(sample.pss for sample in memory[kind]) for kind in kinds)
    return Measured(executor, drained, [*wrong, *differing], first - len(differing), first, peak)


def whole_account(now: datetime, count: int) -> Account:
    """One account with so many due runs."""
    parts = list(due_runs(now, count))
    return replace(parts[0], runs=tuple(run for part in parts for run in part.runs))


def work_off(deployment: Deployment, executor: str, backlog: Account, jobs: int, victim: str | None) -> Drained:
    """Let the runs of an account be there at once, and wait until none is due.

    :param jobs: that exist then, with those of earlier backlogs
    :param victim: name of a worker to kill in the middle
    """
    known = {run["dag_run_id"] for run in dag_runs(deployment)}
    settled = deployment.rows(_TASKS)[0]["TASKS"]
    deployment.write(backlog)
    traffic = Traffic(Settings().query_tag)
    traffic.read(deployment)
    deployment.client.pause(paused=False)
    deployment.client.trigger()
    killed_at, killed_tasks = None, 0
    if victim is not None:
        killed_tasks = kill_in_the_middle(deployment, victim, known, jobs, settled)
        killed_at = datetime.now(UTC)
    drain(deployment, traffic, jobs)
    deployment.wait_until_quiet()
    deployment.client.pause(paused=True)
    traffic.read(deployment)
    passes = tuple(passes_of(deployment, known))
    ended_at = passes[-1].ended_at
    return Drained(
        executor,
        len(backlog.runs),
        passes,
        (ended_at - passes[0].started_at).total_seconds(),
        traffic.statements,
        (ended_at - killed_at).total_seconds() if killed_at else None,
        killed_tasks,
    )


def kill_in_the_middle(deployment: Deployment, worker: str, known: Collection[str], jobs: int, settled: int) -> int:
    """SIGKILL a worker with everything it started, when half is done and tasks run on it.

    :param known: ids of the DAG runs of earlier backlogs
    :param jobs: that exist, with those of earlier backlogs
    :param settled: tasks of earlier backlogs
    :returns: how many tasks ran on it
    :raises TimeoutError: it did not come to that
    """

    def half_is_done() -> bool:
        (row,) = deployment.rows(_TASKS)
        return bool(row["JOBS"] >= jobs and 2 * row["OPEN_TASKS"] <= row["TASKS"] - settled)

    deployment.wait(half_is_done, _KILL_PATIENCE_SECONDS)
    leader = deployment.supervisor.running[worker].pid
    found: set[int] = set()

    def is_busy() -> bool:
        found.clear()
        found.update(_running_tasks(deployment, known) & members(leader))
        return len(found) > 1

    deployment.wait(is_busy, _KILL_PATIENCE_SECONDS)
    deployment.supervisor.kill(worker)
    print(f"  {worker} killed with {len(found)} tasks", flush=True)
    return len(found)


def _running_tasks(deployment: Deployment, known: Collection[str]) -> set[int]:
    """Process ids of the mapped tasks that run now."""
    return {
        item["pid"]
        for run in deployment.client.dag_runs()
        if run["dag_run_id"] not in known and run["state"] == "running"
        for item in deployment.instances(run["dag_run_id"], "enrich")
        if item["state"] == "running" and item["pid"]
    }


def rows(local: Measured, celery: Measured) -> list[Row]:
    """The table."""
    found = [one.row(None) for one in local.drained]
    references = {one.jobs: one for one in local.drained}
    found += [one.row(references[one.jobs]) for one in celery.drained]
    for one in celery.drained:
        if one.seconds_since_kill is not None:
            delay = ParseSettings().retry_delay_seconds
            found.append(
                Row(
                    f"{one.name}: from the kill to the end",
                    f"{one.seconds_since_kill:.0f} s",
                    f"{one.killed_tasks} tasks ran on it, {one.repeated} tries repeated; heartbeat timeout "
                    f"{HEARTBEAT_TIMEOUT_SECONDS} s (default 300 s), then the retry's delay of {delay} s",
                )
            )
    for measured in (local, celery):
        found += [
            Row(
                f"{measured.executor}: lost jobs, failed tasks, differing runs",
                f"{len(measured.wrong)}",
                f"{measured.runs} jobs",
                "0",
                not measured.wrong,
            ),
            Row(
                f"{measured.executor}: runs that equal the ground truth",
                f"{measured.equal}",
                f"{measured.runs} compared",
                f"{measured.runs}",
                measured.equal == measured.runs,
            ),
            Row(
                f"{measured.executor}: memory of what runs the tasks",
                f"peak {measured.memory_mb:.0f} MB PSS, {measured.memory_mb / SLOTS:.0f} per slot",
                f"{SLOTS} slots; {measured.memory_mb / local.memory_mb:.2f} x {LOCAL}",
            ),
        ]
    return found


if __name__ == "__main__":
    sys.exit(main())
