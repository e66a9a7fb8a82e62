"""The daily cleanup: retention, rows of deleted runs, and the repair of the mirror on FlakeBench's tables.

Each step deletes in bounded batches, each batch a transaction of its own: a step that is interrupted keeps what it
has done, and the next try goes on. What is pending, in progress, or failed and not yet announced is never deleted;
``cleanup/_kept_jobs.sql`` says so in one place.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from include.enrichment.errors import safe_text
from include.enrichment.migrations import applied, migrations
from include.enrichment.snowflake import affected_rows, open_hook
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from snowflake.connector.cursor import SnowflakeCursor

    from include.enrichment.operations import Operation
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

OPERATION_RETENTION_DAYS = 365
"""Records in ENRICHMENT_OPERATIONS are kept for a year."""

RUNS_PER_HASH_GROUP = 50
"""Runs whose hashes are compared in one statement: a bounded list of children for the clustered QUERY_EXECUTIONS."""

_INVALID_IDENTIFIER = 904
_NO_CHILD = ("",)

Counts = dict[str, int]
"""What a step deleted or repaired, by name."""

Step = Callable[["DbApiHook", "Settings", bool], Counts]


class CleanupError(Exception):
    """A step stopped. The message says which, why, and what to do."""


def run_step(name: str, conn_id: str, settings: Settings, *, dry_run: bool = False) -> Counts:
    """Run one step.

    :param name: a key of :data:`STEPS`
    :param conn_id: Airflow connection
    :param dry_run: count what would be deleted, delete nothing
    :returns: rows by name; in a dry run those that would be deleted
    :raises CleanupError: Snowflake refused a statement, the schema is rolled back, or the step refused to delete
    """
    from snowflake.connector.errors import Error as SnowflakeError

    # a repair must not wait long for a live benchmark that writes to the same tables
    lock_timeout = settings.mirror_lock_timeout_seconds if name == repair_mirror.__name__ else None
    hook = open_hook(conn_id, settings, lock_timeout_seconds=lock_timeout)
    try:
        _refuse_other_schema(name, hook, settings)
        counts = STEPS[name](hook, settings, dry_run)
    except SnowflakeError as error:
        raise CleanupError(
            f"{name} stopped: {safe_text(error).rstrip('.')}. Batches that were committed stay deleted and are in the "
            "log. Airflow tries again, then the next cleanup goes on; clear the task to go on at once."
        ) from error
    log.info("%s %s: %s", name, "would delete" if dry_run else "done", counts or "nothing to do")
    return counts


def record_cleanup(
    operation: Operation, hook: DbApiHook, settings: Settings, results: Mapping[str, Counts | None], *, dry_run: bool
) -> list[str]:
    """Write the summary of a cleanup, one row of ENRICHMENT_OPERATIONS.

    :param results: step to what it returned; None: it failed
    :returns: names of the steps that failed
    """
    failed = [name for name, counts in results.items() if counts is None]
    details = {"dry_run": dry_run, "failed_steps": failed, **results}
    operation.record(hook, settings, "FAILED" if failed else "SUCCEEDED", details)
    log.info("Cleanup %s: %s", "failed" if failed else "succeeded", details)
    return failed


def delete_settled_jobs(hook: DbApiHook, settings: Settings, dry_run: bool) -> Counts:
    """Delete queue rows and tries of jobs that settled longer ago than ``queue_retention_days``.

    Task rows and summaries stay, so that the run is never enriched twice.
    """
    parameters = {"retention_days": settings.queue_retention_days, "batch_size": settings.cleanup_batch_size}
    if dry_run:
        return _count(hook, settings, "cleanup/count_settled_jobs.sql", parameters)
    totals: Counter[str] = Counter(queue_rows=0, attempts=0, batches=0)
    while True:
        _, _, attempts, queue_rows, _, chosen = _run(
            hook, settings, "cleanup/delete_settled_jobs.sql", _first_value, parameters
        )
        totals.update(queue_rows=queue_rows, attempts=attempts, batches=1)
        log.info("Batch %s: %s queue rows and %s tries of %s jobs", totals["batches"], queue_rows, attempts, chosen)
        if chosen < settings.cleanup_batch_size:
            return dict(totals)
        if not queue_rows + attempts:
            log.warning("None of %s chosen jobs was deleted: all were queued again meanwhile", chosen)
            return dict(totals)


def delete_orphaned_rows(hook: DbApiHook, settings: Settings, dry_run: bool) -> Counts:
    """Delete the rows of runs that have no row left in TEST_RESULTS, and tries whose job no longer exists.

    A run of which the parent's row or a child's is left still exists.

    :returns: ``rows`` in all, and those of each table that had any
    :raises CleanupError: TEST_RESULTS is empty, although we have rows of runs
    """
    found = _count(hook, settings, "cleanup/count_orphaned_rows.sql", {})
    known_tests, orphans = found.pop("known_tests"), sum(found.values())
    if orphans and not known_tests:
        raise CleanupError(
            f"delete_orphaned_rows refuses: {settings.results}.TEST_RESULTS has no row, so that {orphans} rows of "
            "enriched runs look orphaned. Nothing was deleted. If FlakeBench is being set up or restored, clear this "
            "task afterwards; if FLAKEBENCH_ENRICHMENT_RESULTS_DATABASE or _SCHEMA points elsewhere, correct it."
        )
    if dry_run or not orphans:
        return {"rows": orphans, **_positive(found)}
    parameters = {"batch_size": settings.cleanup_batch_size}
    deleted = _delete_in_batches(hook, settings, "cleanup/delete_orphaned_rows.sql", parameters, list(found))
    return {"rows": sum(deleted[name] for name in found), **_positive(deleted)}


def delete_expired_insights(hook: DbApiHook, settings: Settings, dry_run: bool) -> Counts:
    """Delete cached insights whose EXPIRES_AT has passed."""
    if dry_run:
        return _count(hook, settings, "cleanup/count_expired_insights.sql", {})
    parameters = {"batch_size": settings.cleanup_batch_size}
    return _delete_in_batches(hook, settings, "cleanup/delete_expired_insights.sql", parameters, ["insights"])


def delete_old_operations(hook: DbApiHook, settings: Settings, dry_run: bool) -> Counts:
    """Delete records of maintenance that are older than :data:`OPERATION_RETENTION_DAYS`."""
    parameters = {"retention_days": OPERATION_RETENTION_DAYS, "batch_size": settings.cleanup_batch_size}
    if dry_run:
        return _count(hook, settings, "cleanup/count_old_operations.sql", parameters)
    return _delete_in_batches(hook, settings, "cleanup/delete_old_operations.sql", parameters, ["operations"])


def repair_mirror(hook: DbApiHook, settings: Settings, dry_run: bool) -> Counts:
    """Restore on FlakeBench's tables what it dropped, or what a pass postponed.

    :returns: ``columns_added`` 1 when a column was missing; rows of TEST_RESULTS and of QUERY_EXECUTIONS that differed
    """
    if not settings.mirror or dry_run:
        reason = "dry run" if settings.mirror else "FLAKEBENCH_ENRICHMENT_MIRROR is false"
        log.info("The mirror is not repaired: %s", reason)
        return {}
    columns_added = _add_missing_columns(hook, settings)
    (runs,) = _run(hook, settings, "queue/mirror_runs.sql", affected_rows)
    return {"columns_added": int(columns_added), "runs": runs, "executions": _mirror_hashes(hook, settings)}


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        delete_settled_jobs,
        delete_orphaned_rows,
        delete_expired_insights,
        delete_old_operations,
        repair_mirror,
    )
}
"""Step to what it does, in order; the names are the task ids of ``enrichment_cleanup``."""


def _refuse_other_schema(name: str, hook: DbApiHook, settings: Settings) -> None:
    """Nothing is touched while a migration is not in force: the steps read what it makes, and the columns that
    ``repair_mirror`` would add to a schema that is rolled back could not be taken back any more.

    An error, not a skip: a schema of an older version is cleaned up by that version, so that here something is left
    undone, and a green run would hide that nothing is deleted.
    """
    in_force = applied(hook, settings)
    missing = [step.label for step in migrations() if step.number not in in_force]
    if missing:
        raise CleanupError(
            f"{name} refuses, nothing was changed: {', '.join(missing)} not in force in {settings.enrichment}. It is "
            "rolled back or not migrated yet, or the role cannot see its table ENRICHMENT_MIGRATIONS. Run the DAG "
            "enrichment_setup (make migrate), then clear this task. If the schema is to stay as it is, pause this DAG, "
            "or deploy the version of the package that belongs to it."
        )


def _delete_in_batches(
    hook: DbApiHook, settings: Settings, path: str, parameters: Mapping[str, Any], names: Sequence[str]
) -> Counts:
    """Run a template until none of its statements finds as much as it may delete.

    It ends: every round but the last deletes at least ``cleanup_batch_size`` rows.

    :param names: of the template's statements
    """
    totals: Counter[str] = Counter({**dict.fromkeys(names, 0), "batches": 0})
    while True:
        deleted = _run(hook, settings, path, affected_rows, parameters)
        counts = dict(zip(names, deleted, strict=True))
        totals.update({**counts, "batches": 1})
        log.info("Batch %s: %s", totals["batches"], _positive(counts))
        if max(counts.values()) < settings.cleanup_batch_size:
            return dict(totals)


def _positive(counts: Mapping[str, int]) -> Counts:
    return {name: count for name, count in counts.items() if count}


def _count(hook: DbApiHook, settings: Settings, path: str, parameters: Mapping[str, Any]) -> Counts:
    """The one row of a counting template, by lower-case column name."""

    def handle(cursor: SnowflakeCursor) -> Counts:
        row = cursor.fetchone() or ()
        return {column.name.lower(): int(value) for column, value in zip(cursor.description, row, strict=True)}

    (counts,) = _run(hook, settings, path, handle, parameters)
    return dict(counts)


def _run(
    hook: DbApiHook,
    settings: Settings,
    path: str,
    handler: Callable[[SnowflakeCursor], Any],
    parameters: Mapping[str, Any] | None = None,
) -> list[Any]:
    """What a handler makes of each statement of a template."""
    results: Any = hook.run(
        render(path, settings), autocommit=True, parameters=parameters, handler=handler, return_last=False
    )
    return list(results or ())


def _first_value(cursor: SnowflakeCursor) -> Any:
    """Of a DELETE the number of rows, of a COUNT(*) the count."""
    return (cursor.fetchone() or (None,))[0]


def _add_missing_columns(hook: DbApiHook, settings: Settings) -> bool:
    """Add the columns of the mirror again when one is missing.

    Only then, because DDL on FlakeBench's tables contends with a live benchmark.
    """
    from snowflake.connector.errors import ProgrammingError

    try:
        hook.run(
            render("cleanup/mirror_columns.sql", settings), autocommit=True, parameters={"child_ids": list(_NO_CHILD)}
        )
    except ProgrammingError as error:
        if error.errno != _INVALID_IDENTIFIER:
            raise
        log.info("FlakeBench has dropped columns of the mirror; they are added again: %s", safe_text(error))
        hook.run(render("schema/0003_mirror.sql", settings), autocommit=True)
        return True
    return False


def _mirror_hashes(hook: DbApiHook, settings: Settings) -> int:
    """Copy the hashes of every run in which one differs; returns the number of executions."""
    updated = 0
    for group in _hash_groups(hook, settings):
        child_ids = [child for children in group.values() for child in children]
        stale = hook.get_records(
            render("cleanup/stale_hashes.sql", settings),
            parameters={"run_ids": list(group), "child_ids": child_ids},
        )
        if stale:
            run_ids = sorted(run_id for (run_id,) in stale)
            parameters = {"run_ids": run_ids, "child_ids": [child for run in run_ids for child in group[run]]}
            updated += sum(_run(hook, settings, "queue/mirror_hashes.sql", affected_rows, parameters))
            log.info("Hashes of %s runs restored, %s executions so far", len(run_ids), updated)
    return updated


def _hash_groups(hook: DbApiHook, settings: Settings) -> Iterator[dict[str, list[str]]]:
    """The runs whose queries have hashes, with their children, :data:`RUNS_PER_HASH_GROUP` at a time."""
    rows = hook.get_records(render("cleanup/hashed_children.sql", settings)) or []
    children = {run_id: [child for _, child in group] for run_id, group in groupby(rows, key=itemgetter(0))}
    run_ids = list(children)
    for start in range(0, len(run_ids), RUNS_PER_HASH_GROUP):
        yield {run_id: children[run_id] for run_id in run_ids[start : start + RUNS_PER_HASH_GROUP]}
