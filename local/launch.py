"""``make run``: the embedded Snowflake, a real Airflow and sample benchmark runs on this machine.

Settings come from ``.env`` (see ``.env.example``). With a Snowflake connection there, neither the embedded
Snowflake nor the samples are used.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
from dotenv import load_dotenv

from local.airflow_home import (
    DAG_ID,
    PROJECT,
    SCHEDULER,
    USER,
    WITHOUT_SCHEDULER,
    AirflowClient,
    AirflowHome,
    PortTakenError,
    require_free,
)
from local.connection import DEFAULT_PORT
from local.deployment import start_snowflake
from local.environment import QUIET, STATE, conn_id, connection_variable, embedded_environment
from local.processes import ProcessFailedError, StoppedError, Supervisor, stop_on_signals

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from include.enrichment.settings import Settings

_WORK_SECONDS = 900.0


class AlreadyRunningError(Exception):
    """Another launcher uses the state directory."""


_EXPECTED = (AlreadyRunningError, PortTakenError, ProcessFailedError, TimeoutError, RuntimeError, httpx.HTTPError)


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped, or with ``--once`` until nothing is due.

    :returns: 0; 1 when something failed
    """
    parser = argparse.ArgumentParser(prog="python -m local.launch", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit when nothing is due any more")
    parser.add_argument("--no-samples", action="store_true", help="start without sample runs")
    options = parser.parse_args(arguments)
    load_dotenv(PROJECT / ".env")
    stop_on_signals()
    supervisor = Supervisor(STATE / "logs", STATE / "processes.json")
    try:
        with _only_launcher():
            try:
                supervisor.stop_leftovers()
                return _run(supervisor, once=options.once, samples=not options.no_samples)
            finally:
                supervisor.stop()
    except StoppedError:
        return 128 + signal.SIGINT if options.once else 0
    except _EXPECTED as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1


@contextmanager
def _only_launcher() -> Iterator[None]:
    STATE.mkdir(exist_ok=True)
    with (STATE / "launcher.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel frees it, however the launcher ends
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunningError(
                f"make run is already running here (process {lock.read()}); stop it first"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _run(supervisor: Supervisor, *, once: bool, samples: bool) -> int:
    started = time.monotonic()
    since = datetime.now(UTC)
    home = AirflowHome(STATE / "airflow", int(os.environ.get("LOCAL_AIRFLOW_PORT") or 8080), _passed_on())
    is_embedded = not os.environ.get(connection_variable())
    require_free(home.port, "LOCAL_AIRFLOW_PORT")
    if is_embedded:
        port = int(os.environ.get("LOCAL_SNOWFLAKE_PORT") or DEFAULT_PORT)
        require_free(port, "LOCAL_SNOWFLAKE_PORT")
        _say("Starting the embedded Snowflake")
        connection = start_snowflake(supervisor, STATE, port)
        home.extra.update(embedded_environment(connection))
    os.environ.update(home.extra | {"AIRFLOW_HOME": str(home.folder)} | QUIET)  # before this process imports Airflow
    _say("Starting Airflow, applying the migrations" + (", loading samples" if samples and is_embedded else ""))
    with ThreadPoolExecutor(max_workers=1) as pool:
        prepared = pool.submit(_prepare_snowflake, load_samples=samples and is_embedded)
        home.migrate_database()
        home.start(supervisor, WITHOUT_SCHEDULER)
        settings = prepared.result()
    home.start(supervisor, (SCHEDULER,))  # only now: the DAG is on from the first moment
    client = AirflowClient(home)
    client.wait_until_ready(supervisor)
    print(f"  Airflow: {home.url}   user {USER}, password {home.password()}", flush=True)
    _say(f"Running {DAG_ID}")
    failed_passes = _drain(client, supervisor, settings, since)
    failures = _report(settings)
    for line in [*failed_passes, *failures]:
        print(f"FAILED: {line}", file=sys.stderr)
    print(f"\nDone after {time.monotonic() - started:.0f} s.", flush=True)
    if once:
        return 1 if failed_passes or failures else 0
    print(f"Airflow stays up at {home.url} (user {USER}, password {home.password()}); Ctrl-C stops it.", flush=True)
    while True:
        supervisor.check()
        time.sleep(1)


def _say(text: str) -> None:
    print(f"· {text} ...", flush=True)


def _passed_on() -> dict[str, str]:
    """What Airflow's processes are given of this environment: the connection and the package's settings."""
    names = (connection_variable(), "REQUESTS_CA_BUNDLE")
    return {
        name: value for name, value in os.environ.items() if name in names or name.startswith("FLAKEBENCH_ENRICHMENT_")
    }


def _hook(settings: Settings) -> SnowflakeHook:
    from include.enrichment.snowflake import open_hook

    return open_hook(conn_id(), settings)


def _prepare_snowflake(*, load_samples: bool) -> Settings:
    from include.enrichment import setup
    from include.enrichment.migrations import MigrationError
    from include.enrichment.settings import of_shell

    settings = of_shell()
    try:
        setup.migrate(conn_id(), settings)
    except (setup.SetupError, MigrationError) as error:
        raise RuntimeError(str(error)) from error
    if load_samples:
        from local.sample_account import load_sample_account

        with closing(_hook(settings).get_conn()) as connection:
            load_sample_account(connection, datetime.now(UTC))
    return settings


def _drain(client: AirflowClient, supervisor: Supervisor, settings: Settings, since: datetime) -> list[str]:
    """Run passes until nothing is due and none runs; returns a line per failed pass."""
    if not settings.enabled:
        print("  FLAKEBENCH_ENRICHMENT_ENABLED is false: nothing is claimed", flush=True)
        return []
    deadline = time.monotonic() + _WORK_SECONDS
    progress = ""
    while True:
        supervisor.check()
        # a pass of the schedule counts as well as one of ours, and one that an earlier launcher left
        passes = client.dag_runs()
        active = [run["dag_run_id"] for run in passes if run["state"] in {"running", "queued"}]
        failed = [
            run["dag_run_id"]
            for run in passes
            if run["state"] == "failed" and datetime.fromisoformat(run["end_date"]) > since
        ]
        if not active:
            if failed or not _is_due(settings):
                return [f"pass {name}; its tasks' logs are in {STATE / 'airflow' / 'logs'}" for name in failed]
            active = [client.trigger()]
        if time.monotonic() > deadline:
            raise TimeoutError(f"Work is still due or running after {_WORK_SECONDS:.0f} seconds: {', '.join(active)}")
        if (now := _progress(client, active[-1])) not in {"", progress}:
            progress = now
            print(f"  {progress}", flush=True)
        time.sleep(0.5)


def _progress(client: AirflowClient, dag_run_id: str) -> str:
    enrich = [item["state"] for item in client.task_instances(dag_run_id) if item["task_id"] == "enrich"]
    ended = sum(state in {"success", "failed", "skipped", "upstream_failed"} for state in enrich)
    return f"{ended} of {len(enrich)} enrichments" if len(enrich) > 1 and ended % 10 == 0 else ""


def _is_due(settings: Settings) -> bool:
    from datetime import timedelta

    from include.enrichment.queue import QueueState, sensor_parameters
    from include.enrichment.templates import render

    row = _hook(settings).get_first(render("queue/next_due.sql", settings), parameters=sensor_parameters(settings))
    state = QueueState(row[0], row[1], row[2], int(row[3]))
    return bool(state.due_work(datetime.now(UTC).replace(tzinfo=None), timedelta(days=settings.look_back_days)))


def _report(settings: Settings) -> list[str]:
    from local.report import print_report

    with closing(_hook(settings).get_conn()) as connection:
        return print_report(connection, results=settings.results, schema=settings.enrichment)


if __name__ == "__main__":
    sys.exit(main())
