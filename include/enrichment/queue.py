"""The queue in Snowflake: what is due, claiming it, and settling what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from include.enrichment.catalogue import (
    FALLBACK_TABLE_TYPE,
    NO_ENRICHMENT_TABLE_TYPES,
    SNOWFLAKE_TABLE_TYPES,
    as_bind,
)
from include.enrichment.errors import safe_text
from include.enrichment.lifecycle import ClaimedTask
from include.enrichment.monitor import monitor_parameters
from include.enrichment.snowflake import AUTOCOMMIT_OF_LOGIN, open_hook
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

FRESH_PRIORITY = 0
BACKFILL_PRIORITY = 10
"""``PRIORITY`` of a task; anything above fresh is backfill."""


@dataclass(frozen=True)
class QueueState:
    """The row of ``queue/next_due.sql``; times are naive UTC."""

    next_due_at: datetime | None
    next_lease_end: datetime | None
    newest_unknown_end: datetime | None
    stale_jobs: int

    def due_work(self, now: datetime, look_back: timedelta) -> list[str]:
        """Why a pass is needed now, in words; empty when there is nothing to do.

        :param now: naive UTC
        :param look_back: runs that ended longer ago get no job
        """
        reasons = []
        if self.stale_jobs:
            reasons.append(f"{self.stale_jobs} jobs to roll up, to announce or to give tasks")
        if self.newest_unknown_end is not None and self.newest_unknown_end >= now - look_back:
            reasons.append("a finished run has no job")
        if self.next_due_at is not None and self.next_due_at <= now:
            reasons.append(f"a task is due since {self.next_due_at} UTC")
        if self.next_lease_end is not None and self.next_lease_end <= now:
            reasons.append(f"a lease ended at {self.next_lease_end} UTC")
        return reasons


@dataclass(frozen=True)
class SettledJob:
    """A job that is settled and whose asset event is to be emitted."""

    job_id: str
    run_id: str
    status: str
    types: list[str]
    data_complete: bool

    def event(self) -> dict[str, Any]:
        """Extra of the asset event (SPEC §8)."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "types": self.types,
            "data_complete": self.data_complete,
        }


@dataclass(frozen=True)
class Claim:
    """What a pass has claimed.

    :param tasks: the arguments of a :class:`ClaimedTask` each; at most ``batch_size``
    :param tasks_left: due tasks that the batch had no room for
    """

    tasks: list[dict[str, Any]]
    tasks_left: int


def queue_parameters(settings: Settings) -> dict[str, Any]:
    """Bind parameters of the templates that give runs a job and jobs their tasks."""
    return {
        "statuses": list(settings.discover_statuses),
        "catalogue": as_bind(settings.off_types),
        "known_table_types": list(SNOWFLAKE_TABLE_TYPES),
        "unenriched_table_types": list(NO_ENRICHMENT_TABLE_TYPES),
        "fallback_table_type": FALLBACK_TABLE_TYPE,
        "priority": FRESH_PRIORITY,
    }


def sensor_parameters(settings: Settings) -> dict[str, Any]:
    """Bind parameters of ``queue/next_due.sql``; they change with the settings only."""
    return {"statuses": list(settings.discover_statuses), "recheck_hours": settings.recheck_hours}


def claim_parameters(
    settings: Settings, *, claim_token: str, claimed_by: str, lease_minutes: int, is_retry: bool = False
) -> dict[str, Any]:
    """Bind parameters of ``queue/claim_pass.sql``; see :func:`claim_due_tasks`."""
    return {
        **queue_parameters(settings),
        "token": claim_token,
        "claimed_by": claimed_by,
        "abandoned_by": claimed_by if is_retry else None,
        "lease_seconds": lease_minutes * 60,
        "look_back_days": settings.look_back_days,
        "batch_size": settings.batch_size,
        "backfill_batch_size": settings.backfill_batch_size,
        "max_attempts": settings.max_attempts,
        "recheck_hours": settings.recheck_hours,
    }


def claim_due_tasks(
    hook: DbApiHook, settings: Settings, *, claimed_by: str, lease_minutes: int, is_retry: bool = False
) -> Claim:
    """Discover finished runs, give back what lost its worker, and claim a batch of due tasks.

    :param claimed_by: the DAG run, for people
    :param is_retry: the claim of this DAG run was tried before, so what it claimed and nobody has started is given
        back first: the earlier try may have died after its COMMIT. Not on the first try: another deployment may have
        a DAG run of the same name
    """
    claim_token = str(uuid4())
    results = hook.run(
        render("queue/claim_pass.sql", settings),
        autocommit=AUTOCOMMIT_OF_LOGIN,
        parameters=claim_parameters(
            settings,
            claim_token=claim_token,
            claimed_by=claimed_by,
            lease_minutes=lease_minutes,
            is_retry=is_retry,
        ),
        handler=lambda cursor: cursor.fetchall(),
        return_last=False,
    )
    _, _, jobs, tasks, lost, claimed, _, rows = results or []
    tasks_left = rows[0][5] if rows else 0
    (new_jobs, duplicates), (new_tasks, given_back) = jobs[0], tasks[0]  # each MERGE: inserted, updated
    log.info(
        "%s jobs queued, %s duplicates skipped; %s tasks queued, %s given back (%s tries lost), %s claimed, "
        "%s due ones left",
        *(new_jobs, duplicates, new_tasks, given_back, lost[0][0], claimed[0][0], tasks_left),
    )
    known = {*SNOWFLAKE_TABLE_TYPES, *NO_ENRICHMENT_TABLE_TYPES}
    for run_id, table_type in sorted({(row[1], row[4]) for row in rows if row[4] not in known}):
        log.warning("Run %s: table type %r is unknown; treated as %s", run_id, table_type, FALLBACK_TABLE_TYPE)
    claimed_tasks = [
        asdict(
            ClaimedTask(
                job_id=job_id,
                run_id=run_id,
                run_name=name,
                enrichment_type=enrichment_type,
                claim_token=claim_token,
                is_second_look=bool(is_second_look),
            )
        )
        for job_id, run_id, enrichment_type, name, _, _, is_second_look in rows
    ]
    return Claim(claimed_tasks, tasks_left)


def settle_jobs(hook: DbApiHook, settings: Settings) -> list[SettledJob]:
    """Roll up every stale job.

    :returns: the settled jobs whose event has not been recorded
    """
    templates = ("roll_up_jobs", "settled_jobs")
    rolled_up, rows = hook.run(
        [render(f"queue/{name}.sql", settings) for name in templates],
        autocommit=AUTOCOMMIT_OF_LOGIN,
        handler=lambda cursor: cursor.fetchall(),
        return_last=False,
    ) or ([], [])
    log.info("%s jobs rolled up, %s settled", rolled_up[0][0], len(rows))
    return [
        SettledJob(
            job_id=job_id,
            run_id=run_id,
            status=status,
            types=[name for name in (completed or "").split(",") if name],
            data_complete=data_complete is not False,
        )
        for job_id, run_id, status, completed, data_complete in rows
    ]


def record_events(hook: DbApiHook, settings: Settings, job_ids: Sequence[str]) -> None:
    """Record that the events of these jobs were emitted; the last writing statement of a pass, so see
    :func:`answer_next_tick`.
    """
    hook.run(
        "\n".join([render("queue/record_events.sql", settings), _next_questions(settings)]),
        autocommit=AUTOCOMMIT_OF_LOGIN,
        parameters={"job_ids": list(job_ids), **_next_parameters(settings)},
    )


def answer_next_tick(hook: DbApiHook, settings: Settings) -> None:
    """Ask what the sensor and the monitor ask, after the last write of a pass and while the warehouse still runs.

    Their next ticks send the same texts and are answered from Snowflake's result cache; otherwise they would be the
    first to ask after the change, and resume a warehouse that has been suspended meanwhile. A failure costs no more
    than that.
    """
    try:
        hook.run(_next_questions(settings), autocommit=AUTOCOMMIT_OF_LOGIN, parameters=_next_parameters(settings))
    except Exception as error:
        log.warning("What the next ticks ask could not be asked ahead: %s", safe_text(error))


def _next_questions(settings: Settings) -> str:
    return "\n".join(render(template, settings) for template in ("queue/next_due.sql", "monitor/figures.sql"))


def _next_parameters(settings: Settings) -> dict[str, Any]:
    return {**sensor_parameters(settings), **monitor_parameters(settings)}


def mirror(conn_id: str, settings: Settings, claim_token: str | None) -> bool:
    """Copy what changed to FlakeBench's own tables; a failure postpones the copy, never the enrichment.

    :param claim_token: of the pass whose query hashes are copied; None: nothing was claimed
    :returns: whether all of it was copied
    """
    if not settings.mirror:
        return True
    hook = open_hook(conn_id, settings, lock_timeout_seconds=settings.mirror_lock_timeout_seconds)
    steps: list[Callable[[], None]] = [
        lambda: hook.run(render("queue/mirror_runs.sql", settings), autocommit=AUTOCOMMIT_OF_LOGIN),
        lambda: _mirror_hashes(hook, settings, claim_token),
    ]
    is_whole = True
    for step in steps:
        try:
            step()
        except Exception as error:
            is_whole = False
            log.warning(
                "The mirror on FlakeBench's tables is postponed: %s. If its columns are missing, the daily cleanup "
                "adds them again.",
                safe_text(error),
            )
    return is_whole


def _mirror_hashes(hook: DbApiHook, settings: Settings, claim_token: str | None) -> None:
    rows = hook.get_records(render("queue/written_children.sql", settings), parameters={"claim_token": claim_token})
    if rows:
        hook.run(
            render("queue/mirror_hashes.sql", settings),
            autocommit=AUTOCOMMIT_OF_LOGIN,
            parameters={
                "run_ids": sorted({run_id for run_id, _ in rows}),
                "child_ids": sorted({child_id for _, child_id in rows}),
            },
        )
