"""What a mapped enrichment task costs beside Snowflake, against one that does nothing; with preload and without.

CPU time is compared, of the task processes, of the processes that start and watch them, and of the API they report to:
on a machine whose cores are all busy that is what the wall clock shows, less what the embedded Snowflake takes, which
runs on the same cores here and nowhere else, and less what else runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.cpu import process_seconds
from benchmarks.due_runs import WARM_UP, due_runs
from benchmarks.memory import repeated, task_processes
from benchmarks.report import Row, publish
from local.airflow_home import DAG_ID, SCHEDULER
from local.deployment import Deployment, deploy
from local.environment import QUIET
from local.processes import StoppedError, members, stop_on_signals

NO_OP = "mapped_no_op"
SNOWFLAKE, TASK_API = "snowflake", "execution-api"
MAPPED = {NO_OP: "do_nothing", DAG_ID: "enrich"}
"""DAG to its mapped task."""

RATIO_ALLOWED = 1.30
_DAGS = Path(__file__).parent / "dags"
_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
_TASKS_PER_RUN = 2.0  # at least, of the kinds of due_runs
_MEGABYTE = 1_000_000
_SAMPLE_SECONDS = 0.5
_PATIENCE_SECONDS = 1800.0
_MAKE_DUE = (
    "UPDATE DELAYED_ENRICHMENT_TASKS SET STATUS = 'PENDING', ATTEMPTS = 0, REASON_CODE = NULL, CLAIM_TOKEN = NULL, "
    "COMPLETED_AT = NULL, RECHECK_AT = NULL, DUE_AT = DATEADD('minute', -1, SYSDATE()) "
    "WHERE STATUS IN ('COMPLETED', 'SKIPPED')"
)


@dataclass(frozen=True)
class Memory:
    """Of one task process, MB (10^6 bytes), medians.

    :param pss: shared pages divided among those that share them
    :param shared: pages of others too, above all of the parent
    :param private: its own
    """

    pss: float
    shared: float
    private: float


@dataclass(frozen=True)
class Cost:
    """Per mapped task.

    :param wall: seconds from the first that was queued to the end of the last, by their number
    :param airflow: CPU seconds of the task, of what starts and watches it, and of the API it reports to
    :param snowflake: CPU seconds of the embedded Snowflake
    """

    tasks: int
    wall: float
    airflow: float
    snowflake: float
    memory: Memory

    def ratio(self, other: Cost) -> float:
        """By Airflow's CPU time."""
        return self.airflow / other.airflow

    def wall_ratio(self, other: Cost) -> float:
        """By the wall clock, less the time that the embedded Snowflake had all cores."""
        return self._wall_without_snowflake / other._wall_without_snowflake

    @property
    def _wall_without_snowflake(self) -> float:
        return self.wall - self.snowflake / (os.cpu_count() or 1)


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when the bar is missed
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.task_overhead", description=__doc__)
    parser.add_argument("--tasks", type=int, default=60, help="mapped tasks of each kind")
    options = parser.parse_args(arguments)
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        with tempfile.TemporaryDirectory() as folder, _deployment(Path(folder), options.tasks) as deployment:
            with_preload, without = measure(deployment, options.tasks)
    except StoppedError:
        return 128 + signal.SIGINT
    return 0 if publish("task-overhead", figures(with_preload, without)) else 1


@contextmanager
def _deployment(folder: Path, tasks: int) -> Iterator[Deployment]:
    bundles = [{"name": "dags-folder", "classpath": _BUNDLE, "kwargs": {}}]
    bundles.append({"name": "benchmark", "classpath": _BUNDLE, "kwargs": {"path": str(_DAGS)}})
    with deploy(
        folder,
        AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="True",
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps(bundles),
        FLAKEBENCH_ENRICHMENT_BATCH_SIZE=str(tasks),
        FLAKEBENCH_ENRICHMENT_SCHEDULE_MINUTES="1440",  # a pass begins when it is triggered
    ) as deployment:
        yield deployment


def measure(deployment: Deployment, tasks: int) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """Run both DAGs with the package's plugins and without.

    :returns: DAG to cost, with preload and without
    """
    client = deployment.client
    deployment.wait(lambda: any(dag["dag_id"] == NO_OP for dag in client.request("GET", "/api/v2/dags")["dags"]))
    client.pause(paused=False, dag_id=NO_OP)
    client.pause(paused=False)
    # a DAG that is let go on starts a run of its own: it finds nothing to do yet
    deployment.wait(lambda: [run["state"] for run in client.dag_runs()] == ["success"])
    now, runs = datetime.now(UTC), WARM_UP + round(tasks / _TASKS_PER_RUN)
    for account in due_runs(now, runs, last=WARM_UP):
        deployment.write(account)
    deployment.run_pass()
    deployment.wait_until_quiet(_PATIENCE_SECONDS)
    for account in due_runs(now, runs, first=WARM_UP):
        deployment.write(account)
    with_preload = _costs(deployment, tasks)
    deployment.wait_until_quiet(_PATIENCE_SECONDS)
    deployment.rows(_MAKE_DUE)
    no_plugins = deployment.home.folder / "no-plugins"
    no_plugins.mkdir()
    home = replace(deployment.home, extra={**deployment.home.extra, "AIRFLOW__CORE__PLUGINS_FOLDER": str(no_plugins)})
    deployment.supervisor.kill(SCHEDULER)
    home.start(deployment.supervisor, (SCHEDULER,))
    return with_preload, _costs(deployment, tasks)


def _costs(deployment: Deployment, tasks: int) -> dict[str, Cost]:
    deployment.run_dag(NO_OP, tasks=2)  # the scheduler's first tasks pay for its start
    return {dag_id: _cost(deployment, dag_id, tasks) for dag_id in MAPPED}


def _cost(deployment: Deployment, dag_id: str, tasks: int) -> Cost:
    def mapped() -> list[dict[str, Any]]:
        instances = deployment.instances(dag_run_id, MAPPED[dag_id], dag_id)
        return [item for item in instances if item["map_index"] >= 0]

    dag_run_id = deployment.client.trigger(dag_id, {"tasks": tasks} if dag_id == NO_OP else {})
    deployment.wait(lambda: bool(mapped()), _PATIENCE_SECONDS)
    before = _used(deployment)  # the tasks before and after the mapped ones do not count
    with _task_memory(deployment.supervisor.running[SCHEDULER].pid) as samples:
        deployment.wait(lambda: all(item["end_date"] for item in mapped()), _PATIENCE_SECONDS)
    used = {name: seconds - before[name] for name, seconds in _used(deployment).items()}
    state = deployment.client.wait_for_run(dag_run_id, deployment.supervisor, _PATIENCE_SECONDS, dag_id)
    if state != "success" or len(mapped()) != tasks:
        raise RuntimeError(f"{dag_id} {dag_run_id} is {state}, with {len(mapped())} mapped tasks for {tasks}")
    began = min(datetime.fromisoformat(item["queued_when"]) for item in mapped())
    ended = max(datetime.fromisoformat(item["end_date"]) for item in mapped())
    snowflake = used.pop(SNOWFLAKE)
    seconds = (ended - began).total_seconds()
    print(f"  {dag_id}: {tasks} tasks in {seconds:.1f} s; CPU seconds {_rounded(used)}", flush=True)
    return Cost(
        tasks=tasks,
        wall=seconds / tasks,
        airflow=sum(used.values()) / tasks,
        snowflake=snowflake / tasks,
        memory=Memory(*(statistics.median(column) for column in zip(*samples, strict=True))),
    )


def _rounded(used: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in used.items())


def _used(deployment: Deployment) -> dict[str, float]:
    """CPU seconds since the start of each process.

    Not of the scheduler itself, the DAG processor and the UI's API server, which work while time passes.
    """
    leaders = {name: process.pid for name, process in deployment.supervisor.running.items()}
    scheduler = leaders[SCHEDULER]
    return {
        "tasks": sum(process_seconds(pid) for pid in members(scheduler) - {scheduler}),
        TASK_API: sum(process_seconds(pid) for pid in members(leaders[TASK_API])),
        SNOWFLAKE: sum(process_seconds(pid) for pid in members(leaders[SNOWFLAKE])),
    }


@contextmanager
def _task_memory(scheduler: int) -> Iterator[list[tuple[float, float, float]]]:
    """Sample the task processes until the end of the context: PSS, shared and private MB of each."""
    found: list[tuple[float, float, float]] = []

    def look() -> None:
        for process in task_processes(scheduler):
            with suppress(psutil.Error):
                memory: Any = process.memory_full_info()
                if memory.rss:
                    private = memory.uss / _MEGABYTE
                    found.append((memory.pss / _MEGABYTE, memory.rss / _MEGABYTE - private, private))

    with repeated(look, _SAMPLE_SECONDS):
        yield found


def figures(with_preload: dict[str, Cost], without: dict[str, Cost]) -> list[Row]:
    """The table."""
    no_op, enrichment = with_preload[NO_OP], with_preload[DAG_ID]
    rows = []
    for name, cost, compared in (
        ("mapped no-op", no_op, "Airflow alone"),
        ("mapped enrichment", enrichment, f"no-op: {_ratios(enrichment, no_op)}"),
        ("mapped no-op without preload", without[NO_OP], f"no-op with preload: {_ratios(without[NO_OP], no_op)}"),
        (
            "mapped enrichment without preload",
            without[DAG_ID],
            f"enrichment with preload: {_ratios(without[DAG_ID], enrichment)}",
        ),
    ):
        rows.append(Row(f"CPU seconds per {name}", f"{cost.airflow:.3f}", compared))
        rows.append(Row("  of the embedded Snowflake, not in it", f"{cost.snowflake:.3f}", "user and system time"))
        rows.append(Row("  wall clock per task", f"{cost.wall:.3f} s", f"{cost.tasks} tasks, Snowflake's included"))
        memory = cost.memory
        rows.append(
            Row(
                "  memory of a task process",
                f"{memory.pss:.0f} MB PSS",
                f"{memory.private:.0f} MB private, {memory.shared:.0f} MB shared",
            )
        )
    for ratio, compared in (
        (enrichment.wall_ratio(no_op), "wall clock, less Snowflake's CPU time by core"),
        (enrichment.ratio(no_op), "CPU seconds, Snowflake's subtracted"),
    ):
        bar = f"<= {RATIO_ALLOWED:.2f}"
        rows.append(Row("mapped enrichment / mapped no-op", f"{ratio:.2f}", compared, bar, ratio <= RATIO_ALLOWED))
    return rows


def _ratios(cost: Cost, other: Cost) -> str:
    return f"x {cost.ratio(other):.2f} (wall clock, less Snowflake's CPU by core: x {cost.wall_ratio(other):.2f})"


if __name__ == "__main__":
    sys.exit(main())
