"""Snowflake's errors, and how DuckDB's are said in its words."""

from __future__ import annotations

import re
from collections.abc import Callable

import duckdb
import snowflake.connector.errors
from sqlglot import Expr, exp
from sqlglot.errors import SqlglotError

LOCK_TIMEOUT = (625, "57014")
STATEMENT_TIMEOUT = (630, "57014")
CANCELED = (604, "57014")
INTERNAL = (603, "XX000")
UNSUPPORTED = (2, "0A000")
NOT_FOUND = (2003, "02000")
UNKNOWN_COLUMN = (904, "42000")
SYNTAX = (1003, "42000")


class SnowflakeError(Exception):
    """An error as Snowflake reports it.

    :param code: Snowflake's error number and SQLSTATE
    :param message: without the number; the connector puts that in front
    """

    def __init__(self, code: tuple[int, str], message: str) -> None:
        super().__init__(message)
        self.errno, self.sqlstate = code
        self.message = message


def translate(error: BaseException, missing_object: Callable[[], str | None]) -> SnowflakeError:
    """Any exception of a statement as the error that Snowflake would report.

    :param missing_object: finds which named object does not exist; called only when one may be the cause
    """
    if isinstance(error, SnowflakeError):
        return error
    cause = error.__cause__ if isinstance(error.__cause__, duckdb.Error) else error
    if isinstance(cause, duckdb.Error):
        return _from_duckdb(cause, missing_object)
    if isinstance(error, snowflake.connector.errors.Error) and error.errno not in (None, -1, 9999):
        message = error.raw_msg if hasattr(error, "raw_msg") else error.msg
        return SnowflakeError((error.errno, error.sqlstate or "42000"), str(message))
    if isinstance(error, SqlglotError):
        return SnowflakeError(SYNTAX, f"SQL compilation error:\n{error}")
    if isinstance(error, (NotImplementedError, snowflake.connector.errors.Error)):
        return SnowflakeError(UNSUPPORTED, f"Unsupported feature in the embedded Snowflake: {error}")
    message = f"SQL execution internal error:\nProcessing aborted by error 300010 ({type(error).__name__}: {error})."
    return SnowflakeError(INTERNAL, message)


# Pattern on DuckDB's message, Snowflake's code, Snowflake's text with the pattern's groups in upper or original case.
_PATTERNS: tuple[tuple[str, tuple[int, str], str], ...] = (
    (
        r'Table "(?P<U1>[^"]+)" does not have a column (?:named|with name) "(?P<U2>[^"]+)".*^LINE',
        UNKNOWN_COLUMN,
        "SQL compilation error: error line 0 at position 0\ninvalid identifier '{U1}.{U2}'",
    ),
    (
        r'(?:Referenced column|does not have a column (?:named|with name)|Column with name) "(?P<U1>[^"]+)"',
        UNKNOWN_COLUMN,
        "SQL compilation error: error line 0 at position 0\ninvalid identifier '{U1}'",
    ),
    (
        r"(?:Referenced update column|Referenced table|Column with name) \"?(?P<U1>\w+)\"? "
        r"(?:not found|does not exist)",
        UNKNOWN_COLUMN,
        "SQL compilation error: error line 0 at position 0\ninvalid identifier '{U1}'",
    ),
    (
        r'Ambiguous reference to column name "(?P<U1>[^"]+)"',
        (1052, "42601"),
        "SQL compilation error:\nambiguous column name '{U1}'",
    ),
    (
        r"(?:Scalar |Table |Aggregate |Macro )*Function with name \"?(?P<U1>\S+?)\"? (?:does not exist|is not)",
        (2140, "42601"),
        "SQL compilation error:\nUnknown function {U1}",
    ),
    (
        r'with name "?(?P<U1>[\w$]+)"? already exists',
        (2002, "42710"),
        "SQL compilation error:\nObject '{U1}' already exists.",
    ),
    (
        r'column "?(?P<U1>[\w$.]+)"? must appear in the GROUP BY',
        (979, "42601"),
        "SQL compilation error:\n'{U1}' in select clause is neither an aggregate nor in the group by clause.",
    ),
    (
        r"MERGE INTO command cannot affect the same target row more than once",
        (100090, "42P18"),
        "Duplicate row detected during DML action",
    ),
    (
        r"NOT NULL constraint failed: (?P<U1>\S+)",
        (100072, "22000"),
        "NULL result in a non-nullable column {U1}",
    ),
    (r"Division by zero", (100051, "22012"), "Division by zero"),
    (r"Malformed JSON.*?: (?P<O1>[^\n]*)", (100069, "22P02"), "Error parsing JSON: {O1}"),
    (
        r"(?:Could not convert string|Failed to cast value:?[^']*) '(?P<O1>.*?)' to "
        r"(?:U?INT|U?BIGINT|HUGEINT|DEC|DOUBLE)",
        (100038, "22018"),
        "Numeric value '{O1}' is not recognized",
    ),
    (
        r"(?:timestamp|date|time) field value out of range: \"(?P<O1>[^\"]*)\""
        r"|invalid (?:timestamp|date|time) field format: \"(?P<O2>[^\"]*)\"",
        (100035, "22007"),
        "Timestamp '{O1}{O2}' is not recognized",
    ),
    (
        r"more than one row returned by a subquery",
        (90150, "22000"),
        "Single-row subquery returns more than one row.",
    ),
    (
        r"modified database|single transaction can only write to a single attached database",
        UNSUPPORTED,
        "Unsupported feature in the embedded Snowflake: one transaction that writes to two databases.",
    ),
    (r"(?s)(?P<O1>(?:syntax error|Parser Error).*)", SYNTAX, "SQL compilation error:\n{O1}"),
)


def _from_duckdb(error: duckdb.Error, missing_object: Callable[[], str | None]) -> SnowflakeError:
    text = str(error)
    if isinstance(error, duckdb.InterruptException):
        return SnowflakeError(CANCELED, "SQL execution canceled")
    if isinstance(error, (duckdb.CatalogException, duckdb.BinderException)) and (missing := missing_object()):
        return SnowflakeError(NOT_FOUND, f"SQL compilation error:\n{missing} does not exist or not authorized.")
    for pattern, code, template in _PATTERNS:
        if match := re.search(pattern, text, re.DOTALL | re.MULTILINE):
            groups = match.groupdict(default="")
            values = {name: value.upper() if name.startswith("U") else value for name, value in groups.items()}
            return SnowflakeError(code, template.format(**values))
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        return SnowflakeError((1044, "42P13"), f"SQL compilation error:\n{text}")
    if isinstance(error, duckdb.DataError):
        return SnowflakeError((100132, "22000"), f"Invalid value: {text}")
    return SnowflakeError(INTERNAL, f"SQL execution internal error:\nProcessing aborted by error 300010 ({text}).")


def find_missing_object(
    expression: Expr,
    connection: duckdb.DuckDBPyConnection,
    database: str | None,
    schema: str | None,
    temporary: frozenset[str],
) -> str | None:
    """The first object named in a statement that does not exist, as Snowflake would name it.

    :param temporary: names of the session's temporary tables
    :return: for example ``Object 'DB.SCHEMA.NAME'`` or ``Database 'DB'``
    """
    rows = connection.cursor().execute("SELECT catalog_name, schema_name FROM information_schema.schemata").fetchall()
    schemas = {(catalog.upper(), name.upper()) for catalog, name in rows}
    databases = {catalog for catalog, _ in schemas}
    tables = connection.cursor().execute(
        "SELECT upper(table_catalog), upper(table_schema), upper(table_name) FROM information_schema.tables"
    )
    objects = set(tables.fetchall())
    with_names = {cte.alias.upper() for cte in expression.find_all(exp.CTE)}
    created = _created_table(expression)
    for table in expression.find_all(exp.Table):
        name = table.name.upper()
        unqualified = not table.db
        if not name or not isinstance(table.this, exp.Identifier) or table is created:
            continue
        if unqualified and (name in with_names or name in temporary):
            continue
        catalog_name = (table.catalog or database or "").upper()
        schema_name = (table.db or schema or "").upper()
        if catalog_name not in databases:
            return f"Database '{catalog_name}'"
        if schema_name == "INFORMATION_SCHEMA":
            continue
        if (catalog_name, schema_name) not in schemas:
            return f"Schema '{catalog_name}.{schema_name}'"
        if (catalog_name, schema_name, name) not in objects:
            return f"Object '{catalog_name}.{schema_name}.{name}'"
    return None


def _created_table(expression: Expr) -> exp.Table | None:
    if not isinstance(expression, exp.Create):
        return None
    target = expression.this.this if isinstance(expression.this, exp.Schema) else expression.this
    return target if isinstance(target, exp.Table) else None
