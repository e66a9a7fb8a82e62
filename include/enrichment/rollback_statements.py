"""What the statements of a rollback file do, and which of them are still to be sent.

A rollback file is plain SQL of five kinds: ``CREATE TABLE <name>_ROLLBACK AS SELECT ...``, ``DROP TABLE`` or
``DROP VIEW``, ``ALTER TABLE ... ADD COLUMN`` (so that a backup can read what FlakeBench may have dropped) and
``ALTER TABLE ... DROP COLUMN``, and ``CREATE OR REPLACE VIEW``, which gives a view its former text and can be sent any
number of times. Snowflake commits each by itself, so after an interruption any number of them is done;
what exists says which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BACKUP = re.compile(r"CREATE TABLE (\S+_ROLLBACK) AS\s+(SELECT\s.*?\sFROM ([\w$.]+).*)", re.DOTALL)
_DROP = re.compile(r"DROP (TABLE|VIEW) (?:IF EXISTS )?([\w$.]+)")
_VIEW = re.compile(r"CREATE OR REPLACE VIEW ([\w$.]+)\s.*", re.DOTALL)
_SOURCE = re.compile(r"\b(?:FROM|JOIN) ([\w$]+(?:\.[\w$]+)+)")
_COLUMN = re.compile(r"ALTER TABLE ([\w$.]+) (ADD|DROP) COLUMN IF (?:NOT )?EXISTS (\w+)\b[^;]*")


@dataclass(frozen=True)
class Backup:
    """Copies what a later statement drops.

    :param name: of the backup, qualified
    :param query: whose rows it holds
    :param source: the table that it reads, qualified
    """

    text: str
    name: str
    query: str
    source: str

    @property
    def replacing(self) -> str:
        """The statement that takes it anew; atomic, as CREATE TABLE ... AS is."""
        return self.text.replace("CREATE TABLE", "CREATE OR REPLACE TABLE", 1)


@dataclass(frozen=True)
class Drop:
    """Drops a table or a view.

    :param kind: ``TABLE`` or ``VIEW``
    :param name: qualified
    """

    text: str
    kind: str
    name: str


@dataclass(frozen=True)
class ColumnChange:
    """Adds or drops a column.

    :param verb: ``ADD`` or ``DROP``
    :param table: qualified
    """

    text: str
    verb: str
    table: str
    column: str


@dataclass(frozen=True)
class FormerView:
    """Gives a view the text that an older migration gave it; a view holds no data.

    :param name: qualified
    :param sources: the tables and views that it reads, qualified; it cannot be made while one is missing
    """

    text: str
    name: str
    sources: frozenset[str]


RollbackStatement = Backup | Drop | ColumnChange | FormerView


@dataclass(frozen=True)
class Existing:
    """The tables and views that exist.

    :param columns: qualified name to columns, upper case
    """

    columns: Mapping[str, frozenset[str]]

    def has(self, name: str, column: str | None = None) -> bool:
        found = self.columns.get(name)
        return found is not None and (column is None or column in found)


@dataclass(frozen=True)
class Remaining:
    """What is still to be done of a rollback file.

    :param statements: in order; a backup that is taken anew is among them
    :param kept: backups that an interrupted run has completed
    """

    statements: tuple[RollbackStatement, ...]
    kept: tuple[Backup, ...]

    @property
    def backups(self) -> list[Backup]:
        return [item for item in self.statements if isinstance(item, Backup)]

    @property
    def countable(self) -> list[Backup]:
        """Backups whose rows can be counted before anything runs: they need no column that is still to be added."""
        added = {item.table for item in self.statements if isinstance(item, ColumnChange) and item.verb == "ADD"}
        return [item for item in self.backups if item.source not in added]

    def backup_of(self, table: str) -> Backup | None:
        """The backup, taken or to be taken, that holds what is dropped from a table."""
        return next((item for item in (*self.backups, *self.kept) if item.source == table), None)


def read(text: str) -> RollbackStatement:
    """What one statement does.

    :param text: without comments and semicolon
    :raises ValueError: it is of no kind that a rollback knows how to resume
    """
    if match := _BACKUP.fullmatch(text):
        return Backup(text, match[1], match[2], match[3])
    if match := _DROP.fullmatch(text):
        return Drop(text, match[1], match[2])
    if match := _VIEW.fullmatch(text):
        return FormerView(text, match[1], frozenset(_SOURCE.findall(text)))
    if match := _COLUMN.fullmatch(text):
        return ColumnChange(text, match[2], match[1], match[3])
    raise ValueError(f"a rollback cannot resume this statement: {text}")


def remaining(statements: Sequence[RollbackStatement], existing: Existing, *, is_resumed: bool) -> Remaining:
    """The statements whose work is not done, by what exists.

    * A table is backed up and dropped while it exists. One that exists beside the backup of an interrupted run is
      backed up anew: rows may have been written since.
    * Columns are backed up together, before the first is dropped; those that FlakeBench has dropped are added for it.
      The backup of an interrupted run is kept, even when every column is there: somebody may have added those that were
      dropped again, and their NULL must not replace it. Keeping is safe: CREATE TABLE ... AS is atomic, so that the
      backup is whole, and a value that was mirrored after it can be derived again from RUN_ENRICHMENT_SUMMARY.
    * A view gets its former text before the first column is dropped, and again on each run until then.

    :param is_resumed: an earlier run began this step, so that its backups are our own
    """
    changes = [item for item in statements if isinstance(item, ColumnChange)]
    needed, kept = [], []
    for backup in (item for item in statements if isinstance(item, Backup)):
        columns = [item.column for item in changes if item.verb == "DROP" and item.table == backup.source]
        is_there = any(existing.has(backup.source, column) for column in columns or (None,))
        if is_resumed and existing.has(backup.name) and (columns or not is_there):
            kept.append(backup)
        elif is_there:
            needed.append(backup)
    sources = {backup.source for backup in needed}
    has_dropped = is_resumed and any(
        item.verb == "DROP" and existing.has(item.table) and not existing.has(item.table, item.column)
        for item in changes
    )
    still = [item for item in statements if not (has_dropped and isinstance(item, FormerView))]
    return Remaining(tuple(item for item in still if _is_open(item, existing, needed, sources)), tuple(kept))


def _is_open(item: RollbackStatement, existing: Existing, needed: Sequence[Backup], sources: set[str]) -> bool:
    if isinstance(item, Backup):
        return item in needed
    if isinstance(item, FormerView):
        return all(existing.has(source) for source in item.sources)
    if isinstance(item, Drop):
        return existing.has(item.name)
    is_present = existing.has(item.table, item.column)
    if item.verb == "ADD":
        return not is_present and item.table in sources
    return is_present or item.table in sources
