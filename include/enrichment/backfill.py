"""Queuing finished runs that never got a job, with lower priority than fresh ones."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from typing import TYPE_CHECKING, Any

from include.enrichment.catalogue import CATALOGUE, EnrichmentType
from include.enrichment.queue import BACKFILL_PRIORITY, queue_parameters
from include.enrichment.selection import (
    LISTED_RUNS,
    RefusedError,
    RunSelection,
    outside_range,
    refuse_unknown_keys,
    unknown_id,
)
from include.enrichment.templates import statements

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.operations import Operation
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

KEYS = ("test_ids", "from", "to", "dry_run")


def selection_from_conf(conf: Mapping[str, Any]) -> RunSelection:
    """Read the ``conf`` of a DAG run, whose shape the API has checked.

    :raises RefusedError: an unknown key, or nothing that narrows the runs
    """
    refuse_unknown_keys(conf, KEYS)
    selection = RunSelection.from_conf(conf)
    if selection.is_empty:
        raise RefusedError("Say which runs: from and to (when they ended), or test_ids.")
    return selection


def backfill_parameters(settings: Settings, selection: RunSelection, operation: Operation) -> dict[str, Any]:
    """Bind parameters of ``queue/backfill.sql``, beside those of the operation's record."""
    return {
        **queue_parameters(settings),
        **selection.parameters(),
        "claimed_by": operation.performed_by,
        "backfill_priority": BACKFILL_PRIORITY,
    }


def backfill(
    hook: DbApiHook, settings: Settings, selection: RunSelection, operation: Operation, *, dry_run: bool
) -> dict[str, Any]:
    """Queue the chosen finished runs that have no job; each becomes due by its end, so at once.

    A dry run does the same and takes it back. Repeating it for the same operation changes nothing.

    :returns: ``runs`` and ``tasks`` counted, ``statements`` expected, ``types``: per type the tasks by outcome,
        ``listed``: the first runs, ``refused``: id to reason, of the ids that were named
    """

    def answer(steps: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
        queued = {str(row["RUN_ID"]) for row in steps["queued"]}
        return summarize(steps["queued"], settings) | {"refused": refused_ids(steps["requested"], queued, settings)}

    template = "queue/backfill_dry_run.sql" if dry_run else "queue/backfill.sql"
    done = operation.carry_out(hook, settings, template, backfill_parameters(settings, selection, operation), answer)
    log.info("%s:\n%s", "Dry run, nothing was queued; it would be" if dry_run else "Queued", report(done))
    return done


def summarize(rows: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """What was queued, from the rows of ``queue/backfilled_tasks.sql``."""
    types: dict[str, Counter[str]] = {}
    listed: list[str] = []
    runs = sent = 0
    per_task = {entry.name: statements_per_task(entry, settings) for entry in CATALOGUE}
    for run_id, group in groupby(rows, key=lambda row: str(row["RUN_ID"])):
        tasks = list(group)
        runs += 1
        parts = []
        for row in tasks:
            if row["ENRICHMENT_TYPE"] is None:
                parts.append(str(row["JOB_STATUS"]))
                continue
            outcome = row["STATUS"] if row["REASON_CODE"] is None else f"{row['STATUS']} ({row['REASON_CODE']})"
            types.setdefault(row["ENRICHMENT_TYPE"], Counter())[outcome] += 1
            sent += per_task.get(row["ENRICHMENT_TYPE"], 0) if row["STATUS"] == "PENDING" else 0
            parts.append(f"{row['ENRICHMENT_TYPE']} {outcome}")
        if runs <= LISTED_RUNS:
            first = tasks[0]
            ended = f"{first['TEST_END_TIME']:%Y-%m-%d %H:%M}" if first["TEST_END_TIME"] else "without an end"
            listed.append(f"{run_id} ({first['RUN_NAME']}), {first['TABLE_TYPE']}, {ended}: {', '.join(parts)}")
    pending = sum(counts["PENDING"] for counts in types.values())
    return {
        "runs": runs,
        "tasks": pending,
        "statements": sent,
        "types": {name: dict(counts) for name, counts in sorted(types.items())},
        "listed": listed,
    }


def statements_per_task(entry: EnrichmentType, settings: Settings) -> int:
    """Statements that one try of a type sends to Snowflake."""
    return len(statements(entry.template, settings))


def refused_ids(rows: Sequence[Mapping[str, Any]], queued: Set[str], settings: Settings) -> dict[str, str]:
    """Which of the named ids could not be queued, and why; a run that has a job is no mistake.

    :param rows: those of ``queue/requested_runs.sql``, read before anything was queued
    :param queued: ids of the runs that were
    """
    refused = {}
    for row in rows:
        requested_id, run_id, status = row["REQUESTED_ID"], row["RUN_ID"], row["RUN_STATUS"]
        if run_id is None:
            refused[requested_id] = unknown_id(requested_id)
        elif row["JOB_STATUS"] is not None or row["ENRICHMENT_TYPE"] is not None:
            log.info("Run %s has a job already; to repeat it use enrichment_retry", run_id)
        elif status not in settings.discover_statuses:
            refused[requested_id] = (
                f"Run {run_id} is {status}: only {', '.join(settings.discover_statuses)} runs are queued "
                "(FLAKEBENCH_ENRICHMENT_DISCOVER_STATUSES)."
            )
        elif run_id not in queued:
            refused[requested_id] = outside_range(run_id)
    return refused


def report(done: Mapping[str, Any]) -> str:
    """The answer of :func:`backfill` as text."""
    lines = [f"{done['runs']} runs, {done['tasks']} tasks, about {done['statements']} statements"]
    for name, outcomes in done["types"].items():
        lines.append(f"  {name}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    lines += [f"  {line}" for line in done["listed"]]
    if done["runs"] > len(done["listed"]):
        lines.append(f"  ... and {done['runs'] - len(done['listed'])} more runs")
    return "\n".join(lines)
