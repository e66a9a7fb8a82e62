"""A DuckDB result as the connector expects it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fakesnow import arrow as fakesnow_arrow
from fakesnow import rowtype as fakesnow_rowtype
from fakesnow.rowtype import ColumnInfo

# DuckDB types that fakesnow does not know.
fakesnow_rowtype.duckdb_to_sf_type.update(
    TINYINT="fixed", SMALLINT="fixed", UTINYINT="fixed", USMALLINT="fixed", UINTEGER="fixed", FLOAT="real", UUID="text"
)
_UTC_OFFSET = 1440
_NESTED = re.compile(r"\[\d*\]$|^(?:STRUCT|MAP)\(")


@dataclass(frozen=True)
class Result:
    """The reply to one statement, before it becomes JSON."""

    query_id: str
    statement_type: int
    rowtype: list[ColumnInfo]
    rows: int
    body: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the rows as they are sent."""
        return len(self.body.get("rowsetBase64") or json.dumps(self.body.get("rowset", "")))


def describe(columns: list[tuple[Any, ...]]) -> list[ColumnInfo]:
    """The row type of a result, from DuckDB's DESCRIBE; lists and structs are semi-structured values."""
    known = [(name, "JSON" if _NESTED.search(kind) else kind, *rest) for name, kind, *rest in columns]
    return fakesnow_rowtype.describe_as_rowtype(known)


def encode_table(table: pa.Table, rowtype: list[ColumnInfo]) -> dict[str, Any]:
    """Rows as Snowflake's Arrow dialect."""
    columns = [_encode_column(column) for column in table.columns]
    fields = [_field(info, column.type) for info, column in zip(rowtype, columns, strict=True)]
    encoded = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    return {"queryResultFormat": "arrow", "rowsetBase64": b64encode(fakesnow_arrow.to_ipc(encoded)).decode()}


def encode_counts(table: pa.Table) -> dict[str, Any]:
    """The row counts of a DML statement, which clients read from a JSON rowset."""
    rows = [[None if value is None else str(value) for value in row.values()] for row in table.to_pylist()]
    return {"queryResultFormat": "json", "rowset": rows}


def _field(info: ColumnInfo, arrow_type: pa.DataType) -> pa.Field:
    metadata = {
        "logicalType": info["type"].upper(),
        "precision": str(info["precision"] or 38),
        "scale": str(info["scale"] or 0),
        "charLength": str(info["length"] or 0),
    }
    return pa.field(info["name"], arrow_type, metadata=metadata)


def _encode_column(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_nested(array.type):
        texts = [None if value is None else json.dumps(value, default=str) for value in array.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_timestamp(array.type):
        return _encode_timestamps(array)
    if pa.types.is_time(array.type):
        return pc.multiply(array.cast(pa.int64()), 1000)
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    if pa.types.is_unsigned_integer(array.type):
        return array.cast(pa.int64(), safe=False)
    return array


def _encode_timestamps(array: pa.Array) -> pa.StructArray:
    """Seconds since 1970, rounded down, and the nanoseconds above them; the struct carries the NULLs.

    fakesnow leaves out the NULLs, so that they arrive as 1970-01-01.
    """
    with_zone = array.type.tz is not None
    micros = array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64()).fill_null(0)
    # Arrow's integer division truncates towards zero; timestamps before 1970 must be rounded down.
    remainder = pc.subtract(micros, pc.multiply(pc.divide(micros, 1_000_000), 1_000_000))
    remainder = pc.if_else(pc.less(remainder, 0), pc.add(remainder, 1_000_000), remainder)
    epoch = pc.divide(pc.subtract(micros, remainder), 1_000_000)
    parts = [epoch, pc.multiply(remainder, 1000).cast(pa.int32())]
    names = ["epoch", "fraction"]
    if with_zone:
        parts.append(pa.array([_UTC_OFFSET] * len(array), pa.int32()))
        names.append("timezone")
    fields = [pa.field(name, part.type) for name, part in zip(names, parts, strict=True)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=pc.is_null(array))
