"""The house rules that a syntax tree can decide. Each returns what breaks it, in words; nothing: the rule holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import sqlglot
from sqlglot import TokenType, exp

from tests.sql_gate.functions import clocks
from tests.sql_gate.known_schema import HYBRID_TABLE, Schema, Table
from tests.sql_gate.resolver import Resolution
from tests.sql_gate.template_statements import BOUND_TEXT, PLACEHOLDER, Statement

PATTERN_MATCHES = (exp.Like, exp.ILike, exp.RegexpLike, exp.RegexpILike, exp.SimilarTo)
DDL = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)
LOWER_BOUNDS: tuple[type[exp.Expr], ...] = (exp.GTE, exp.GT)
UPPER_BOUNDS: tuple[type[exp.Expr], ...] = (exp.LTE, exp.LT)
FORBIDDEN_DDL = re.compile(r"\bCREATE OR ALTER\b|\bCLUSTER BY\b|\bSEARCH OPTIMIZATION\b|\bSEARCH_OPTIMIZATION\b")

_RESERVED_WORDS = """
ACCOUNT ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONNECTION CONSTRAINT CREATE CROSS CURRENT
CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATABASE DELETE DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR
FROM FULL GRANT GROUP GSCLUSTER HAVING ILIKE IN INCREMENT INNER INSERT INTERSECT INTO IS ISSUE JOIN LATERAL LEFT LIKE
LOCALTIME LOCALTIMESTAMP MINUS NATURAL NOT NULL OF ON OR ORDER ORGANIZATION QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS
SAMPLE SCHEMA SELECT SET SOME START TABLE TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION UNIQUE UPDATE USING VALUES
VIEW WHEN WHENEVER WHERE WITH
"""
RESERVED = frozenset(_RESERVED_WORDS.split())
"""https://docs.snowflake.com/en/sql-reference/reserved-keywords"""


def _own_tables(owner: exp.Expr) -> Iterator[exp.Table]:
    """The tables in FROM and JOIN of a SELECT itself."""
    start = owner.args.get("from_")
    for node in [start, *(owner.args.get("joins") or ())]:
        if node is not None and isinstance(node.this, exp.Table):
            yield node.this


def _conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    if condition is None:
        return []
    inner = condition.this if isinstance(condition, exp.Where | exp.Paren) else condition
    if isinstance(inner, exp.And):
        return _conjuncts(inner.left) + _conjuncts(inner.right)
    return [inner]


def _is_bind(node: exp.Expr) -> bool:
    value = node.this if isinstance(node, exp.Cast | exp.Neg) else node
    return isinstance(value, exp.Literal) and value.is_string and value.name.startswith(BOUND_TEXT)


def _is_column(node: exp.Expr, name: str, alias: str, others: int) -> bool:
    if not isinstance(node, exp.Column) or node.name.upper() != name:
        return False
    return node.table.upper() == alias or (not node.table and not others)


def stars_of_account_usage(tree: exp.Expr, schema: Schema) -> list[str]:
    """``SELECT *`` from a view: Snowflake adds columns to its views."""
    found = []
    for select in tree.find_all(exp.Select):
        views = {table.alias_or_name for table in _own_tables(select) if _is_view(table, schema)}
        for item in select.expressions:
            if item.is_star and (views & {item.text("table")} or (views and not item.text("table"))):
                found.append(item.sql())
    return found


def _is_view(table: exp.Table, schema: Schema) -> bool:
    known = schema.find(table)
    return known is not None and known.is_account_usage


def unbounded_reads(tree: exp.Expr, schema: Schema) -> list[str]:
    """Reads of a view whose primary time column is not bounded by binds on both sides, in the same SELECT."""
    found = []
    for table in tree.find_all(exp.Table):
        view = schema.find(table)
        if view is None or not view.is_account_usage:
            continue
        select = table.find_ancestor(exp.Select)
        for side, operators, mirrored in (("below", LOWER_BOUNDS, UPPER_BOUNDS), ("above", UPPER_BOUNDS, LOWER_BOUNDS)):
            if select is None or not _is_bounded(select, table, view, operators, mirrored):
                found.append(f"{view.name}.{view.time_column} is not bounded {side} by a bind")
    return found


def _is_bounded(
    select: exp.Select,
    table: exp.Table,
    view: Table,
    operators: tuple[type[exp.Expr], ...],
    mirrored: tuple[type[exp.Expr], ...],
) -> bool:
    others = len(list(_own_tables(select))) - 1
    name, alias = str(view.time_column), table.alias_or_name.upper()
    comparisons = [part for part in _conjuncts(select.args.get("where")) if isinstance(part, exp.Binary)]
    return any(
        (isinstance(part, operators) and _is_column(part.left, name, alias, others) and _is_bind(part.right))
        or (isinstance(part, mirrored) and _is_column(part.right, name, alias, others) and _is_bind(part.left))
        for part in comparisons
    )


def unrestricted_executions(tree: exp.Expr) -> list[str]:
    """Statements on QUERY_EXECUTIONS, clustered by TEST_ID, that do not restrict it to the run's children."""
    found = []
    for table in tree.find_all(exp.Table):
        if table.name.upper() != "QUERY_EXECUTIONS" or isinstance(tree, exp.Alter):
            continue
        owner = table.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Merge)
        condition = owner.args.get("on" if isinstance(owner, exp.Merge) else "where") if owner else None
        alias = table.alias_or_name.upper()
        if not any(_is_restriction(part, alias) for part in _conjuncts(condition)):
            found.append(f"{table.sql()} is read or written without TEST_ID IN (...)")
    return found


def _is_restriction(part: exp.Expr, alias: str) -> bool:
    if isinstance(part, exp.In):
        return _is_column(part.this, "TEST_ID", alias, 0) and all(_is_bind(item) for item in part.expressions)
    return isinstance(part, exp.EQ) and _is_column(part.left, "TEST_ID", alias, 0) and _is_bind(part.right)


def pattern_matches(tree: exp.Expr) -> list[str]:
    """LIKE and its kin: ids and tags hold ``_``, which LIKE takes for any character. STARTSWITH does not."""
    return [node.sql("snowflake") for node in tree.find_all(*PATTERN_MATCHES)]


def ddl_in_transaction(parts: Sequence[Statement]) -> list[str]:
    """DDL between BEGIN and COMMIT, which would commit what was done so far; and a BEGIN without its end."""
    found, is_open = [], False
    for part in parts:
        tree = part.tree
        if isinstance(tree, exp.Transaction | exp.Commit | exp.Rollback):
            if is_open == isinstance(tree, exp.Transaction):
                found.append(f"{part.label}: BEGIN and COMMIT do not pair")
            is_open = isinstance(tree, exp.Transaction)
        elif is_open and isinstance(tree, DDL):
            found.append(f"{part.label}: {tree.key.upper()} commits the transaction")
    return [*found, *(["BEGIN without COMMIT"] if is_open else [])]


def uncacheable(tree: exp.Expr, schema: Schema) -> list[str]:
    """Clocks and hybrid tables in a query and in every view that it reads: they keep it from the result cache."""
    found = [clock.sql("snowflake") for clock in clocks(tree)]
    for table in tree.find_all(exp.Table):
        known = schema.find(table)
        if known is not None and known.kind == HYBRID_TABLE:
            found.append(known.name)
        if known is not None and known.definition is not None:
            found += [f"{known.name}: {problem}" for problem in uncacheable(known.definition, schema)]
    return found


def returning(tree: exp.Expr) -> list[str]:
    """RETURNING, which Snowflake does not have."""
    return [node.sql() for node in tree.find_all(exp.Returning)]


def correlated_outside_where(resolution: Resolution) -> list[str]:
    """Correlated subqueries anywhere but in a WHERE; Snowflake documents no others.

    https://docs.snowflake.com/en/user-guide/querying-subqueries
    """
    return [f"{column.sql()} in {clause.upper()}" for column, clause in resolution.correlated if clause != "where"]


def misplaced_limits(tree: exp.Expr, resolution: Resolution) -> list[str]:
    """LIMIT elsewhere than at top level or in an uncorrelated scalar subquery."""
    correlated = {id(column) for column, _ in resolution.correlated}
    found = []
    for node in tree.find_all(exp.Limit, exp.Fetch):
        query = node.parent
        if query is tree or query is None:
            continue
        holder = query.parent
        is_scalar = isinstance(holder, exp.Subquery) and not isinstance(
            holder.parent, exp.From | exp.Join | exp.In | exp.CTE | exp.Merge | exp.Lateral
        )
        if not is_scalar or any(id(column) in correlated for column in query.find_all(exp.Column)):
            found.append(query.sql("snowflake")[:80])
    return found


def reserved_identifiers(tree: exp.Expr) -> list[str]:
    """Names of columns, tables or aliases that Snowflake reserves."""
    return sorted({node.name for node in tree.find_all(exp.Identifier) if node.name.upper() in RESERVED})


def forbidden_ddl(sql: str) -> list[str]:
    """CREATE OR ALTER (drops what it does not know), CLUSTER BY and search optimization (tables are small)."""
    tokens = sqlglot.tokenize(sql, read="snowflake")
    text = " ".join(token.text.upper() for token in tokens if token.token_type is not TokenType.STRING)
    return FORBIDDEN_DDL.findall(text)


def stray_percent_signs(text: str) -> list[str]:
    """A ``%`` that is no placeholder: the connector formats the whole text, comments included."""
    return re.findall(r".{0,20}%.{0,10}", PLACEHOLDER.sub("", text))
