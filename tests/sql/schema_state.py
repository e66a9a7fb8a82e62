"""What the tests of the migrations compare: the schema, and everything in it."""

from __future__ import annotations

from tests.sql.account import OWN_SCHEMA, Account

_COLUMNS = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, NUMERIC_PRECISION, NUMERIC_SCALE, CHARACTER_MAXIMUM_LENGTH
FROM FLAKEBENCH.INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA = 'TEST_RESULTS'
"""
_TABLES = """
SELECT TABLE_NAME FROM FLAKEBENCH.INFORMATION_SCHEMA.TABLES
WHERE TABLE_SCHEMA = 'TEST_RESULTS' AND TABLE_TYPE = 'BASE TABLE'
"""


def schema(account: Account) -> list[str]:
    """Every column of every table and view but the backups."""
    return sorted(repr(row) for row in account.rows(_COLUMNS) if "_ROLLBACK" not in row["TABLE_NAME"])


def layout(account: Account) -> list[str]:
    """Every column there is, and every record of a migration: what each statement of a rollback changes."""
    columns = [f"{row['TABLE_NAME']}.{row['COLUMN_NAME']}" for row in account.rows(_COLUMNS)]
    return sorted([*columns, *rows(account, "ENRICHMENT_MIGRATIONS")])


def backups(account: Account) -> dict[str, list[str]]:
    """The rows of every backup, by bare name."""
    return {name: rows(account, name) for name in _tables(account) if "_ROLLBACK" in name}


def drop_backups(account: Account) -> None:
    for name in backups(account):
        account.run(f"DROP TABLE {OWN_SCHEMA}.{name}")


def rows(account: Account, table: str) -> list[str]:
    return sorted(map(repr, account.table(table)))


def everything(account: Account) -> dict[str, list[str]]:
    """The schema and every row, backups and records included."""
    return {"": sorted(map(repr, account.rows(_COLUMNS)))} | {name: rows(account, name) for name in _tables(account)}


def _tables(account: Account) -> list[str]:
    return sorted(row["TABLE_NAME"] for row in account.rows(_TABLES))
