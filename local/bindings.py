"""Bind values of a request as Python values.

fakesnow's conversion goes through floating point, which can be a second off, and cannot read a NULL number.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

_EPOCH = datetime.datetime(1970, 1, 1)


def read_bindings(bindings: Mapping[str, Any]) -> list[list[Any]]:
    """Rows of positional values: one row, or as many as an array binding (``executemany``) holds.

    :param bindings: ``{"1": {"type": "FIXED", "value": "10"}, ...}``
    """
    columns = [bindings[str(position)] for position in range(1, len(bindings) + 1)]
    if any(isinstance(column["value"], list) for column in columns):
        values = [[read_value(column["type"], value) for value in column["value"]] for column in columns]
        return [list(row) for row in zip(*values, strict=True)]
    return [[read_value(column["type"], column["value"]) for column in columns]]


def read_value(kind: str, value: str | None) -> Any:
    """One bind value; timestamps without a zone are UTC, as the session is."""
    if value is None:
        return None
    match kind:
        case "FIXED":
            return int(value)
        case "REAL":
            return float(value)
        case "BOOLEAN":
            return value.lower() == "true"
        case "BINARY":
            return bytes.fromhex(value)
        case "DATE":
            return (_EPOCH + datetime.timedelta(milliseconds=int(value))).date()
        case "TIME":
            return _from_nanoseconds(value).time()
        case "TIMESTAMP_NTZ":
            return _from_nanoseconds(value)
        case "TIMESTAMP_LTZ":
            return _from_nanoseconds(value).replace(tzinfo=datetime.UTC)
        case "TIMESTAMP_TZ":
            # Nanoseconds in UTC, then the offset in minutes + 1440.
            nanoseconds, _, offset = value.partition(" ")
            zone = datetime.timezone(datetime.timedelta(minutes=int(offset or 1440) - 1440))
            return _from_nanoseconds(nanoseconds).replace(tzinfo=datetime.UTC).astimezone(zone)
        case _:
            return value


def _from_nanoseconds(value: str) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=int(value) // 1000)
