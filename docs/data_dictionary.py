"""The data dictionary: tables, columns and types from the migrations, their meaning from ``data-dictionary.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from include.enrichment.migrations import migrations
from include.enrichment.settings import Settings
from include.enrichment.templates import statements

FILE = Path(__file__).with_name("data-dictionary.yaml")
KEYS = frozenset({"meaning", "unit", "source", "method", "value", "null"})


class UndescribedError(Exception):
    """A column has no description, or a description no column."""


@dataclass(frozen=True)
class Column:
    """A column of ours.

    :param data_type: empty for a computed column of a view
    """

    name: str
    data_type: str
    is_nullable: bool


@dataclass(frozen=True)
class Relation:
    """A table or view of ours, as the migrations leave it."""

    name: str
    comment: str
    is_view: bool
    columns: tuple[Column, ...]


def relations() -> dict[str, Relation]:
    """Every table and view by bare name; views after tables."""
    settings = Settings.model_construct()
    found: dict[str, Relation] = {}
    for path in ("schema/record.sql", *(step.path for step in migrations())):
        for text in statements(path, settings):
            tree = sqlglot.parse_one(text, read="snowflake")
            if isinstance(tree, exp.Create):
                relation = _created(tree)
                found[relation.name] = relation
            elif isinstance(tree, exp.Alter) and tree.this.name in found:
                before = found[tree.this.name]
                added = tuple(_defined(item) for item in tree.args["actions"] if isinstance(item, exp.ColumnDef))
                found[before.name] = Relation(before.name, before.comment, False, (*before.columns, *added))
    return dict(sorted(found.items(), key=lambda item: item[1].is_view))


def _created(tree: exp.Create) -> Relation:
    comment = next((str(item.this.name) for item in tree.find_all(exp.SchemaCommentProperty)), "")
    if tree.args["kind"] == "VIEW":
        columns = tuple(Column(name, "", True) for name in tree.expression.named_selects)
        return Relation(tree.this.name, comment, True, columns)
    definitions = [item for item in tree.this.expressions if isinstance(item, exp.ColumnDef)]
    return Relation(tree.this.this.name, comment, False, tuple(_defined(item) for item in definitions))


def _defined(definition: exp.ColumnDef) -> Column:
    kinds = {type(item.kind) for item in definition.args.get("constraints") or ()}
    data_type = definition.args["kind"].sql("snowflake").replace("TIMESTAMPNTZ", "TIMESTAMP_NTZ")
    return Column(definition.name, data_type, exp.NotNullColumnConstraint not in kinds)


class Descriptions:
    """The YAML file; remembers which of its entries were used."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._shared: dict[str, Any] = content["shared"]
        self.tables: dict[str, Any] = content["tables"]
        self.used: set[tuple[str, str]] = set()

    def of(self, table: str, column: str) -> dict[str, str]:
        """The description of a column.

        :raises UndescribedError: there is none
        """
        for name in self.lineage(table):
            entries = self.tables[name]["columns"]
            for key in _matching(entries, column):
                self.used.add((name, key))
                return {"source": self.tables[name]["source"], **entries[key]}
        if column in self._shared:
            self.used.add(("shared", column))
            return dict(self._shared[column])
        raise UndescribedError(f"{table}.{column} has no description in {FILE.name}")

    def lineage(self, table: str) -> list[str]:
        """The table, and those that it is like, and those that these are like."""
        if table not in self.tables:
            return []
        found = [table]
        for name in self.tables[table].get("like", ()):
            found += [item for item in self.lineage(name) if item not in found]
        return found

    def unused(self) -> list[str]:
        """Entries that describe no column."""
        known = [(name, key) for name, table in self.tables.items() for key in table["columns"]]
        known += [("shared", key) for key in self._shared]
        return sorted(f"{table}.{key}" for table, key in set(known) - self.used)


def _matching(entries: Mapping[str, Any], column: str) -> Iterator[str]:
    if column in entries:
        yield column
    yield from (key for key in entries if "(" in key and re.fullmatch(key, column))


def document() -> str:
    """``docs/data-dictionary.md``.

    :raises UndescribedError: naming every column without a description, every description without a column, every key
        that is unknown, and every nullable column that does not say when it is NULL
    """
    descriptions, found = Descriptions(yaml.safe_load(FILE.read_text())), relations()
    lines = [
        "# Data dictionary",
        "",
        "Generated from `include/sql/schema` and `docs/data-dictionary.yaml` by `make docs`.",
        "",
        "Times are UTC. NULL is *not known, or not yet*, never 0. *Value*: exact, estimated or a bound.",
        "A view's computed columns have no type of their own.",
        "",
    ]
    problems = []
    types = {(name, column.name): column.data_type for name, item in found.items() for column in item.columns}
    for relation in found.values():
        lines += [f"## {relation.name}", "", *([f"{relation.comment}.", ""] if relation.comment else [])]
        lines += ["| column | type | meaning | unit | source | method | value | NULL |", "|" + "---|" * 8]
        for column in relation.columns:
            try:
                entry = descriptions.of(relation.name, column.name)
            except UndescribedError as error:
                problems.append(str(error))
                continue
            problems += [f"{relation.name}.{column.name}: unknown key {key}" for key in sorted(set(entry) - KEYS)]
            if column.is_nullable and "null" not in entry:
                problems.append(f"{relation.name}.{column.name} may be NULL; say when")
            inherited = (types.get((name, column.name)) for name in descriptions.lineage(relation.name))
            data_type = column.data_type or next(filter(None, inherited), "")
            lines.append(_row(column, data_type, entry))
        lines.append("")
    problems += [f"{name} describes no column" for name in descriptions.unused()]
    if problems:
        raise UndescribedError("; ".join(problems))
    return "\n".join(lines)


def _row(column: Column, data_type: str, entry: Mapping[str, str]) -> str:
    cells = (
        f"`{column.name}`",
        data_type,
        entry["meaning"],
        entry.get("unit", ""),
        entry["source"],
        entry.get("method", "as it is"),
        entry.get("value", "exact"),
        entry["null"] if column.is_nullable and "null" in entry else "never",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
