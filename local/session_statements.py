"""Statements about the session or a whole database, which DuckDB need not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import Expr, exp

from local.dialect_gaps import Statement, success
from local.errors import NOT_FOUND, SnowflakeError
from local.schemas import declared_type

if TYPE_CHECKING:
    from local.session import Session


def run(session: Session, statement: Statement) -> Expr | None:
    """Do what the statement says and return the query whose result is its reply; None for any other statement.

    :raises SnowflakeError: an object does not exist, or the transaction was lost
    """
    expression = statement.expression
    transactions = session.transactions
    if isinstance(expression, exp.Transaction):
        transactions.begin()
    elif isinstance(expression, exp.Commit):
        transactions.commit()
    elif isinstance(expression, exp.Rollback):
        transactions.rollback()
    elif isinstance(expression, exp.Alter) and expression.kind == "SESSION":
        _alter_session(session, expression)
    elif isinstance(expression, exp.Use):
        return _use(session, expression)
    elif isinstance(expression, exp.Command) and str(expression.this).upper() == "SHOW":
        return _show_parameters(session, expression)
    elif isinstance(expression, exp.Show) and expression.name.upper() == "WAREHOUSES":
        return _show_warehouses(session, expression)
    elif isinstance(expression, exp.Show) and expression.name.upper() == "DATABASES":
        return _show_databases(session, expression)
    elif isinstance(expression, exp.Describe) and isinstance(expression.this, exp.Table):
        return _describe(session, expression)
    elif isinstance(expression, (exp.Create, exp.Drop)) and str(expression.args.get("kind")).upper() == "DATABASE":
        return _database(session, expression)
    else:
        return None
    return success()


def as_boolean(value: Any) -> bool:
    """A boolean session parameter, which clients send as a boolean or as text."""
    return str(value).strip().lower() in {"true", "1", "on"}


def _alter_session(session: Session, expression: exp.Alter) -> None:
    from local.session import DEFAULT_PARAMETERS

    change = expression.find(exp.AlterSession)
    for item in change.expressions if change else []:
        if change and change.args.get("unset"):
            name = item.this.name.upper()
            value = DEFAULT_PARAMETERS.get(name, "")
        else:
            name = item.this.this.name.upper()
            right = item.this.expression
            value = right.this if isinstance(right, (exp.Literal, exp.Boolean)) else right.name
        session.parameters[name] = value
        if name == "AUTOCOMMIT":
            # Switching AUTOCOMMIT commits what is open, as in Snowflake.
            session.transactions.commit()
            session.transactions.autocommit = as_boolean(value)


def _use(session: Session, expression: exp.Use) -> Expr | None:
    kind = expression.args.get("kind")
    word = kind.name.upper() if isinstance(kind, exp.Var) else ""
    name = expression.this.name if expression.this else ""
    upper = name if expression.this and expression.this.this.args.get("quoted") else name.upper()
    if word == "ROLE":
        session.role = upper
        return success()
    if word == "WAREHOUSE":
        session.warehouse = upper
        return success()
    if word == "SECONDARY":
        return success()
    if not word:
        expression.set("kind", exp.Var(this="SCHEMA" if expression.this.db else "DATABASE"))
        word = "SCHEMA" if expression.this.db else "DATABASE"
    if word == "DATABASE" and upper not in session.account.storage.databases():
        message = "SQL compilation error:\nObject does not exist, or operation cannot be performed."
        raise SnowflakeError((2043, "02000"), message)
    return None


def _show_parameters(session: Session, expression: exp.Command) -> Expr | None:
    text = expression.expression
    tokens = sqlglot.tokenize(text if isinstance(text, str) else text.name, read="snowflake")
    if not tokens or tokens[0].text.upper() != "PARAMETERS":
        return None
    from local.session import DEFAULT_PARAMETERS

    pattern = next((token.text for token in tokens if token.token_type == sqlglot.TokenType.STRING), "%")
    # a warehouse has parameters of its own, which nothing changes here
    is_session = "WAREHOUSE" not in {token.text.upper() for token in tokens}
    parameters, level = (session.parameters, "SESSION") if is_session else (DEFAULT_PARAMETERS, "")
    rows = ", ".join(
        f"({exp.Literal.string(name).sql()}, {exp.Literal.string(_as_text(value)).sql()}, '{level}')"
        for name, value in sorted(parameters.items())
    )
    return sqlglot.parse_one(
        f'SELECT "key", "value", "value" AS "default", "level" FROM (VALUES {rows}) AS p("key", "value", "level") '
        f'WHERE "key" ILIKE {exp.Literal.string(pattern).sql()}',
        read="snowflake",
    )


def _show_warehouses(session: Session, expression: exp.Show) -> Expr:
    like = expression.args.get("like")
    pattern = like.name if like else "%"
    # the session's own; any name will do for a warehouse, and none of them costs anything
    name = exp.Literal.string(session.warehouse or "").sql()
    return sqlglot.parse_one(
        f"""
        SELECT {name} AS "name", 'STARTED' AS "state", 'STANDARD' AS "type", 'X-Small' AS "size", 'N' AS "is_default",
               'Y' AS "is_current", 60 AS "auto_suspend", 'true' AS "auto_resume"
        WHERE {name} <> '' AND {name} ILIKE {exp.Literal.string(pattern).sql()}
        """,
        read="snowflake",
    )


def _show_databases(session: Session, expression: exp.Show) -> Expr:
    storage = session.account.storage
    like = expression.args.get("like")
    rows = ", ".join(
        f"({_literal(name)}, {_literal(storage.comments.get(name, ''))})" for name in sorted(storage.databases())
    )
    return sqlglot.parse_one(
        f"""
        SELECT TO_TIMESTAMP_LTZ(0) AS "created_on", "name", 'N' AS "is_default",
               IFF("name" = {_literal(session.connection.database or "")}, 'Y', 'N') AS "is_current",
               '' AS "origin", {_literal(session.role or "")} AS "owner", "comment"
        FROM (VALUES {rows}) AS d("name", "comment")
        WHERE "name" ILIKE {_literal(like.name if like else "%")}
        """,
        read="snowflake",
    )


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="snowflake")


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _describe(session: Session, expression: exp.Describe) -> Expr:
    table = expression.this
    name, schema, database = (
        (part.name if part.args.get("quoted") else part.name.upper()) if part else fallback
        for part, fallback in (
            (table.this, None),
            (table.args.get("db"), session.connection.schema),
            (table.args.get("catalog"), session.connection.database),
        )
    )
    rows = session.connection._duck_conn.execute(_COLUMNS, [name, database, schema]).fetchall()
    if not rows:
        raise SnowflakeError(
            NOT_FOUND, f"SQL compilation error:\nObject '{database}.{schema}.{name}' does not exist or not authorized."
        )
    target = exp.table_(str(name), str(schema), str(database))
    values = ", ".join(
        "("
        + ", ".join(
            "NULL" if value is None else exp.Literal.string(str(value)).sql()
            for value in (column, declared_type(target, column) or shown, "COLUMN", nullable, default)
        )
        + ")"
        for column, shown, nullable, default in rows
    )
    return sqlglot.parse_one(
        'SELECT "name", "type", "kind", "null?", "default", \'N\' AS "primary key", \'N\' AS "unique key" '
        f'FROM (VALUES {values}) AS d("name", "type", "kind", "null?", "default")',
        read="snowflake",
    )


_COLUMNS = """
SELECT column_name,
       CASE WHEN data_type = 'JSON' THEN 'VARIANT'
            WHEN data_type IN ('BIGINT', 'INTEGER', 'HUGEINT') THEN 'NUMBER(38,0)'
            WHEN data_type = 'DOUBLE' THEN 'FLOAT'
            WHEN data_type = 'VARCHAR' THEN 'VARCHAR(16777216)'
            WHEN data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ(9)'
            WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_TZ(9)'
            ELSE replace(data_type, 'DECIMAL', 'NUMBER') END,
       CASE WHEN is_nullable THEN 'Y' ELSE 'N' END,
       column_default
FROM duckdb_columns()
WHERE table_name = ? AND (database_name = 'temp' OR (database_name = ? AND schema_name = ?))
ORDER BY database_name = 'temp' DESC, column_index
"""


def _database(session: Session, expression: exp.Create | exp.Drop) -> Expr:
    storage = session.account.storage
    table = expression.find(exp.Table)
    assert table is not None
    name = table.name.upper()
    exists = name in storage.databases()
    session.transactions.commit()
    if isinstance(expression, exp.Create):
        if exists and not expression.args.get("exists"):
            raise SnowflakeError((2002, "42710"), f"SQL compilation error:\nObject '{name}' already exists.")
        if not exists:
            comment = expression.find(exp.SchemaCommentProperty)
            storage.create_database(name, comment.this.name if comment else "")
        return success(f"Database {name} successfully created.")
    if not exists and not expression.args.get("exists"):
        message = f"SQL compilation error:\nDatabase '{name}' does not exist or not authorized."
        raise SnowflakeError(NOT_FOUND, message)
    if exists:
        storage.drop_database(name)
    return success(f"{name} successfully dropped.")
