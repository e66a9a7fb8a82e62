"""Load rows into any table of the two catalogues, through the real connector; works on Snowflake as well."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterator, Sequence
from typing import Any

from snowflake.connector import SnowflakeConnection

from local.schemas import Table, catalogue

MAX_ROWS = 1_000
MAX_BYTES = 1_000_000


def load_rows(
    connection: SnowflakeConnection, table: str, rows: Sequence[dict[str, Any]], database: str | None = None
) -> int:
    """Insert rows; a key that a row does not have is NULL (not the column's default).

    Nested Python values go to VARIANT, OBJECT and ARRAY columns; datetimes are sent as ISO text. Each chunk of at
    most 1,000 rows or 1 MB is one INSERT, so several chunks are atomic only inside the caller's transaction.

    :param table: of the catalogue, qualified or as an unambiguous bare name, for example ``QUERY_HISTORY``
    :param database: that holds a table of the same schema and name, when it is not the catalogue's
    :return: number of rows
    :raises KeyError: unknown table or column
    """
    target = find_table(table)
    for chunk in _chunks(rows):
        names = {name.upper() for row in chunk for name in row}
        unknown = names - {column.name for column in target.columns}
        if unknown:
            raise KeyError(f"{target.qualified_name} has no column {', '.join(sorted(unknown))}")
        columns = [column for column in target.columns if column.name in names]
        values = ", ".join(_expression(column.name, column.type) for column in columns)
        sql = (
            f"INSERT INTO {placed(target.qualified_name, database)} ({', '.join(column.name for column in columns)})\n"
            f"SELECT {values}\nFROM TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) f"
        )
        payload = json.dumps([{name.upper(): value for name, value in row.items()} for row in chunk], default=_as_json)
        connection.cursor().execute(sql, (payload,))
    return len(rows)


def placed(qualified_name: str, database: str | None) -> str:
    """The name of a table in another database; the same one for None."""
    return qualified_name if database is None else f"{database}.{qualified_name.partition('.')[2]}"


def find_table(table: str) -> Table:
    """A catalogue table by qualified or bare name, in any case.

    :raises KeyError: there is none
    """
    name = table.upper()
    matches = [known for known in catalogue().values() if name in (known.qualified_name, known.name)]
    if len(matches) != 1:
        raise KeyError(f"{table} is not a table of the catalogue")
    return matches[0]


def _expression(name: str, kind: str) -> str:
    path = f'f.VALUE:"{name}"'
    # A cast to VARIANT would turn a missing key into SQL NULL and keep JSON null; so does the path itself.
    return path if kind == "VARIANT" else f"{path}::{kind}"


def _chunks(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row, default=_as_json))
        if chunk and (len(chunk) >= MAX_ROWS or size + length > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += length
    if chunk:
        yield chunk


def _as_json(value: Any) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        # As text, because a JSON number would pass through binary floating point.
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be loaded")
