"""The embedded account as a test uses it: empty it, load rows by table, read rows back."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from include.enrichment.migrations import migrate
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from local.connection import LocalConnection
from local.load import load_rows
from local.schemas import catalogue

CONN_ID = "snowflake_default"
OWN_SCHEMA = "FLAKEBENCH.TEST_RESULTS"
_PATIENCE_SECONDS = 30.0
_KEPT = {"ENRICHMENT_MIGRATIONS", "ENRICHMENT_PASS_LOCK"}
_TABLES = """
SELECT TABLE_NAME FROM FLAKEBENCH.INFORMATION_SCHEMA.TABLES
WHERE TABLE_SCHEMA = 'TEST_RESULTS' AND TABLE_TYPE = 'BASE TABLE'
"""
_COLUMNS = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE
FROM FLAKEBENCH.INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA = 'TEST_RESULTS'
"""

Row = dict[str, Any]


@dataclass
class Account:
    """One session of the tests' own, beside those of the product.

    :param own_types: table to column to type, of the tables that the migrations made
    :param tables: qualified names of all tables that hold data
    :param loaded: those of FlakeBench and ACCOUNT_USAGE that this test has loaded
    """

    connection: SnowflakeConnection
    local: LocalConnection
    own_types: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    loaded: set[str] = field(default_factory=set)
    has_faults: bool = False

    @classmethod
    def connect(cls, local: LocalConnection) -> Account:
        session = snowflake.connector.connect(**local.connector_kwargs(TIMEZONE="UTC", QUERY_TAG="tests"))
        account = cls(session, local)
        account.read_schema()
        return account

    def read_schema(self) -> None:
        """Look at the tables again; needed after migrations were taken back or applied."""
        known = {table.name for table in catalogue().values()}
        bases = {row["TABLE_NAME"] for row in self.rows(_TABLES)}
        self.own_types = {}
        for row in self.rows(_COLUMNS):
            if row["TABLE_NAME"] in bases - known:
                self.own_types.setdefault(row["TABLE_NAME"], {})[row["COLUMN_NAME"]] = _type(row)
        self.tables = sorted(table.qualified_name for table in catalogue().values() if table.over is None)
        self.tables += sorted(f"{OWN_SCHEMA}.{name}" for name in self.own_types if name not in _KEPT)

    def migrate(self) -> None:
        """Apply the migrations that are missing."""
        settings = Settings()
        migrate(open_hook(CONN_ID, settings), settings)
        self.read_schema()

    def empty(self) -> None:
        """Remove every row but those that the migrations wrote; one question finds the tables that hold any."""
        if self.has_faults:
            self.put_faults([])
        names = sorted({*self.loaded, *(self._qualified(name) for name in self.own_types if name not in _KEPT)})
        counts = " UNION ALL ".join(f"SELECT '{name}' AS NAME, COUNT(*) AS N FROM {name}" for name in names)
        for row in self.rows(f"SELECT NAME FROM ({counts}) AS counts WHERE N > 0"):
            self.run(f"TRUNCATE TABLE {row['NAME']}")
        self.loaded.clear()

    def put_faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Make statements fail; see ``local/faults.py``. Empty: none does."""
        self._server("PUT", "/faults", list(faults))
        self.has_faults = bool(faults)

    def held(self) -> list[Row]:
        """The statements that a fault holds back now."""
        return list(self._server("GET", "/held").json())

    def wait_for_held(self) -> Row:
        """Wait until a statement is held back; the longest held.

        :raises TimeoutError: none is after 30 seconds
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (held := self.held()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no statement was held in {_PATIENCE_SECONDS:.0f} s")
            time.sleep(0.02)
        return held[0]

    def statements(self, since: int = 0) -> list[Row]:
        """The server's log of what was sent; see ``GET /statements``."""
        return list(self._server("GET", f"/statements?since={since}").json()["statements"])

    def release(self) -> None:
        """Let what is held back go on."""
        self._server("DELETE", "/held")

    def _server(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call the embedded server's own pages."""
        reply = requests.request(
            method,
            self.local.url + path,
            data=None if body is None else json.dumps(body),
            auth=("", self.local.password),
            verify=self.local.ca_file,
            timeout=10,
        )
        reply.raise_for_status()
        return reply

    def load(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; a column that a row does not name is NULL.

        :param table: bare name; ACCOUNT_USAGE's, FlakeBench's or ours
        """
        self.loaded.add(self._qualified(table))
        types = self.own_types.get(table.upper())
        if types is None:
            load_rows(self.connection, table, [dict(row) for row in rows])
            return
        names = sorted({name.upper() for row in rows for name in row})
        if unknown := set(names) - set(types):
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        values = ", ".join(_expression(name, types[name]) for name in names)
        payload = json.dumps([dict(row) for row in rows], default=str)
        self.run(
            f"INSERT INTO {OWN_SCHEMA}.{table} ({', '.join(names)})\n"
            f"SELECT {values}\nFROM TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) AS f",
            (payload,),
        )

    def run(self, sql: str, params: Any = None) -> None:
        self.connection.cursor().execute(sql, params)

    def rows(self, sql: str, params: Any = None) -> list[Row]:
        """The rows of a query as mappings."""
        cursor = self.connection.cursor()
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def table(self, name: str) -> list[Row]:
        """Every row of a table, by bare name."""
        return self.rows(f"SELECT * FROM {self._qualified(name)}")

    def contents(self) -> dict[str, list[str]]:
        """Every row of every table, for tests that nothing changed."""
        return {name: sorted(map(repr, self.rows(f"SELECT * FROM {name}"))) for name in self.tables}

    def _qualified(self, name: str) -> str:
        matches = [table for table in self.tables if table.endswith(f".{name.upper()}")]
        return matches[0] if matches else f"{OWN_SCHEMA}.{name}"

    def close(self) -> None:
        self.connection.close()


def _type(column: Row) -> str:
    kind = str(column["DATA_TYPE"])
    return f"NUMBER({column['NUMERIC_PRECISION']}, {column['NUMERIC_SCALE']})" if kind == "NUMBER" else kind


def _expression(name: str, kind: str) -> str:
    path = f'f.VALUE:"{name}"'
    return path if kind in ("VARIANT", "OBJECT", "ARRAY") else f"{path}::{kind}"
