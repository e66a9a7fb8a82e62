"""Schema migrations: numbered, forward-only, idempotent, recorded; each with a rollback that backs up first.

``include/sql/schema/<number>_<name>.sql`` migrates, ``<number>_<name>.rollback.sql`` takes back. Snowflake commits each
statement of DDL by itself, so both can be interrupted anywhere; a second run completes them.

ENRICHMENT_MIGRATIONS records where a step stands. APPLYING and ROLLING_BACK are written **before** its first statement:
only while the newest record says ROLLING_BACK are the backups that a rollback finds its own, and ``migrate`` ends that
before it creates the first empty table. The record itself is never dropped.

Two deployments may migrate at the same time: every statement says IF NOT EXISTS or replaces a view by the same view, a
second APPLIED record says the same, and a second row of ENRICHMENT_PASS_LOCK is harmless, because the UPDATE that holds
the lock changes every row of that name. Rolling back while anything else runs is not supported: pause the DAGs first.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.enrichment.rollback_statements import (
    Backup,
    ColumnChange,
    Drop,
    Existing,
    Remaining,
    RollbackStatement,
    read,
    remaining,
)
from include.enrichment.templates import SQL_FOLDER, render, statements

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

APPLYING, APPLIED, ROLLING_BACK, ROLLED_BACK = "APPLYING", "APPLIED", "ROLLING_BACK", "ROLLED_BACK"
"""States of a migration; the newest record holds."""

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


class MigrationError(Exception):
    """A migration or rollback cannot be carried out."""


@dataclass(frozen=True, order=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str

    @property
    def label(self) -> str:
        return f"{self.number:04d}_{self.name}"

    @property
    def path(self) -> str:
        return f"schema/{self.label}.sql"

    @property
    def rollback_path(self) -> str:
        return f"schema/{self.label}.rollback.sql"

    def checksum(self) -> str:
        """Of the template, whatever the settings."""
        return hashlib.sha256((SQL_FOLDER / self.path).read_bytes()).hexdigest()


@dataclass(frozen=True)
class PlannedStep:
    """What a migration or its rollback would do now.

    :param number: of the migration
    :param name: number and name, for instance ``0002_results``
    :param statements: rendered, without comments and semicolons, in the order in which they are sent; none when an
        interrupted run has done everything but record it
    :param drops: what disappears, for people; none for a migration
    """

    number: int
    name: str
    statements: tuple[str, ...]
    drops: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Record:
    """The newest record of a migration."""

    checksum: str | None
    state: str


@dataclass(frozen=True)
class _Rollback:
    """A rollback of one step that is about to be done."""

    step: Migration
    remaining: Remaining
    is_resumed: bool


def migrations() -> list[Migration]:
    """All steps, in order.

    :raises MigrationError: two have the same number
    """
    found = sorted(
        Migration(int(match.group(1)), match.group(2))
        for path in (SQL_FOLDER / "schema").glob("*.sql")
        if (match := _FILE.fullmatch(path.name))
    )
    numbers = [step.number for step in found]
    if len(set(numbers)) != len(numbers):
        raise MigrationError(f"two migrations share a number: {numbers}")
    return found


def applied(hook: DbApiHook, settings: Settings) -> set[int]:
    """Numbers of the migrations that are in force; reads only.

    A step whose migration or rollback was interrupted is not among them.
    """
    return _in_force(_recorded(hook, settings, _existing(hook, settings)))


def plan_migration(hook: DbApiHook, settings: Settings) -> list[PlannedStep]:
    """What :func:`migrate` would do; reads only, and creates not even the record."""
    return _pending(applied(hook, settings), settings)


def migrate(hook: DbApiHook, settings: Settings) -> list[str]:
    """Apply what is missing, in order. Idempotent; a step that was interrupted is repeated.

    After an interrupted rollback it completes the schema again. What that rollback had already dropped stays in its
    ``*_ROLLBACK`` tables, which a later rollback does not overwrite.

    :returns: names of the steps that were applied
    """
    recorded = _recorded(hook, settings, _existing(hook, settings))
    _warn_of_changed_files(recorded)
    pending = _pending(_in_force(recorded), settings)
    if not pending:
        return []
    hook.run(render("schema/record.sql", settings), autocommit=True)
    steps = {step.number: step for step in migrations()}
    for planned in pending:
        step = steps[planned.number]
        if step.number in recorded and recorded[step.number].state == ROLLING_BACK:
            log.warning(
                "The rollback of %s was interrupted; migrating again. What it had dropped is in the tables *_ROLLBACK.",
                step.label,
            )
        log.info("Migration %s", step.label)
        _record(hook, settings, step, APPLYING)
        hook.run(list(planned.statements), autocommit=True)
        _record(hook, settings, step, APPLIED)
    return [planned.name for planned in pending]


def plan_rollback(hook: DbApiHook, settings: Settings, to: int) -> list[PlannedStep]:
    """What :func:`rollback` would back up and drop, with row counts; reads only.

    :param to: the number that stays the newest in force; 0 takes back all
    :raises MigrationError: a backup is in the way, or there is no such number
    """
    return _planned(hook, _rollbacks(hook, settings, to))


def rollback(hook: DbApiHook, settings: Settings, to: int) -> list[str]:
    """Take back every migration above a number, newest first; says what it drops before it does.

    Each table is copied to ``<table>_ROLLBACK`` and then dropped. Interrupted anywhere, a second call with the same
    arguments completes it. Nothing else may run meanwhile: a row that is written between copy and drop is lost.

    :param to: the number that stays the newest in force; 0 takes back all
    :returns: names of the steps that were taken back
    :raises MigrationError: a backup of an earlier rollback is in the way, or there is no such number; nothing was
        changed. Or a statement failed; then the message says where, and the same call goes on there.
    """
    rollbacks = _rollbacks(hook, settings, to)
    plan = _planned(hook, rollbacks)
    for planned in plan:
        for dropped in planned.drops:
            log.info("Rollback of %s drops %s", planned.name, dropped)
    for item, planned in zip(rollbacks, plan, strict=True):
        try:
            if not item.is_resumed:
                _record(hook, settings, item.step, ROLLING_BACK)
            if planned.statements:
                hook.run(list(planned.statements), autocommit=True)
            _record(hook, settings, item.step, ROLLED_BACK)
        except Exception as error:
            raise MigrationError(
                f"Rollback of {planned.name} stopped: {error}. Nothing is lost: what was dropped is in the tables "
                f"*_ROLLBACK. Remove the cause and run the rollback to {to} again; it goes on from here."
            ) from error
    return [planned.name for planned in plan]


def _rollbacks(hook: DbApiHook, settings: Settings, to: int) -> list[_Rollback]:
    numbers = [step.number for step in migrations()]
    if to not in (0, *numbers):
        raise MigrationError(
            f"There is no migration {to} to roll back to; possible are 0 (take back all) to {numbers[-1]}."
        )
    existing = _existing(hook, settings)
    recorded = _recorded(hook, settings, existing)
    found = []
    for step in sorted(migrations(), reverse=True):
        state = recorded[step.number].state if step.number in recorded else ROLLED_BACK
        if step.number > to and state != ROLLED_BACK:
            is_resumed = state == ROLLING_BACK
            known = [read(text) for text in _statements(step.rollback_path, settings)]
            found.append(_Rollback(step, remaining(known, existing, is_resumed=is_resumed), is_resumed))
    in_the_way = [
        backup.name
        for item in found
        if not item.is_resumed
        for backup in item.remaining.backups
        if existing.has(backup.name)
    ]
    if in_the_way:
        raise MigrationError(_refusal(to, in_the_way, existing))
    return found


def _refusal(to: int, in_the_way: list[str], existing: Existing) -> str:
    lines = [
        f"Rollback to {to} is refused, nothing was changed: backups of an earlier rollback are in the way. "
        "For each, keep it under another name or give it up, then run the rollback again:"
    ]
    for name in in_the_way:
        free = next(f"{name}_{n}" for n in range(1, len(existing.columns) + 2) if not existing.has(f"{name}_{n}"))
        lines.append(f"  {name}: ALTER TABLE {name} RENAME TO {free}; or DROP TABLE {name};")
    return "\n".join(lines)


def _planned(hook: DbApiHook, rollbacks: list[_Rollback]) -> list[PlannedStep]:
    counts = _row_counts(hook, rollbacks)
    return [
        PlannedStep(
            item.step.number,
            item.step.label,
            tuple(
                statement.replacing if isinstance(statement, Backup) and item.is_resumed else statement.text
                for statement in item.remaining.statements
            ),
            tuple(
                text
                for statement in item.remaining.statements
                if (text := _dropped(statement, item.remaining, counts)) is not None
            ),
        )
        for item in rollbacks
    ]


def _row_counts(hook: DbApiHook, rollbacks: list[_Rollback]) -> dict[str, int]:
    """Rows that each backup will hold, by its name; none for one that needs columns which are still missing."""
    countable = [backup for item in rollbacks for backup in item.remaining.countable]
    if not countable:
        return {}
    queries = [f"SELECT COUNT(*) AS ROW_COUNT FROM ({backup.query}) AS backed_up" for backup in countable]
    counts: Any = hook.run(queries, handler=lambda cursor: cursor.fetchone()[0], return_last=False)
    return {backup.name: int(count) for backup, count in zip(countable, counts, strict=True)}


def _dropped(item: RollbackStatement, done: Remaining, counts: Mapping[str, int]) -> str | None:
    """What a statement drops, in words; None when it drops nothing."""
    if isinstance(item, Drop):
        what, table = f"{item.kind} {item.name}", item.name
        if item.kind == "VIEW":
            return what
    elif isinstance(item, ColumnChange) and item.verb == "DROP":
        what, table = f"COLUMN {item.table}.{item.column}", item.table
    else:
        return None
    backup = done.backup_of(table)
    if backup is None:
        return f"{what} (not backed up, it holds nothing of its own)"
    rows = f"{counts[backup.name]:,} rows, " if backup.name in counts else ""
    return f"{what} ({rows}backed up as {backup.name.rpartition('.')[2]})"


def _pending(in_force: set[int], settings: Settings) -> list[PlannedStep]:
    return [
        PlannedStep(step.number, step.label, _statements(step.path, settings))
        for step in migrations()
        if step.number not in in_force
    ]


def _statements(path: str, settings: Settings) -> tuple[str, ...]:
    return tuple(text.removesuffix(";").rstrip() for text in statements(path, settings))


def _existing(hook: DbApiHook, settings: Settings) -> Existing:
    rows = hook.get_records(
        render("schema/existing_columns.sql", settings),
        parameters={"results_schema": settings.results_schema, "enrichment_schema": settings.enrichment_schema},
    )
    columns: dict[str, set[str]] = {}
    for schema, table, column in rows:
        columns.setdefault(f"{settings.results_database}.{schema}.{table}", set()).add(column)
    return Existing({name: frozenset(found) for name, found in columns.items()})


def _recorded(hook: DbApiHook, settings: Settings, existing: Existing) -> dict[int, _Record]:
    """The newest record of each migration, by number; none while there is no record at all."""
    if not existing.has(f"{settings.enrichment}.ENRICHMENT_MIGRATIONS"):
        return {}
    rows = hook.get_records(render("schema/newest_records.sql", settings))
    return {int(version): _Record(checksum, state) for version, _, checksum, state in rows}


def _in_force(recorded: Mapping[int, _Record]) -> set[int]:
    return {number for number, record in recorded.items() if record.state == APPLIED}


def _warn_of_changed_files(recorded: Mapping[int, _Record]) -> None:
    for step in migrations():
        record = recorded.get(step.number)
        if record is not None and record.state == APPLIED and record.checksum != step.checksum():
            log.warning(
                "%s was changed after it was applied: the account has what the file said then. Put the change into a "
                "migration of its own.",
                step.path,
            )


def _record(hook: DbApiHook, settings: Settings, step: Migration, state: str) -> None:
    hook.run(
        render("schema/record_step.sql", settings),
        autocommit=True,
        parameters={"version": step.number, "name": step.name, "checksum": step.checksum(), "state": state},
    )
