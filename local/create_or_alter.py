"""CREATE OR ALTER TABLE: keeps the rows, adds what is new at the end, drops what the statement does not name."""

from __future__ import annotations

from sqlglot import Expr, exp

from local.dialect_gaps import success


def as_changes(create: exp.Create, existing: list[str]) -> list[Expr]:
    """The statements that make the table what the statement says.

    Types, defaults and nullability of columns that exist are left as they are.

    :param existing: names of the table's columns; empty when there is no such table
    """
    if not existing or not isinstance(create.this, exp.Schema):
        plain = create.copy()
        plain.set("replace", False)
        return [plain]
    table = create.this.this
    wanted = {_name(column.this): column for column in create.this.expressions if isinstance(column, exp.ColumnDef)}
    changes: list[Expr] = [_alter(table, _without_constraints(wanted[name])) for name in wanted if name not in existing]
    changes += [
        _alter(table, exp.Drop(kind="COLUMN", tables=[exp.column(name, quoted=True)]))
        for name in existing
        if name not in wanted
    ]
    return [*changes, success(f"{table.name.upper()} successfully altered.")]


def _alter(table: exp.Table, action: Expr) -> exp.Alter:
    return exp.Alter(this=table.copy(), kind="TABLE", actions=[action])


def _without_constraints(column: exp.ColumnDef) -> exp.ColumnDef:
    # DuckDB adds a column with a default, but not with a constraint.
    copy = column.copy()
    kept = [item for item in copy.constraints if isinstance(item.kind, exp.DefaultColumnConstraint)]
    copy.set("constraints", kept)
    return copy


def _name(identifier: Expr) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()
