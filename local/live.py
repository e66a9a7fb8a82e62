"""A database in a real account for one run of the end-to-end tests: made before it, removed after it.

It holds FlakeBench's tables and, as plain tables, the views of ``ACCOUNT_USAGE`` under both schemas' own names, so that
two settings lead everything there. Nothing else of the account is read or written.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from local.environment import conn_id
from local.schemas import Table, catalogue

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

PREFIX = "FLAKEBENCH_TEST_LIVE_"
_MARK = "PUBLIC.MADE_BY_TEST_LIVE"


class NotOursError(Exception):
    """A database that was not made here is neither written to nor removed."""


@dataclass(frozen=True)
class ScratchDatabase:
    """A database of the account that the connection in the environment leads to.

    :param token: which a table in it repeats; known to nobody but the process that made it
    """

    name: str
    token: str

    @classmethod
    def new(cls) -> Self:
        """One that does not exist yet."""
        return cls(f"{PREFIX}{secrets.token_hex(6).upper()}", secrets.token_hex(16))

    def environment(self) -> dict[str, str]:
        """The settings that lead the package here."""
        return {
            "FLAKEBENCH_ENRICHMENT_RESULTS_DATABASE": self.name,
            "FLAKEBENCH_ENRICHMENT_RESULTS_SCHEMA": "TEST_RESULTS",
            "FLAKEBENCH_ENRICHMENT_OWN_SCHEMA": "TEST_RESULTS",
            "FLAKEBENCH_ENRICHMENT_ACCOUNT_USAGE_DATABASE": self.name,
        }

    def connect(self) -> SnowflakeConnection:
        """A session as the package opens it."""
        from include.enrichment.settings import parse
        from include.enrichment.snowflake import open_hook

        return open_hook(conn_id(), parse(self.environment())).get_conn()

    def create(self, session: SnowflakeConnection) -> None:
        """Make the database, and record that it is ours.

        :raises snowflake.connector.errors.ProgrammingError: it exists, or the role may not make one
        """
        cursor = session.cursor()
        cursor.execute(f"CREATE DATABASE {self.name} COMMENT = 'make test-live: may be dropped when no test runs'")
        cursor.execute(f"CREATE TABLE {self.name}.{_MARK} (TOKEN VARCHAR)")
        cursor.execute(f"INSERT INTO {self.name}.{_MARK} SELECT %s", (self.token,))

    def create_tables(self, session: SnowflakeConnection) -> None:
        """Every table and view of the two catalogues, empty.

        :raises NotOursError: the database was not made by :meth:`create` of this object
        """
        self.require_ours(session)
        for schema in sorted({table.schema for table in catalogue().values()}):
            session.cursor().execute(f"CREATE SCHEMA {self.name}.{schema}")
        for table in catalogue().values():
            session.cursor().execute(_definition(table, self.name))

    def drop(self, session: SnowflakeConnection) -> None:
        """Remove it with everything in it.

        :raises NotOursError: the database was not made by :meth:`create` of this object
        """
        self.require_ours(session)
        session.cursor().execute(f"DROP DATABASE {self.name}")

    def require_ours(self, session: SnowflakeConnection) -> None:
        """Look for our token.

        :raises NotOursError: it is not there
        """
        from snowflake.connector.errors import ProgrammingError

        cursor = session.cursor()
        try:
            cursor.execute(f"SELECT TOKEN FROM {self.name}.{_MARK}")
            found = [str(row[0]) for row in cursor]
        except ProgrammingError:
            found = []
        if found != [self.token]:
            raise NotOursError(f"Database {self.name} was not made by this run: it is left as it is")


@contextmanager
def scratch_database() -> Iterator[ScratchDatabase]:
    """A database with empty tables, which is removed at the end."""
    scratch = ScratchDatabase.new()
    with closing(scratch.connect()) as session:
        scratch.create(session)
        try:
            scratch.create_tables(session)
            yield scratch
        finally:
            with closing(scratch.connect()) as last:  # the first one's login may have expired
                scratch.drop(last)


def _definition(table: Table, database: str) -> str:
    """The statement that creates a table or view of the catalogue in another database."""
    name = f"{database}.{table.schema}.{table.name}"
    if table.over:
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        return f"CREATE VIEW {name} AS SELECT {columns} FROM {database}.{table.schema}.{table.over} WHERE {table.where}"
    definitions = []
    for column in table.columns:
        default = "" if column.default is None else f" DEFAULT {column.default}"
        definitions.append(f'"{column.name}" {column.type}{default}{"" if column.nullable else " NOT NULL"}')
    return f"CREATE TABLE {name} ({', '.join(definitions)})"
