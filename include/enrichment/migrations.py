"""Schema migrations: numbered, forward-only, idempotent, recorded; each with a rollback that backs up first.

``include/sql/schema/<number>_<name>.sql`` migrates, ``<number>_<name>.rollback.sql`` takes back.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.enrichment.templates import SQL_FOLDER, render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


class MigrationError(Exception):
    """A migration or rollback cannot be carried out."""


@dataclass(frozen=True, order=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str

    @property
    def path(self) -> str:
        return f"schema/{self.number:04d}_{self.name}.sql"

    @property
    def rollback_path(self) -> str:
        return f"schema/{self.number:04d}_{self.name}.rollback.sql"

    def checksum(self) -> str:
        """Of the template, whatever the settings."""
        return hashlib.sha256((SQL_FOLDER / self.path).read_bytes()).hexdigest()


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
    """Numbers of the migrations that are in force; creates the record when it is missing."""
    hook.run(render("schema/record.sql", settings), autocommit=True)
    rows = hook.get_records(render("schema/applied.sql", settings))
    return {int(row[0]) for row in rows}


def migrate(hook: DbApiHook, settings: Settings) -> list[str]:
    """Apply what is missing, in order. Idempotent; a step that was interrupted is repeated.

    :returns: names of the steps that were applied
    """
    known = applied(hook, settings)
    done: list[str] = []
    for step in migrations():
        if step.number in known:
            continue
        log.info("Migration %04d %s", step.number, step.name)
        hook.run(render(step.path, settings), autocommit=True)
        _record(hook, settings, step, "APPLIED")
        done.append(f"{step.number:04d}_{step.name}")
    return done


def rollback(hook: DbApiHook, settings: Settings, to: int) -> list[str]:
    """Take back every migration above a number, newest first.

    Each backs up what it drops as ``<table>_ROLLBACK`` and refuses when that backup already exists.

    :param to: the number that stays the newest in force; 0 takes back all
    :returns: names of the steps that were taken back
    :raises MigrationError: a backup is in the way
    """
    known = applied(hook, settings)
    done: list[str] = []
    for step in sorted(migrations(), reverse=True):
        if step.number <= to or step.number not in known:
            continue
        try:
            hook.run(render(step.rollback_path, settings), autocommit=True)
        except Exception as error:
            raise MigrationError(
                f"Rollback of {step.number:04d}_{step.name} stopped: {error}. If a table *_ROLLBACK of an earlier "
                "rollback exists, drop or rename it, then run the rollback again."
            ) from error
        _record(hook, settings, step, "ROLLED_BACK")
        done.append(f"{step.number:04d}_{step.name}")
    return done


def _record(hook: DbApiHook, settings: Settings, step: Migration, state: str) -> None:
    hook.run(
        render("schema/record_step.sql", settings),
        autocommit=True,
        parameters={"version": step.number, "name": step.name, "checksum": step.checksum(), "state": state},
    )
