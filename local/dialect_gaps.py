"""Snowflake SQL that fakesnow does not translate, or translates into something else.

Each function changes one construct of a parsed statement; :func:`close_gaps` applies them in order.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot
from sqlglot import Expr, exp

from local import semi_structured
from local.errors import SYNTAX, SnowflakeError

_NOT_ENFORCED = (exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint, exp.Reference, exp.IndexColumnConstraint)
_LEADING = r"^(?P<lead>(?:\s|--[^\n]*\n|/\*.*?\*/)*)"
_HYBRID = re.compile(_LEADING + r"CREATE\s+(?P<replace>OR\s+REPLACE\s+)?HYBRID\s+TABLE\b", re.IGNORECASE | re.DOTALL)
_OR_ALTER = re.compile(_LEADING + r"CREATE\s+OR\s+ALTER\b", re.IGNORECASE | re.DOTALL)
_HYBRID_INDEX = re.compile(r",\s*INDEX\s+[\w\"]+\s*\([^)]*\)(\s*INCLUDE\s*\([^)]*\))?", re.IGNORECASE)
_START = re.compile(_LEADING + r"START\s+TRANSACTION\s*;?\s*$", re.IGNORECASE | re.DOTALL)
_NO_OPERATION = re.compile(
    _LEADING + r"(?:(?:GRANT|REVOKE)\b|ALTER\s+TABLE\s.*\s(?:ADD|DROP)\s+SEARCH\s+OPTIMIZATION\b)",
    re.IGNORECASE | re.DOTALL,
)
_SUCCESS = "Statement executed successfully."


@dataclass(frozen=True)
class Context:
    """What the session's functions return."""

    now: datetime.datetime
    user: str
    role: str | None
    warehouse: str | None
    database: str | None
    schema: str | None
    session_id: int
    last_query_id: str | None
    temporary: set[tuple[str, str, str]]

    def resolve(self, table: exp.Table) -> tuple[str, str, str]:
        """Database, schema and name of a table as this session understands it."""
        parts = (table.args.get("catalog"), table.args.get("db"), table.this)
        names = [part and (part.name if part.args.get("quoted") else part.name.upper()) for part in parts]
        return (names[0] or self.database or "", names[1] or self.schema or "", names[2] or "")


@dataclass(frozen=True)
class Statement:
    """One parsed statement.

    :param or_alter: it was CREATE OR ALTER, which the parser cannot tell from CREATE OR REPLACE
    """

    text: str
    expression: Expr
    or_alter: bool = False


def parse(text: str) -> Statement:
    """Parse one statement.

    :raises SnowflakeError: 001003 for a syntax error, 000008 for more than one statement
    """
    or_alter = bool(_OR_ALTER.match(text))
    rewritten = text
    if _HYBRID.match(text):
        rewritten = _HYBRID.sub(lambda m: f"{m['lead']}CREATE {m['replace'] or ''}TABLE", text)
        rewritten = _HYBRID_INDEX.sub("", rewritten)
    rewritten = _START.sub("BEGIN", rewritten)
    if _NO_OPERATION.match(rewritten):
        return Statement(text, success())
    try:
        rewritten = _separate_casts(rewritten)
        expressions = [item for item in sqlglot.parse(rewritten, read="snowflake") if not _is_empty(item)]
    except sqlglot.errors.SqlglotError as error:
        message = re.sub(r"\x1b\[\d+m", "", str(error))
        raise SnowflakeError(SYNTAX, f"SQL compilation error:\nsyntax error {message}") from error
    if not expressions:
        raise SnowflakeError((900, "42601"), "SQL compilation error:\nEmpty SQL statement.")
    if len(expressions) > 1:
        count = len(expressions)
        message = f"Actual statement count {count} did not match the desired statement count 1."
        raise SnowflakeError((8, "0A000"), message)
    expression = expressions[0]
    assert expression is not None
    return Statement(text, expression, or_alter)


def _separate_casts(text: str) -> str:
    """``?::TYPE`` as ``? ::TYPE``: the tokenizer takes ``?::`` for an operator of another dialect."""
    if "?::" in text:
        for token in reversed(sqlglot.tokenize(text, read="snowflake")):
            if token.token_type == sqlglot.TokenType.QDCOLON:
                text = f"{text[: token.start]}? ::{text[token.end + 1 :]}"
    return text


def success(message: str = _SUCCESS) -> Expr:
    """The reply to a statement without rows."""
    return exp.select(exp.alias_(exp.Literal.string(message), "status", quoted=True))


def _is_empty(expression: Expr | None) -> bool:
    return expression is None or isinstance(expression, exp.Semicolon)


def close_gaps(expression: Expr, context: Context) -> Expr:
    """Rewrite one statement; the result is still Snowflake SQL as far as fakesnow is concerned."""
    _keep_no_constraints(expression)
    _temporary_tables(expression, context)
    _unqualify_targets(expression)
    changes: tuple[Callable[[Expr], Expr], ...] = (
        lambda node: _session_function(node, context),
        *semi_structured.CHANGES,
        _checked_division,
        _count_if,
    )
    if not _is_stored(expression):
        changes += (lambda node: _clock(node, context.now),)
    for change in changes:
        expression = expression.transform(change, copy=False)
    return expression


def _is_stored(expression: Expr) -> bool:
    """Whether the clock is to be read later: in a view's body or a column's default."""
    return isinstance(expression, exp.Alter) or (isinstance(expression, exp.Create) and not _is_table_as(expression))


def _is_table_as(create: exp.Create) -> bool:
    return str(create.args.get("kind")).upper() == "TABLE" and create.expression is not None


def _keep_no_constraints(expression: Expr) -> None:
    """Snowflake records PRIMARY KEY, UNIQUE and FOREIGN KEY but enforces only NOT NULL."""
    if not isinstance(expression, (exp.Create, exp.Alter)):
        return
    for key in list(expression.find_all(exp.PrimaryKey)):
        for column in key.expressions:
            _make_not_null(expression, column.name)
    for constraint in list(expression.find_all(exp.ColumnConstraint)):
        if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
            constraint.set("kind", exp.NotNullColumnConstraint())
        elif isinstance(constraint.kind, _NOT_ENFORCED):
            constraint.pop()
    # CLUSTER BY orders Snowflake's storage only. In ALTER TABLE fakesnow ignores it.
    ignored = (exp.Cluster, exp.ClusterProperty) if isinstance(expression, exp.Create) else ()
    for node in list(expression.find_all(exp.Constraint, *_NOT_ENFORCED, *ignored)):
        if node.parent is not None:
            node.pop()


def _temporary_tables(expression: Expr, context: Context) -> None:
    """DuckDB keeps temporary tables outside every database, so their qualified names become bare ones."""
    if isinstance(expression, exp.Create) and expression.find(exp.TemporaryProperty):
        target = expression.this.this if isinstance(expression.this, exp.Schema) else expression.this
        context.temporary.add(context.resolve(target))
    for table in expression.find_all(exp.Table):
        if table.db and isinstance(table.this, exp.Identifier) and context.resolve(table) in context.temporary:
            table.set("db", None)
            table.set("catalog", None)
    if isinstance(expression, exp.Drop):
        context.temporary.difference_update(context.resolve(table) for table in expression.args.get("tables") or [])


def _make_not_null(expression: Expr, name: str) -> None:
    for column in expression.find_all(exp.ColumnDef):
        if column.name.upper() == name.upper() and not column.find(exp.NotNullColumnConstraint):
            column.append("constraints", exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))


def _unqualify_targets(expression: Expr) -> None:
    """``SET t.a = ...`` and ``INSERT (t.a)``: DuckDB wants the bare column name of the target."""
    updates = [expression] if isinstance(expression, exp.Update) else []
    if isinstance(expression, exp.Merge):
        updates = list(expression.find_all(exp.Update))
        for insert in expression.find_all(exp.Insert):
            if isinstance(insert.this, exp.Tuple):
                for column in insert.this.expressions:
                    column.set("table", None)
    for update in updates:
        for assignment in update.expressions:
            if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
                for part in ("table", "db", "catalog"):
                    assignment.this.set(part, None)


def _count_if(node: Expr) -> Expr:
    """COUNT_IF counts 0 for no rows; DuckDB gives NULL."""
    counted = node.this if isinstance(node, exp.Window) else node
    if isinstance(counted, exp.CountIf) and not isinstance(node.parent, exp.Window):
        return exp.Coalesce(this=node, expressions=[exp.Literal.number(0)])
    return node


def _clock(node: Expr, now: datetime.datetime) -> Expr:
    """The statement's time as a value: DuckDB's clock stands still within a transaction."""
    micros = exp.Literal.number(round(now.timestamp() * 1_000_000))
    if isinstance(node, exp.CurrentTimestamp):
        name = "make_timestamp" if node.args.get("sysdate") else "make_timestamptz"
        return exp.Anonymous(this=name, expressions=[micros])
    if isinstance(node, exp.Anonymous) and node.name.upper() in {"GETDATE", "SYSTIMESTAMP", "LOCALTIMESTAMP"}:
        return exp.Anonymous(this="make_timestamptz", expressions=[micros])
    return node


def _session_function(node: Expr, context: Context) -> Expr:
    if isinstance(node, exp.Func):
        name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name().upper()
        values = {
            "CURRENT_ROLE": context.role,
            "CURRENT_USER": context.user,
            "CURRENT_WAREHOUSE": context.warehouse,
            "CURRENT_DATABASE": context.database,
            "CURRENT_SCHEMA": context.schema,
            "CURRENT_SESSION": str(context.session_id),
            "CURRENT_ACCOUNT": "EMBEDDED",
            "CURRENT_REGION": "EMBEDDED",
            "LAST_QUERY_ID": context.last_query_id,
        }
        if name in values:
            value = values[name]
            literal = exp.Null() if value is None else exp.Literal.string(value)
            if isinstance(node.parent, exp.Select):
                return exp.Alias(this=literal, alias=exp.to_identifier(f"{name}()", quoted=True))
            return literal
    return node


def _checked_division(node: Expr) -> Expr:
    """Dividing by zero is an error in Snowflake; DuckDB returns infinity, which a test would not notice."""
    if isinstance(node, exp.Div) and not _is_nonzero(node.expression):
        divisor = node.expression
        while isinstance(divisor, exp.Paren):
            divisor = divisor.this
        failure = exp.Anonymous(this="error", expressions=[exp.Literal.string("Division by zero")])
        is_zero = exp.EQ(this=exp.paren(divisor.copy()), expression=exp.Literal.number(0))
        checked = exp.Case(ifs=[exp.If(this=is_zero, true=failure)], default=divisor.copy())
        node.set("expression", exp.paren(checked))
    return node


def _is_nonzero(divisor: Expr) -> bool:
    if isinstance(divisor, exp.Literal):
        return not divisor.is_string and float(divisor.this) != 0
    return isinstance(divisor, exp.Nullif)
