"""Re-queuing tasks on request: what failed, or with ``force`` what settled, of one run or of many."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Self

from include.enrichment.catalogue import CATALOGUE, FALLBACK_TABLE_TYPE
from include.enrichment.lifecycle import NOTHING
from include.enrichment.queue import BACKFILL_PRIORITY, FRESH_PRIORITY
from include.enrichment.selection import (
    LISTED_RUNS,
    RefusedError,
    RunSelection,
    outside_range,
    refuse_unknown_keys,
    unknown_id,
)

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.operations import Operation
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

KEYS = ("test_id", "test_ids", "status", "types", "from", "to", "force")
FAILED_STATUSES = ("FAILED", "PENDING")
"""A pending task only when a try of it failed; see ``queue/requeue_tasks.sql``."""

SETTLED_STATUSES = ("COMPLETED", "SKIPPED")
"""Re-queued with ``force`` only."""


@dataclass(frozen=True)
class RetryRequest:
    """What to re-queue.

    :param statuses: of the tasks
    :param types: names of enrichment types
    """

    selection: RunSelection
    statuses: tuple[str, ...]
    types: tuple[str, ...]
    force: bool

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any], settings: Settings) -> Self:
        """Read the ``conf`` of a DAG run (SPEC §8), whose shape the API has checked.

        :raises RefusedError: an unknown key, nothing that narrows the runs, or keys that exclude each other
        """
        refuse_unknown_keys(conf, KEYS)
        force = bool(conf.get("force"))
        status = conf.get("status")
        if status in SETTLED_STATUSES and not force:
            raise RefusedError(f"status={status} did not fail. To repeat what settled, add force=true.")
        selection = RunSelection.from_conf(conf)
        if selection.is_empty and not status:
            raise RefusedError(
                "Say what to retry: test_id, test_ids, from and to, or status=FAILED for everything that failed."
            )
        statuses = (status,) if status else FAILED_STATUSES + (SETTLED_STATUSES if force else ())
        return cls(selection, statuses, _types(conf.get("types"), settings), force)

    def parameters(self, operation: Operation) -> dict[str, Any]:
        """Bind parameters of ``queue/retry.sql``, beside those of the operation's record."""
        return {
            **self.selection.parameters(),
            "token": operation.operation_id,
            "claimed_by": operation.performed_by,
            # thousands of tasks that a range chooses must not delay fresh ones
            "priority": FRESH_PRIORITY if self.selection.test_ids else BACKFILL_PRIORITY,
            "task_statuses": list(self.statuses),
            "types": list(self.types) or [NOTHING],
            "force": self.force,
            "fallback_table_type": FALLBACK_TABLE_TYPE,
        }

    def __str__(self) -> str:
        return f"{self.selection}; types {', '.join(self.types)}; task status {' or '.join(self.statuses)}"


def retry(hook: DbApiHook, settings: Settings, request: RetryRequest, operation: Operation) -> dict[str, Any]:
    """Make the tasks due at once, their tries counted anew; the history is kept.

    Repeating it for the same operation changes nothing and answers the same.

    :returns: ``runs`` and ``tasks`` counted, ``requeued``: the first runs, id to types; ``refused``: id to reason, of
        the ids that were named
    :raises RefusedError: nothing was re-queued
    """

    def answer(steps: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
        requeued = {
            run_id: [row["ENRICHMENT_TYPE"] for row in rows] for run_id, rows in _grouped(steps["requeued"], "RUN_ID")
        }
        refused = {
            requested_id: why_not(requested_id, rows, request)
            for requested_id, rows in _grouped(steps["requested"], "REQUESTED_ID")
            if rows[0]["RUN_ID"] not in requeued
        }
        if not requeued:
            raise RefusedError(" ".join(refused.values()) or f"Nothing to retry: no task matches {request}.")
        return {
            "runs": len(requeued),
            "tasks": len(steps["requeued"]),
            "requeued": dict(islice(requeued.items(), LISTED_RUNS)),
            "refused": refused,
        }

    done = operation.carry_out(hook, settings, "queue/retry.sql", request.parameters(operation), answer)
    log.info("%s tasks of %s runs re-queued, due now", done["tasks"], done["runs"])
    for run_id, types in done["requeued"].items():
        log.info("Run %s: %s", run_id, ", ".join(types))
    if not settings.enabled:
        log.warning("FLAKEBENCH_ENRICHMENT_ENABLED is false: the tasks wait until it is switched on")
    return done


def _grouped(rows: list[dict[str, Any]], key: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for value, group in groupby(rows, key=lambda row: str(row[key])):
        yield value, list(group)


def why_not(requested_id: str, rows: Sequence[Mapping[str, Any]], request: RetryRequest) -> str:
    """Why nothing of a named run was re-queued, and what to do instead.

    :param rows: those of ``queue/requested_runs.sql`` for the id
    """
    run_id, run_status = rows[0]["RUN_ID"], rows[0]["RUN_STATUS"]
    if run_id is None:
        return unknown_id(requested_id)
    subject = f"Run {run_id}"
    tasks = [row for row in rows if row["ENRICHMENT_TYPE"] is not None]
    if run_status is None:
        return f"{subject} no longer exists in FlakeBench's TEST_RESULTS. Its rows go with the next enrichment_cleanup."
    if not tasks:
        if rows[0]["JOB_STATUS"] == "NOT_APPLICABLE":
            return f"{subject}: its table type has no enrichment. There is nothing to retry."
        return (
            f"{subject} ({run_status}) has no enrichment yet. A finished run gets its tasks in the next pass of "
            "delayed_enrichment; one that ended before the look-back by enrichment_backfill."
        )
    wanted = [row for row in tasks if row["ENRICHMENT_TYPE"] in request.types]
    if not wanted:
        known = ", ".join(row["ENRICHMENT_TYPE"] for row in tasks)
        return f"{subject}: it has no task of {', '.join(request.types) or 'an enabled type'}; it has {known}."
    running = [row for row in wanted if row["IS_RUNNING"]]
    if running:
        return (
            f"{subject} is being enriched now: {', '.join(row['ENRICHMENT_TYPE'] for row in running)} by "
            f"{running[0]['CLAIMED_BY']}. Wait until that DAG run has ended, then trigger again."
        )
    if any(_is_asked_for(row, request) for row in wanted):
        return outside_range(run_id)
    states = ", ".join(_state(row) for row in wanted)
    if len(request.statuses) == 1:
        return f"{subject}: no task that is {request.statuses[0]} can be repeated: {states}. Leave status out."
    if request.force:
        return f"{subject}: nothing that can be repeated: {states}. What is pending is tried by itself."
    return (
        f"{subject}: nothing failed: {states}. What is pending is tried by itself; to repeat what settled, add "
        "force=true."
    )


def _is_asked_for(row: Mapping[str, Any], request: RetryRequest) -> bool:
    """Only the range can have excluded it; see ``queue/requeue_tasks.sql``."""
    return row["STATUS"] in request.statuses and (row["STATUS"] != "PENDING" or row["LAST_ERROR"] is not None)


def _state(row: Mapping[str, Any]) -> str:
    text = f"{row['ENRICHMENT_TYPE']} {row['STATUS']}"
    if row["STATUS"] == "PENDING":
        return f"{text} (due {row['DUE_AT']:%Y-%m-%d %H:%M} UTC)"
    return f"{text} ({row['REASON_CODE']})" if row["REASON_CODE"] else text


def _types(names: Iterable[str] | None, settings: Settings) -> tuple[str, ...]:
    accepted = {name: entry.name for entry in CATALOGUE for name in (entry.name, *entry.aliases)}
    asked = {accepted[name] for name in names or accepted}
    off = settings.off_types
    types = tuple(entry.name for entry in CATALOGUE if entry.name in asked - {*off})
    if not types:
        reasons = "; ".join(sorted({off[name] for name in asked}))
        raise RefusedError(f"{', '.join(sorted(asked))}: {reasons}. Switch it on, then trigger again.")
    return types
