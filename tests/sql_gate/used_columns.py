"""Which columns of a table the templates really use: those without which the gate would refuse a template."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from sqlglot import exp

from include.enrichment.settings import Settings
from include.enrichment.templates import paths, render
from tests.sql_gate.known_schema import Schema, Table
from tests.sql_gate.resolver import resolve, schema_before
from tests.sql_gate.template_statements import SAME_SCHEMA, statements

_LEFT_OUT = ("doctor/", "schema/")
"""The doctor asks for what the others use; the migrations and their views ask for nothing that a pass does not."""


@cache
def used_columns(name: str, settings: Settings = SAME_SCHEMA) -> frozenset[str]:
    """Columns of a table or view that at least one template reads or writes.

    :param name: qualified
    """
    return frozenset(
        column for path in paths() if not path.startswith(_LEFT_OUT) for column in _used_in(path, name, settings)
    )


def _used_in(path: str, name: str, settings: Settings) -> list[str]:
    text = render(path, settings).upper()
    if name.rpartition(".")[2] not in text:
        return []
    table = schema_before(path, settings).tables[name]
    candidates = {column.name for column in table.columns} & set(re.findall(r"\w+", text))
    return sorted(column for column in candidates if _is_needed(path, table, column, settings))


def _is_needed(path: str, table: Table, column: str, settings: Settings) -> bool:
    schema = schema_before(path, settings)
    before = _findings(path, schema.copy(), settings, table.name)
    schema.add(replace(table, columns=tuple(item for item in table.columns if item.name != column)))
    return _findings(path, schema, settings, table.name) != before


def _findings(path: str, schema: Schema, settings: Settings, name: str) -> tuple[int, int]:
    """Unknown names, and names of an outer query: one that an inner table lost may mean another there."""
    problems = correlated = 0
    for part in statements(path, settings):
        if name not in part.text.upper() and not isinstance(part.tree, exp.Create):
            continue  # it cannot depend on the table; what it creates may be read by others
        found = resolve(part.tree, schema)
        problems += len(found.problems)
        correlated += len(found.correlated)
        schema.apply(part.tree, found.outputs)
    return problems, correlated
