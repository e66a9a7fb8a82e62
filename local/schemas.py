"""The databases that the embedded Snowflake starts with, from the two catalogue files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

CATALOGUE_DIRECTORY = Path(__file__).parent / "catalogue"

# Kept to microseconds, which is the precision of every value that the connector hands over.
_DUCKDB_TYPES = {
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "TIMESTAMP_TZ": "TIMESTAMPTZ",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "FLOAT": "DOUBLE",
    "INTEGER": "BIGINT",
    "INT": "BIGINT",
    "TEXT": "VARCHAR",
    "VARIANT": "JSON",
    "OBJECT": "JSON",
    "ARRAY": "JSON",
}


@dataclass(frozen=True)
class Column:
    """A column with the type that Snowflake documents."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None

    @property
    def duckdb_definition(self) -> str:
        """The column in a DuckDB ``CREATE TABLE``."""
        duckdb_type = _DUCKDB_TYPES.get(self.type, self.type.replace("NUMBER", "DECIMAL"))
        parts = [f'"{self.name}"', duckdb_type]
        if self.default is not None:
            default = sqlglot.parse_one(self.default, read="snowflake").sql(dialect="duckdb")
            parts.append(f"DEFAULT {default}")
        if not self.nullable:
            parts.append("NOT NULL")
        return " ".join(parts)


@dataclass(frozen=True)
class Table:
    """A table, or a view over one (``over`` and ``where``)."""

    database: str
    schema: str
    name: str
    columns: tuple[Column, ...]
    over: str | None = None
    where: str | None = None

    @property
    def qualified_name(self) -> str:
        """``DATABASE.SCHEMA.NAME``."""
        return f"{self.database}.{self.schema}.{self.name}"

    @property
    def duckdb_ddl(self) -> str:
        """The statement that creates it unless it exists."""
        if self.over:
            names = ", ".join(f'"{column.name}"' for column in self.columns)
            source = f"{self.database}.{self.schema}.{self.over}"
            return f"CREATE VIEW IF NOT EXISTS {self.qualified_name} AS SELECT {names} FROM {source} WHERE {self.where}"
        columns = ", ".join(column.duckdb_definition for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.qualified_name} ({columns})"


@cache
def catalogue() -> dict[str, Table]:
    """Every table and view of both catalogue files, by qualified name."""
    return {table.qualified_name: table for table in _read_catalogue()}


def _read_catalogue() -> Iterator[Table]:
    for file, kind in (("account_usage.json", "views"), ("flakebench.json", "tables")):
        content: dict[str, Any] = json.loads((CATALOGUE_DIRECTORY / file).read_text())
        for name, entry in content[kind].items():
            columns = tuple(Column(**column) for column in entry["columns"])
            over, where = entry.get("over"), entry.get("where")
            yield Table(content["database"], content["schema"], name, columns, over, where)


def create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing of both schemas; the databases must be attached.

    PRIMARY KEY is left out: Snowflake does not enforce it on standard tables.
    """
    for table in catalogue().values():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.database}.{table.schema}")
        connection.execute(table.duckdb_ddl)


def declared_type(table: exp.Table, column: str) -> str | None:
    """The documented Snowflake type of a catalogue column, None for any other table."""
    known = catalogue().get(f"{table.catalog}.{table.db}.{table.name}")
    return next((item.type for item in known.columns if item.name == column), None) if known else None
