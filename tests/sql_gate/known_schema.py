"""What exists in the account: the documented views, FlakeBench's tables, and what our migrations make of them.

Columns of ours are never listed by hand: they come from the rendered migrations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlglot import exp

from include.enrichment.settings import Settings

CATALOGUE = Path(__file__).parents[2] / "local" / "catalogue"
SEMI_STRUCTURED = frozenset({"VARIANT", "OBJECT", "ARRAY"})
HYBRID_TABLE = "HYBRID TABLE"


@dataclass(frozen=True)
class Content:
    """What may be read from a value with ``value:"key"``, or from its elements.

    :param keys: None: anything, because nothing is documented. Empty for a scalar, from which Snowflake reads nothing.
    :param is_json_text: text that PARSE_JSON has to read first
    """

    keys: frozenset[str] | None = None
    is_json_text: bool = False


ANYTHING = Content()
SCALAR = Content(frozenset())


@dataclass(frozen=True)
class Column:
    """A column.

    :param is_required: NOT NULL without a default, so that an INSERT must name it
    """

    name: str
    content: Content = ANYTHING
    is_required: bool = False


@dataclass(frozen=True)
class Table:
    """A table or view.

    :param kind: TABLE, HYBRID TABLE or VIEW
    :param time_column: the primary time column of a view of ACCOUNT_USAGE
    :param definition: the query of a view of ours
    """

    name: str
    columns: tuple[Column, ...]
    kind: str = "TABLE"
    is_account_usage: bool = False
    time_column: str | None = None
    definition: exp.Expr | None = None


COLUMNS_OF_COLUMNS = tuple(Column(name, SCALAR) for name in ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE"))
"""Those that we read; https://docs.snowflake.com/en/sql-reference/info-schema/columns"""


def qualified(table: exp.Table) -> str:
    """``DATABASE.SCHEMA.NAME`` as far as it is written, upper case."""
    return ".".join(part.name.upper() for part in table.parts)


def table_of(node: exp.Expr) -> exp.Table:
    """The table that a statement names as its target, with or without a column list."""
    target = node.this if isinstance(node, exp.Schema) else node
    if not isinstance(target, exp.Table):
        raise TypeError(f"no table: {target!r}")
    return target


@dataclass
class Schema:
    """Tables by qualified name; statements change it."""

    tables: dict[str, Table] = field(default_factory=dict)

    @classmethod
    def documented(cls, settings: Settings) -> Schema:
        """The two catalogues, without anything of ours."""
        schema = cls()
        views: Mapping[str, Any] = json.loads((CATALOGUE / "account_usage.json").read_text())["views"]
        for name, entry in views.items():
            columns = tuple(
                Column(item["name"], _documented(item["type"], entry["object_fields"].get(item["name"], [])))
                for item in entry["columns"]
            )
            schema.add(Table(f"{settings.account_usage}.{name}", columns, "VIEW", True, entry["primary_time_column"]))
        tables: Mapping[str, Any] = json.loads((CATALOGUE / "flakebench.json").read_text())["tables"]
        for name, entry in tables.items():
            columns = tuple(
                Column(
                    item["name"],
                    ANYTHING if item["type"] in SEMI_STRUCTURED else SCALAR,
                    not item["nullable"] and item["default"] is None,
                )
                for item in entry["columns"]
            )
            schema.add(Table(f"{settings.results}.{name}", columns, entry["kind"]))
        schema.add(Table("INFORMATION_SCHEMA.COLUMNS", COLUMNS_OF_COLUMNS, "VIEW"))
        return schema

    def copy(self) -> Schema:
        return Schema(dict(self.tables))

    def add(self, table: Table) -> None:
        self.tables[table.name] = table

    def find(self, table: exp.Table) -> Table | None:
        return self.tables.get(qualified(table))

    def apply(self, tree: exp.Expr, outputs: Iterable[Column] = ()) -> None:
        """Do what a statement of DDL does.

        :param outputs: columns of its query, for ``CREATE ... AS``
        """
        if isinstance(tree, exp.Create):
            self._create(tree, tuple(outputs))
        elif isinstance(tree, exp.Alter):
            self._alter(tree)
        elif isinstance(tree, exp.Drop):
            for table in tree.args["tables"]:
                self.tables.pop(qualified(table), None)

    def _create(self, tree: exp.Create, outputs: tuple[Column, ...]) -> None:
        name, kind = qualified(table_of(tree.this)), str(tree.args["kind"]).upper()
        if tree.args.get("exists") and name in self.tables:
            return
        if kind == "VIEW":
            self.add(Table(name, outputs, kind, definition=tree.expression))
        elif tree.expression is not None:
            self.add(Table(name, outputs))
        else:
            definitions = [item for item in tree.this.expressions if isinstance(item, exp.ColumnDef)]
            self.add(Table(name, tuple(_defined(item) for item in definitions)))

    def _alter(self, tree: exp.Alter) -> None:
        table = self.find(table_of(tree.this))
        if table is None:
            return
        columns = {column.name: column for column in table.columns}
        for action in tree.args["actions"]:
            if isinstance(action, exp.ColumnDef):
                columns.setdefault(action.name.upper(), _defined(action))
            elif isinstance(action, exp.Drop):
                for dropped in action.args["tables"]:
                    columns.pop(dropped.name.upper(), None)
        self.add(Table(table.name, tuple(columns.values()), table.kind))


def _documented(data_type: str, fields: list[str]) -> Content:
    return Content(frozenset(fields)) if data_type in SEMI_STRUCTURED else SCALAR


def _defined(definition: exp.ColumnDef) -> Column:
    kinds = {type(item.kind) for item in definition.args.get("constraints") or []}
    data_type = definition.args["kind"].this.name
    return Column(
        definition.name.upper(),
        ANYTHING if data_type in SEMI_STRUCTURED else SCALAR,
        exp.NotNullColumnConstraint in kinds and exp.DefaultColumnConstraint not in kinds,
    )
