"""Which columns a query reads and returns, by Snowflake's rules of name resolution.

A name is looked up in the relations of FROM; an unqualified one that none of them has may be an alias of the same
SELECT (Snowflake allows ``SELECT a AS b, b + 1 AS c``), or a column of an outer query (a correlated subquery). In ON
and in the input of FLATTEN only relations to the left are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from tests.sql_gate.known_schema import ANYTHING, SCALAR, Column, Content, Schema, qualified

Columns = tuple[Column, ...]
FLATTEN_COLUMNS = ("SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS")
KEEPS_CONTENT = (exp.Alias, exp.Paren, exp.AnyValue, exp.Max, exp.Min, exp.Coalesce)
CLAUSES = ("where", "group", "having", "qualify", "order", "limit")


@dataclass
class Scope:
    """The names that are known at one place of a query.

    :param relations: alias to columns, in the order of FROM
    :param aliases: of the SELECT list, as far as it was read
    :param clause: what is being read, for subqueries that look out
    """

    ctes: Mapping[str, Columns]
    outer: Scope | None = None
    relations: dict[str, Columns] = field(default_factory=dict)
    aliases: dict[str, Column] = field(default_factory=dict)
    clause: str = "from"


@dataclass
class QueryResolver:
    """Resolves queries; what is wrong is collected.

    :param correlated: columns of outer queries, with the clause of the outer query that holds the subquery
    """

    schema: Schema
    problems: list[str] = field(default_factory=list)
    correlated: list[tuple[exp.Column, str]] = field(default_factory=list)

    def query(self, node: exp.Expr, ctes: Mapping[str, Columns], outer: Scope | None = None) -> Columns:
        """The columns that a query returns."""
        known = dict(ctes)
        with_clause = node.args.get("with_")
        for cte in with_clause.expressions if with_clause else ():
            known[cte.alias.upper()] = self.named_outputs(cte, self.query(cte.this, known, outer))
        if isinstance(node, exp.Subquery):
            return self.query(node.this, known, outer)
        if isinstance(node, exp.SetOperation):
            left, right = self.query(node.left, known, outer), self.query(node.right, known, outer)
            if len(left) != len(right):
                self.problems.append(f"a set operation of {len(left)} and {len(right)} columns")
            return left
        if isinstance(node, exp.Select):
            return self._select(node, Scope(known, outer))
        self.problems.append(f"a query of a kind that the gate does not know: {type(node).__name__}")
        return ()

    def named_outputs(self, owner: exp.Expr, columns: Columns) -> Columns:
        """The columns of a CTE, derived table or CREATE ... AS: each needs a name of its own."""
        alias = owner.args.get("alias")
        names = [item.name.upper() for item in alias.columns] if alias else []
        renamed = (
            tuple(Column(name, column.content) for name, column in zip(names, columns, strict=False))
            + columns[len(names) :]
        )
        seen: set[str] = set()
        for position, column in enumerate(renamed, start=1):
            if not column.name:
                self.problems.append(f"column {position} of {owner.alias_or_name or 'the query'} has no name")
            elif column.name in seen:
                self.problems.append(f"{owner.alias_or_name or 'the query'} returns two columns {column.name}")
            seen.add(column.name)
        return renamed

    def _select(self, node: exp.Select, scope: Scope) -> Columns:
        self.add_sources(node, scope)
        scope.clause = "select"
        outputs: list[Column] = []
        for item in node.expressions:
            if item.is_star:
                outputs += self._star(item, scope)
                continue
            self.expression(item.unalias(), scope)
            # a cast or call without an alias has no name that a query could rely on
            name = item.alias_or_name if isinstance(item, exp.Alias | exp.Column) else ""
            column = Column(name.upper(), self.content(item, scope))
            outputs.append(column)
            if isinstance(item, exp.Alias):
                scope.aliases[column.name] = column
        for clause in CLAUSES:
            if part := node.args.get(clause):
                scope.clause = clause
                self.expression(part, scope)
        return tuple(outputs)

    def _star(self, item: exp.Expr, scope: Scope) -> Columns:
        names = [item.text("table").upper()] if isinstance(item, exp.Column) else list(scope.relations)
        if unknown := [name for name in names if name not in scope.relations]:
            self.problems.append(f"{item.sql()}: unknown relation {unknown[0]}")
        return tuple(column for name in names for column in scope.relations.get(name, ()))

    def add_sources(self, node: exp.Expr, scope: Scope) -> None:
        """Enter FROM and its joins into a scope, from left to right."""
        start = node.args.get("from_")
        if start is not None:
            self.add_relation(start.this, scope)
        for lateral in node.args.get("laterals") or ():
            self.add_relation(lateral, scope)
        for join in node.args.get("joins") or ():
            self.add_relation(join.this, scope)
            if join.args.get("using") or join.method == "NATURAL":
                self.problems.append(f"{join.sql()}: write the condition of a join out")
            if condition := join.args.get("on"):
                scope.clause = "on"
                self.expression(condition, scope)

    def add_relation(self, node: exp.Expr, scope: Scope) -> None:
        """Enter a table, derived table or FLATTEN under its alias."""
        if isinstance(node, exp.Table):
            columns = self.table(node, scope.ctes)
        elif isinstance(node, exp.Subquery):
            columns = self.named_outputs(node, self.query(node, scope.ctes, scope.outer))
        elif isinstance(node, exp.Lateral | exp.TableFromRows) and isinstance(node.this, exp.Explode):
            columns = self._flatten(node.this, scope)
        else:
            self.problems.append(f"{node.sql()}: a relation of a kind that the gate does not know")
            return
        alias = node.alias_or_name.upper()
        if alias in scope.relations:
            self.problems.append(f"two relations of one FROM are called {alias or '(no name)'}")
        scope.relations[alias] = columns
        self.add_sources(node, scope)

    def table(self, node: exp.Table, ctes: Mapping[str, Columns]) -> Columns:
        """The columns of a table, view or CTE."""
        if not node.db and node.name.upper() in ctes:
            return ctes[node.name.upper()]
        found = self.schema.find(node)
        if found is None:
            self.problems.append(f"unknown table {qualified(node)}")
            return ()
        return found.columns

    def _flatten(self, node: exp.Explode, scope: Scope) -> Columns:
        scope.clause = "from"
        value = node.this.expression if isinstance(node.this, exp.Kwarg) else node.this
        self.expression(value, scope)
        content = self.content(value, scope)
        if content.is_json_text:
            self.problems.append(f"FLATTEN of text: {value.sql()}; PARSE_JSON it first")
        contents = {"VALUE": content, "THIS": content}
        return tuple(Column(name, contents.get(name, SCALAR)) for name in FLATTEN_COLUMNS)

    def expression(self, node: exp.Expr, scope: Scope) -> None:
        """Resolve every column below a node, subqueries included."""
        if isinstance(node, exp.Query):
            self.query(node, scope.ctes, scope)
            return
        if isinstance(node, exp.Column):
            self.column(node, scope)
            return
        if isinstance(node, exp.JSONExtract):
            self._check_key(node, scope)
        for child in node.iter_expressions():
            self.expression(child, scope)

    def column(self, node: exp.Column, scope: Scope, *, is_silent: bool = False) -> Column | None:
        """What a name stands for."""
        name, relation = node.name.upper(), node.table.upper()
        candidates = _candidates(scope, relation, name)
        if len(candidates) > 1 and not is_silent:
            self.problems.append(f"ambiguous column {node.sql()}: of {', '.join(alias for alias, _ in candidates)}")
        if candidates:
            return candidates[0][1]
        if not relation and name in scope.aliases and scope.clause not in ("from", "on"):
            return scope.aliases[name]
        outer = scope.outer
        while outer is not None:
            if found := _candidates(outer, relation, name):
                if not is_silent:
                    self.correlated.append((node, outer.clause))
                return found[0][1]
            outer = outer.outer
        if not is_silent:
            where = f"; {relation} has no such column" if relation in scope.relations else ""
            self.problems.append(f"unknown column {node.sql()}{where}")
        return None

    def content(self, node: exp.Expr, scope: Scope) -> Content:
        """What may be read from the value of an expression."""
        if isinstance(node, exp.Column):
            column = self.column(node, scope, is_silent=True)
            return column.content if column else ANYTHING
        if isinstance(node, KEEPS_CONTENT):
            return self.content(node.this, scope)
        if isinstance(node, exp.Cast):
            return self.content(node.this, scope) if node.to.this.name == "VARIANT" else SCALAR
        if isinstance(node, exp.JSONFormat):
            return Content(self.content(node.this, scope).keys, is_json_text=True)
        if isinstance(node, exp.ParseJSON):
            inner = self.content(node.this, scope)
            return Content(inner.keys) if inner.is_json_text else ANYTHING
        return ANYTHING

    def _check_key(self, node: exp.JSONExtract, scope: Scope) -> None:
        content = self.content(node.this, scope)
        # no value below a documented key has keys of its own; p99.9 without quotes is a path of two
        key = ".".join(part.name for part in _path(node) if isinstance(part, exp.JSONPathKey))
        if isinstance(node.this, exp.JSONExtract) and self.content(node.this.this, scope).keys is not None:
            self.problems.append(f"{node.sql('snowflake')}: reads below a documented key")
        if content.is_json_text:
            self.problems.append(f"{node.sql('snowflake')}: reads a key of text; PARSE_JSON it first")
        elif content.keys is not None and not _has_key(content.keys, key, node):
            known = ", ".join(sorted(content.keys)) or "none: it is no object"
            self.problems.append(f"unknown key {key!r} of {node.this.sql('snowflake')}; documented are {known}")


def _has_key(keys: frozenset[str], key: str, node: exp.JSONExtract) -> bool:
    is_quoted = all(part.args.get("quoted") for part in _path(node) if isinstance(part, exp.JSONPathKey))
    return key in keys and (is_quoted or "." not in key)


def _path(node: exp.JSONExtract) -> Iterable[exp.Expr]:
    return node.expression.expressions if isinstance(node.expression, exp.JSONPath) else ()


def _candidates(scope: Scope, relation: str, name: str) -> list[tuple[str, Column]]:
    return [
        (alias, column)
        for alias, columns in scope.relations.items()
        if not relation or alias == relation
        for column in columns
        if column.name == name
    ]
