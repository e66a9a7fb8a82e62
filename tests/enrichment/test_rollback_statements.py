"""Which statements of a rollback are still to be sent, whatever has been done of it: every point of every file."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from include.enrichment.migrations import _statements, migrations
from include.enrichment.rollback_statements import (
    Backup,
    ColumnChange,
    Drop,
    Existing,
    FormerView,
    RollbackStatement,
    read,
    remaining,
)
from include.enrichment.settings import Settings

Value = int | None
SETTINGS = Settings()
FILES = {step.label: [read(text) for text in _statements(step.rollback_path, SETTINGS)] for step in migrations()}


@dataclass
class Simulated:
    """Tables with one value per column: 1 is data, None what an added column holds.

    :param tables: qualified name to column to value
    """

    tables: dict[str, dict[str, Value]] = field(default_factory=dict)

    @property
    def existing(self) -> Existing:
        return Existing({name: frozenset(columns) for name, columns in self.tables.items()})

    def do(self, statement: RollbackStatement, *, is_resumed: bool) -> None:
        if isinstance(statement, Backup):
            assert is_resumed or statement.name not in self.tables
            self.tables[statement.name] = dict(self.tables[statement.source])
        elif isinstance(statement, Drop):
            del self.tables[statement.name]
        elif isinstance(statement, FormerView):
            assert statement.sources <= set(self.tables)
            self.tables.setdefault(statement.name, {"KEY": 1})
        elif statement.verb == "ADD":
            self.tables[statement.table].setdefault(statement.column, None)
        else:
            del self.tables[statement.table][statement.column]


def migrated(label: str) -> Simulated:
    """Everything that the file takes back, with data in it."""
    account = Simulated()
    for item in FILES[label]:
        if isinstance(item, Drop):
            account.tables[item.name] = {"KEY": 1}
        elif isinstance(item, ColumnChange):
            account.tables.setdefault(item.table, {"KEY": 1})[item.column] = 1
        elif isinstance(item, FormerView):
            for name in (item.name, *item.sources):
                account.tables.setdefault(name, {"KEY": 1})
    return account


@pytest.mark.parametrize("label", FILES)
def test_a_second_run_completes_the_first_wherever_it_was_killed(label: str) -> None:
    whole = remaining(FILES[label], migrated(label).existing, is_resumed=False).statements
    for killed_after in range(len(whole) + 1):
        account = migrated(label)
        data = {name: dict(columns) for name, columns in account.tables.items()}
        for statement in whole[:killed_after]:
            account.do(statement, is_resumed=False)
        for statement in remaining(FILES[label], account.existing, is_resumed=True).statements:
            account.do(statement, is_resumed=True)
        for item in FILES[label]:
            if isinstance(item, Backup):
                assert account.tables[item.name] == data[item.source]
            elif isinstance(item, Drop):
                assert item.name not in account.tables
            elif isinstance(item, FormerView):
                assert item.name in account.tables
            elif item.verb == "DROP":  # an included migration adds columns that stay
                assert item.column not in account.tables[item.table]
        assert remaining(FILES[label], account.existing, is_resumed=True).statements == ()


@pytest.mark.parametrize("label", FILES)
def test_every_table_is_backed_up_before_it_is_dropped(label: str) -> None:
    sources = [item.source if isinstance(item, Backup) else None for item in FILES[label]]
    for position, item in enumerate(FILES[label]):
        if isinstance(item, Drop) and item.kind == "TABLE" and not item.name.endswith(".ENRICHMENT_PASS_LOCK"):
            assert item.name in sources[:position]


def test_a_column_that_flakebench_dropped_is_added_for_the_backup() -> None:
    account = migrated("0003_mirror")
    table = next(item.source for item in FILES["0003_mirror"] if isinstance(item, Backup))
    del account.tables[table]["LOCK_WAIT_COUNT"]
    first, second, *_ = remaining(FILES["0003_mirror"], account.existing, is_resumed=False).statements
    assert isinstance(first, ColumnChange)
    assert (first.verb, first.column) == ("ADD", "LOCK_WAIT_COUNT")
    assert isinstance(second, Backup)


def test_columns_that_were_added_again_do_not_replace_the_backup_with_their_null() -> None:
    """Killed after the last column was dropped; then somebody repairs FlakeBench's tables."""
    statements = FILES["0003_mirror"]
    account = migrated("0003_mirror")
    (backup,) = (item for item in statements if isinstance(item, Backup))
    data = dict(account.tables[backup.source])
    for statement in remaining(statements, account.existing, is_resumed=False).statements:
        account.do(statement, is_resumed=False)
    assert account.tables[backup.source] == {"KEY": 1}
    account.tables[backup.source] = dict.fromkeys(data)
    rest = remaining(statements, account.existing, is_resumed=True)
    assert rest.kept == (backup,)
    assert not rest.backups
    for statement in rest.statements:
        account.do(statement, is_resumed=True)
    assert account.tables[backup.name] == data
    assert set(account.tables[backup.source]) == {"KEY"}


def test_a_view_whose_table_is_gone_keeps_its_text() -> None:
    views = [item for item in FILES["0005_completeness"] if isinstance(item, FormerView)]
    account = migrated("0005_completeness")
    gone = next(name for name in account.tables if name.endswith(".LOCK_CONTENTION_EVENTS"))
    del account.tables[gone]
    left = remaining(views, account.existing, is_resumed=False).statements
    assert set(views) - set(left) == {item for item in views if gone in item.sources} != set()


def test_a_statement_that_cannot_be_resumed_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot resume"):
        read("DELETE FROM FLAKEBENCH.TEST_RESULTS.TEST_RESULTS")
