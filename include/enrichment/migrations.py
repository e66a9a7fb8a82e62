"""Schema migrations: numbered, forward-only, idempotent, recorded; each with a rollback that backs up first.

``include/sql/schema/<number>_<name>.sql`` migrates, ``<number>_<name>.rollback.sql`` takes back. Snowflake commits each
statement of DDL by itself, so both can be interrupted anywhere; a second run completes them.

ENRICHMENT_MIGRATIONS records where a step stands. APPLYING and ROLLING_BACK are written **before** its first statement:
only while the newest record says ROLLING_BACK are the backups that a rollback finds its own, and ``migrate`` ends that
before it creates the first empty table. The record itself is never dropped. A plan holds these records too, and what
runs is what the plan shows: whoever sends its text by hand leaves the same schema.

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

from include.enrichment.probes import describe
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
_CREATED_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS ([\w$.]+) \((.*?)\n\)", re.DOTALL)
_ADDED_COLUMN = re.compile(r"ALTER TABLE ([\w$.]+) ADD COLUMN IF NOT EXISTS (\w+) ")
_CREATED_COLUMN = re.compile(r"^  (?!CONSTRAINT )(\w+) ", re.MULTILINE)


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
    :param statements: rendered, without comments, semicolons and binds, in the order in which they are sent; those
        that record the step are among them
    :param drops: what disappears, for people; none for a migration
    """

    number: int
    name: str
    statements: tuple[str, ...]
    drops: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Record:
    """The newest record of a migration."""

    name: str
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


def created_columns(text: str) -> dict[str, tuple[str, ...]]:
    """Qualified name to columns, of every table that rendered migrations create."""
    return {name: tuple(_CREATED_COLUMN.findall(columns)) for name, columns in _CREATED_TABLE.findall(text)}


def added_columns(text: str) -> list[tuple[str, str]]:
    """Qualified table and column, of every column that rendered migrations add to a table that is there."""
    return _ADDED_COLUMN.findall(text)


def plan_migration(hook: DbApiHook, settings: Settings) -> list[PlannedStep]:
    """What :func:`migrate` would do; reads only, and creates not even the record.

    :raises MigrationError: a table of another making is in the way
    """
    existing = _existing(hook, settings)
    return _pending(_recorded(hook, settings, existing), existing, settings)


def migrate(hook: DbApiHook, settings: Settings) -> list[str]:
    """Apply what is missing, in order. Idempotent; a step that was interrupted is repeated.

    After an interrupted rollback it completes the schema again. What that rollback had already dropped stays in its
    ``*_ROLLBACK`` tables, which a later rollback does not overwrite.

    :returns: names of the steps that were applied
    :raises MigrationError: a table of another making is in the way; nothing was changed. Or a statement failed; then
        the message says in which step, and the same call repeats it.
    """
    existing = _existing(hook, settings)
    recorded = _recorded(hook, settings, existing)
    _warn_of_changed_files(recorded)
    plan = _pending(recorded, existing, settings)
    for planned in plan:
        if planned.number in recorded and recorded[planned.number].state == ROLLING_BACK:
            log.warning(
                "The rollback of %s was interrupted; migrating again. What it had dropped is in the tables *_ROLLBACK.",
                planned.name,
            )
        log.info("Migration %s", planned.name)
        try:
            hook.run(list(planned.statements), autocommit=True)
        except Exception as error:
            raise MigrationError(
                f"Migration {planned.name} stopped: {describe(error)}. Remove the cause and run the migration again; "
                "it repeats this step and goes on."
            ) from error
    return [planned.name for planned in plan]


def plan_rollback(hook: DbApiHook, settings: Settings, to: int) -> list[PlannedStep]:
    """What :func:`rollback` would back up and drop, with row counts; reads only.

    :param to: the number that stays the newest in force; 0 takes back all
    :raises MigrationError: a backup is in the way, there is no such number, or a step above it is unknown
    """
    return _planned(hook, settings, _rollbacks(hook, settings, to))


def rollback(hook: DbApiHook, settings: Settings, to: int) -> list[str]:
    """Take back every migration above a number, newest first; says what it drops before it does.

    Each table is copied to ``<table>_ROLLBACK`` and then dropped. Interrupted anywhere, a second call with the same
    arguments completes it. Nothing else may run meanwhile: a row that is written between copy and drop is lost.

    :param to: the number that stays the newest in force; 0 takes back all
    :returns: names of the steps that were taken back
    :raises MigrationError: a backup of an earlier rollback is in the way, there is no such number, or a newer version
        of the package applied a step above it; nothing was changed. Or a statement failed; then the message says
        where, and the same call goes on there.
    """
    plan = plan_rollback(hook, settings, to)
    for planned in plan:
        for dropped in planned.drops:
            log.info("Rollback of %s drops %s", planned.name, dropped)
    for planned in plan:
        try:
            hook.run(list(planned.statements), autocommit=True)
        except Exception as error:
            raise MigrationError(
                f"Rollback of {planned.name} stopped: {describe(error)}. Nothing is lost: what was dropped is in the "
                f"tables *_ROLLBACK. Remove the cause and run the rollback to {to} again; it goes on from here."
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
    _refuse_unknown(recorded, to, numbers)
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


def _refuse_unknown(recorded: Mapping[int, _Record], to: int, known: list[int]) -> None:
    """A step that only a newer version of the package knows may rest on those below it."""
    unknown = [
        f"{number:04d}_{record.name} ({record.state})"
        for number, record in sorted(recorded.items())
        if number > to and number not in known and record.state != ROLLED_BACK
    ]
    if unknown:
        raise MigrationError(
            f"Rollback to {to} is refused, nothing was changed: {', '.join(unknown)} is recorded, which this version "
            "of the package does not know. Roll back with the version of the package that knows it."
        )


def _refusal(to: int, in_the_way: list[str], existing: Existing) -> str:
    lines = [
        f"Rollback to {to} is refused, nothing was changed: backups of an earlier rollback are in the way. "
        "For each, keep it under another name or give it up, then run the rollback again:"
    ]
    for name in in_the_way:
        lines.append(f"  {name}: {_renaming(name, existing)} or DROP TABLE {name};")
    return "\n".join(lines)


def _renaming(name: str, existing: Existing) -> str:
    free = next(f"{name}_{n}" for n in range(1, len(existing.columns) + 2) if not existing.has(f"{name}_{n}"))
    return f"ALTER TABLE {name} RENAME TO {free};"


def _planned(hook: DbApiHook, settings: Settings, rollbacks: list[_Rollback]) -> list[PlannedStep]:
    counts = _row_counts(hook, rollbacks)
    return [
        PlannedStep(
            item.step.number,
            item.step.label,
            (
                *(() if item.is_resumed else (_record_statement(settings, item.step, ROLLING_BACK),)),
                *(
                    statement.replacing if isinstance(statement, Backup) and item.is_resumed else statement.text
                    for statement in item.remaining.statements
                ),
                _record_statement(settings, item.step, ROLLED_BACK),
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


def _pending(recorded: Mapping[int, _Record], existing: Existing, settings: Settings) -> list[PlannedStep]:
    record, found = _statements("schema/record.sql", settings), list[PlannedStep]()
    for step in migrations():
        if step.number not in _in_force(recorded):
            applying, done = (_record_statement(settings, step, state) for state in (APPLYING, APPLIED))
            work = _statements(step.path, settings)
            found.append(PlannedStep(step.number, step.label, (*record, applying, *work, done)))
            record = ()
    _refuse_other_tables(found, existing)
    return found


def _refuse_other_tables(plan: list[PlannedStep], existing: Existing) -> None:
    """IF NOT EXISTS leaves a table as it is, also one that somebody else made with other columns."""
    lines = []
    for name, columns in created_columns("\n".join(text for planned in plan for text in planned.statements)).items():
        missing = [column for column in columns if not existing.has(name, column)]
        if missing and existing.has(name):
            lines.append(f"  {name} lacks {', '.join(missing)}: {_renaming(name, existing)}")
    if lines:
        raise MigrationError(
            "Migration is refused, nothing was changed: there are tables of these names with other columns. "
            "Rename each, then run the migration again:\n" + "\n".join(lines)
        )


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
    return {int(version): _Record(*record) for version, *record in rows}


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


def _record_statement(settings: Settings, step: Migration, state: str) -> str:
    """With literals, so that a plan can be pasted; they are a number, names of our own files, and hexadecimal."""
    (text,) = _statements("schema/record_step.sql", settings)
    texts = {"name": step.name, "checksum": step.checksum(), "state": state}
    return text % {"version": step.number, **{name: f"'{value}'" for name, value in texts.items()}}
