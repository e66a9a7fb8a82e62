"""Backfill beside fresh runs, on a real scheduler: does either delay the other, and what does it cost?"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.passes import passes_of
from benchmarks.report import Row, publish
from include.enrichment.settings import Settings
from local.deployment import Deployment, deploy
from local.environment import QUIET
from local.processes import StoppedError, stop_on_signals
from local.sample_account import Account, build_account, write_account

KINDS = ("standard-settled", "interactive-settled")
_TASKS_OF_A_FRESH_RUN = 3
_PATIENCE_SECONDS = 3600.0
_FRESH_SEED = 10_000
_OPEN = "SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_TASKS WHERE PRIORITY > 0 AND STATUS IN ('PENDING', 'IN_PROGRESS')"
_CLAIM = "SELECT MIN(CLAIMED_AT) AS CLAIMED_AT FROM DELAYED_ENRICHMENT_TASKS WHERE RUN_ID = %(run_id)s"


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when a bar is missed
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--runs", type=int, default=60, help="historical runs, of a month ago")
    parser.add_argument("--fresh", type=int, default=5, help="fresh runs that end meanwhile")
    options = parser.parse_args(arguments)
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        with tempfile.TemporaryDirectory() as folder, deploy(Path(folder)) as deployment:
            return 0 if publish("backfill", measure(deployment, options.runs, options.fresh)) else 1
    except StoppedError:
        return 128 + signal.SIGINT


def measure(deployment: Deployment, runs: int, fresh: int) -> list[Row]:
    """Queue the historical runs, let the fresh ones end while they are worked off, and wait for the end of all."""
    past = datetime.now(UTC) - timedelta(days=30)
    with closing(deployment.connect()) as session:
        for account in historical(past, runs):
            write_account(session, account)
    before = deployment.server("GET", "/statements")
    known = {run["dag_run_id"] for run in deployment.client.dag_runs()}
    conf = {"from": (past - timedelta(days=runs)).isoformat(), "to": past.isoformat(), "dry_run": False}
    started = time.monotonic()
    dag_run_id, state = deployment.run_dag("enrichment_backfill", **conf)
    planned = deployment.answer("enrichment_backfill", dag_run_id, "queue_runs")
    if state != "success" or planned["runs"] != runs:
        raise RuntimeError(f"{planned['runs']} of {runs} runs were queued; the DAG run is {state}")
    waits, passes_waited = [], []
    for number in range(fresh):
        account = build_account(datetime.now(UTC), seed=_FRESH_SEED + number, include=[KINDS[0]])
        deployment.write(account)
        wait, passes = claimed_after(deployment, account.runs[0].run_id)
        waits.append(wait)
        passes_waited.append(passes)
    still_open = deployment.rows(_OPEN)[0]["N"]
    deployment.wait(lambda: deployment.rows(_OPEN)[0]["N"] == 0, _PATIENCE_SECONDS)
    elapsed = time.monotonic() - started
    deployment.wait_until_quiet()
    after = deployment.server("GET", "/statements", params={"since": before["last"]})
    # the benchmark's own have another tag; each write of a fresh run is a login
    sent = sum(item["query_tag"] == Settings().query_tag for item in after["statements"])
    logins = after["logins"] - before["logins"] - fresh
    done = passes_of(deployment, known)
    tasks, one_pass = planned["tasks"], statistics.median(item.seconds for item in done)
    largest, batch = max(item.mapped for item in done), Settings().batch_size
    in_all = tasks + _TASKS_OF_A_FRESH_RUN * fresh
    return [
        Row(
            "historical runs and their tasks, queued at once",
            f"{runs} and {tasks}",
            "Airflow maps at most 1,024 tasks of a DAG run",
        ),
        Row(
            "largest pass",
            f"{largest} mapped tasks",
            f"{Settings().backfill_batch_size} of backfill, and what is fresh",
            f"<= {batch}, the batch size",
            largest <= batch,
        ),
        Row(
            "passes that a fresh run waited for",
            f"{max(passes_waited)} at most",
            f"{fresh} fresh runs, one after the other",
            "<= 1: the next pass",
            max(passes_waited) <= 1,
        ),
        Row(
            "fresh run, from its end to its claim",
            f"median {statistics.median(waits):.1f} s, max {max(waits):.1f} s",
            f"median {statistics.median(waits) / one_pass:.2f} x, max {max(waits) / one_pass:.2f} x the median pass "
            f"({one_pass:.1f} s)",
        ),
        Row(
            "backfill left when the last fresh run was claimed",
            f"{still_open} tasks",
            f"{100 * still_open / tasks:.0f} % of {tasks}: both ran at once",
            "> 0",
            still_open > 0,
        ),
        Row("all settled after", f"{elapsed:.0f} s", f"{in_all / elapsed:.2f} tasks per second"),
        Row(
            "statements sent, logins",
            f"{sent}, {logins}",
            f"{sent / planned['statements']:.2f} x the {planned['statements']} that the dry run expects for the "
            "backfill alone",
        ),
    ]


def historical(past: datetime, runs: int) -> list[Account]:
    """Accounts of one run each, an hour apart, so that none overlaps another."""
    return [
        build_account(past - timedelta(hours=n), seed=1000 + n, include=[KINDS[n % len(KINDS)]]) for n in range(runs)
    ]


def claimed_after(deployment: Deployment, run_id: str) -> tuple[float, int]:
    """Seconds from now to the claim of a run that has just ended, and the passes that began to claim until then."""
    arrived = datetime.now(UTC)
    deployment.wait(lambda: bool(deployment.rows(_CLAIM, run_id=run_id)[0]["CLAIMED_AT"]), _PATIENCE_SECONDS)
    row = deployment.rows(_CLAIM, run_id=run_id)[0]
    starts = [
        datetime.fromisoformat(item["start_date"])
        for run in deployment.client.dag_runs()
        for item in deployment.instances(run["dag_run_id"], "claim_due_tasks")
        if item["start_date"]
    ]
    claimed_at = row["CLAIMED_AT"].replace(tzinfo=UTC)
    return (claimed_at - arrived).total_seconds(), sum(arrived < start <= claimed_at for start in starts)


if __name__ == "__main__":
    sys.exit(main())
