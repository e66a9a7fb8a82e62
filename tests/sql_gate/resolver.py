"""Resolves the statements of a template against a schema: every table, column, key and INSERT list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from sqlglot import exp

from include.enrichment.migrations import migrations
from include.enrichment.settings import Settings
from tests.sql_gate.known_schema import Column, Schema, Table, qualified, table_of
from tests.sql_gate.scope import Columns, QueryResolver, Scope
from tests.sql_gate.show import is_documented_show
from tests.sql_gate.template_statements import Statement, statements

TRANSACTION = (exp.Transaction, exp.Commit, exp.Rollback)


@dataclass(frozen=True)
class Resolution:
    """What was found in one statement.

    :param outputs: columns that its query returns
    :param correlated: columns of outer queries, with the clause of the outer query that holds the subquery
    """

    outputs: Columns
    problems: tuple[str, ...]
    correlated: tuple[tuple[exp.Column, str], ...]


def resolve(tree: exp.Expr, schema: Schema) -> Resolution:
    """Resolve one statement; the schema stays as it is."""
    resolver = _StatementResolver(schema)
    outputs = resolver.statement(tree)
    return Resolution(outputs, tuple(dict.fromkeys(resolver.problems)), tuple(resolver.correlated))


def resolve_all(parts: Iterable[Statement], schema: Schema) -> list[str]:
    """Resolve statements one after the other; DDL changes the schema for those that follow.

    :returns: problems, each with file and statement
    """
    problems = []
    for part in parts:
        found = resolve(part.tree, schema)
        problems += [f"{part.label}: {problem}" for problem in found.problems]
        schema.apply(part.tree, found.outputs)
    return problems


RECORD = "schema/record.sql"
"""Creates the record of the migrations, before the first."""


def migrated(settings: Settings, *, below: int | None = None) -> tuple[Schema, list[str]]:
    """The account after the migrations, and what is wrong with them.

    :param below: only those with a smaller number
    """
    schema, problems = _migrated(settings, below)
    return schema.copy(), list(problems)


@cache
def _migrated(settings: Settings, below: int | None) -> tuple[Schema, tuple[str, ...]]:
    schema = Schema.documented(settings)
    problems = resolve_all(statements(RECORD, settings), schema)
    for step in migrations():
        if below is None or step.number < below:
            problems += resolve_all(statements(step.path, settings), schema)
    return schema, tuple(problems)


def schema_before(path: str, settings: Settings) -> Schema:
    """The account as a template finds it: for a migration what its predecessors made, else all of ours."""
    if path == RECORD:
        return Schema.documented(settings)
    number = next((step.number for step in migrations() if step.path == path), None)
    return migrated(settings, below=number)[0]


class _StatementResolver(QueryResolver):
    def statement(self, tree: exp.Expr) -> Columns:
        """The columns that the statement's query returns, if it is or creates from one."""
        if isinstance(tree, exp.Query):
            return self.query(tree, {})
        if isinstance(tree, exp.Create):
            return self._create(tree)
        if isinstance(tree, exp.Insert):
            self._insert(tree)
        elif isinstance(tree, exp.Update):
            self._update(tree)
        elif isinstance(tree, exp.Merge):
            self._merge(tree)
        elif isinstance(tree, exp.Delete):
            scope = self._target_scope(tree)
            self._where(tree, scope)
        elif isinstance(tree, exp.Alter):
            self._alter(tree)
        elif isinstance(tree, exp.Drop):
            for table in tree.args["tables"]:
                if not tree.args.get("exists"):
                    self._target(table)
        elif not isinstance(tree, TRANSACTION) and not is_documented_show(tree):
            self.problems.append(f"a statement of a kind that the gate does not know: {type(tree).__name__}")
        return ()

    def _target(self, node: exp.Expr) -> Table:
        table = table_of(node)
        found = self.schema.find(table)
        if found is None:
            self.problems.append(f"unknown table {qualified(table)}")
        return found or Table(qualified(table), ())

    def _target_scope(self, tree: exp.Expr) -> Scope:
        target = self._target(tree.this)
        return Scope({}, relations={tree.this.alias_or_name.upper(): target.columns})

    def _where(self, tree: exp.Expr, scope: Scope) -> None:
        if where := tree.args.get("where"):
            scope.clause = "where"
            self.expression(where, scope)

    def _create(self, tree: exp.Create) -> Columns:
        name = qualified(table_of(tree.this))
        if name in self.schema.tables and not tree.args.get("exists") and not tree.args.get("replace"):
            self.problems.append(f"{name} exists")
        if tree.expression is None:
            return ()
        return self.named_outputs(tree, self.query(tree.expression, {}))

    def _insert(self, tree: exp.Insert) -> None:
        target = self._target(tree.this)
        names = [item.name.upper() for item in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
        outputs = self.query(tree.expression, {})
        self._check_inserted(target, names)
        if len(outputs) != len(names):
            self.problems.append(f"INSERT INTO {target.name} lists {len(names)} columns and selects {len(outputs)}")
        for name, output in zip(names, outputs, strict=False):
            if output.name and output.name != name:
                self.problems.append(f"INSERT INTO {target.name} ({name}) selects {output.name} in its place")

    def _check_inserted(self, target: Table, names: Sequence[str]) -> None:
        self._check_targets(target, names)
        if not names:
            self.problems.append(f"INSERT INTO {target.name} without a column list")
        for column in target.columns:
            if column.is_required and column.name not in names:
                self.problems.append(f"INSERT INTO {target.name} leaves {column.name} out, which is NOT NULL")

    def _check_targets(self, target: Table, names: Sequence[str]) -> None:
        known = {column.name for column in target.columns}
        for name in names:
            if target.columns and name not in known:
                self.problems.append(f"unknown column {name} of {target.name}")
        if duplicates := {name for name in names if list(names).count(name) > 1}:
            self.problems.append(f"{target.name}: {', '.join(sorted(duplicates))} is written twice")

    def _update(self, tree: exp.Update) -> None:
        scope = self._target_scope(tree)
        self.add_sources(tree, scope)
        self._assignments(tree, self._target(tree.this), scope)
        self._where(tree, scope)

    def _assignments(self, tree: exp.Update, target: Table, scope: Scope) -> None:
        assignments = [(item.this, item.expression) for item in tree.expressions]
        for column, _ in assignments:
            if column.table:
                self.problems.append(f"SET {column.sql()}: Snowflake wants the column's name alone")
        self._check_targets(target, [column.name.upper() for column, _ in assignments])
        scope.clause = "set"
        for _, value in assignments:
            self.expression(value, scope)

    def _merge(self, tree: exp.Merge) -> None:
        target = self._target(tree.this)
        scope = self._target_scope(tree)
        self.add_relation(tree.args["using"], scope)
        source = Scope({}, relations={tree.args["using"].alias_or_name.upper(): self._last(scope)})
        scope.clause = "on"
        self.expression(tree.args["on"], scope)
        for when in tree.args["whens"].expressions:
            known = scope if when.args["matched"] else source
            if condition := when.args.get("condition"):
                known.clause = "where"
                self.expression(condition, known)
            action = when.args["then"]
            if isinstance(action, exp.Update):
                self._assignments(action, target, known)
            elif isinstance(action, exp.Insert):
                self._merge_insert(action, target, known)

    def _merge_insert(self, action: exp.Insert, target: Table, source: Scope) -> None:
        names = [item.name.upper() for item in action.this.expressions] if action.this else []
        values = action.expression.expressions
        self._check_inserted(target, names)
        if len(values) != len(names):
            self.problems.append(f"MERGE INTO {target.name} inserts {len(names)} columns and {len(values)} values")
        for name, value in zip(names, values, strict=False):
            self.expression(value, source)
            if isinstance(value, exp.Column) and value.name.upper() != name and name in _names(self._last(source)):
                self.problems.append(f"MERGE INTO {target.name} ({name}) inserts {value.sql()} in its place")

    @staticmethod
    def _last(scope: Scope) -> Columns:
        return list(scope.relations.values())[-1]

    def _alter(self, tree: exp.Alter) -> None:
        known = _names(self._target(tree.this).columns)
        for action in tree.args["actions"]:
            if isinstance(action, exp.ColumnDef):
                if action.name.upper() in known and not action.args.get("exists"):
                    self.problems.append(f"column {action.name} exists")
            elif isinstance(action, exp.Drop):
                for dropped in action.args["tables"]:
                    if dropped.name.upper() not in known and not action.args.get("exists"):
                        self.problems.append(f"unknown column {dropped.name}")
            else:
                self.problems.append(f"ALTER TABLE of a kind that the gate does not know: {action.sql()}")


def _names(columns: Iterable[Column]) -> set[str]:
    return {column.name for column in columns}
