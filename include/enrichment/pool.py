"""The check of the Airflow pool.

Tasks of Airflow 3 cannot ask for a pool. But a task in a pool that does not exist is never started, which another task
can see: ``take_pool_slot`` runs in the pool, ``check_pool`` outside looks at its state for a bounded time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from include.enrichment.findings import Finding, Status

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

WAIT_SECONDS = 90
"""How long a free slot is waited for; the scheduler needs a few seconds."""

POLL_SECONDS = 3
SLOTS = 8

_STARTED = frozenset({"running", "success", "failed", "up_for_retry"})

log = logging.getLogger(__name__)

State = str | None


def check_pool(pool: str, state: Callable[[], State], running_in_pool: Callable[[], int]) -> Finding:
    """Wait until the task that runs in the pool has started, or until others are seen running in it.

    :param state: of the task instance that runs in the pool
    :param running_in_pool: number of other task instances that run in the pool now
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        finding = judge_pool(pool, state(), running_in_pool(), is_waiting=time.monotonic() < deadline)
        if finding is not None:
            log.log(logging.ERROR if finding.is_failure else logging.INFO, "%s: %s", finding.status, finding.text)
            return finding
        time.sleep(POLL_SECONDS)  # the SDK offers nothing to wait on


def judge_pool(pool: str, state: State, running_in_pool: int, *, is_waiting: bool) -> Finding | None:
    """What a state means; None: not decided yet."""
    if state in _STARTED:
        return Finding("pool", pool, Status.OK, "a task got a slot")
    if is_waiting and state not in ("skipped", "upstream_failed", "removed"):
        return None
    if running_in_pool:
        return Finding("pool", pool, Status.OK, f"its slots are in use, {running_in_pool} of them by enrichments")
    return Finding(
        "pool",
        pool,
        Status.FAILED,
        f"the pool {pool} does not exist, or gave no slot for {WAIT_SECONDS} s: tasks in it are never started.",
        f"Look at Admin > Pools. If it is missing, run: airflow pools set {pool} {SLOTS} 'Mapped enrichment tasks'; or "
        "name another one with FLAKEBENCH_ENRICHMENT_POOL.",
    )


def states_of(ti: RuntimeTaskInstanceProtocol, task_id: str) -> Callable[[], State]:
    """Asks Airflow for the state of another task of the same DAG run."""

    def state() -> State:
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id])
        found = states.get(ti.run_id, {}).get(task_id)
        return None if found is None else str(found)

    return state


def running_enrichments(ti: RuntimeTaskInstanceProtocol) -> Callable[[], int]:
    """Asks Airflow how many enrichments, which run in the pool, run now."""
    return lambda: int(ti.get_ti_count(dag_id="delayed_enrichment", task_ids=["enrich"], states=["running"]))


def give_up(task_id: str) -> NoReturn:
    """End a task that waits for the pool, so that the DAG run ends; ``report`` turns it red.

    :raises airflow.sdk.exceptions.DownstreamTasksSkipped: always; a task that has started meanwhile goes on
    """
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    raise DownstreamTasksSkipped(tasks=[task_id])  # type: ignore[no-untyped-call]
