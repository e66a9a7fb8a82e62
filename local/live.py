"""A database in a real account for one run of the end-to-end tests: made before it, removed after it.

It holds FlakeBench's tables and, as plain tables, the views of ``ACCOUNT_USAGE`` under both schemas' own names, so that
two settings lead everything there. Nothing else of the account is read or written, whatever a person has set for a
deployment of theirs.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from local.environment import LOGIN, conn_id, only_settings
from local.schemas import Table, catalogue

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

PREFIX = "FLAKEBENCH_TEST_LIVE_"


class NotOursError(Exception):
    """A database that was not made here is neither written to nor removed."""


@dataclass(frozen=True)
class ScratchDatabase:
    """A database of the account that the connection in the environment leads to.

    :param token: which its comment repeats, from the moment it exists; no other run has the same
    """

    name: str
    token: str

    @classmethod
    def new(cls) -> Self:
        """One that does not exist yet."""
        return cls(f"{PREFIX}{secrets.token_hex(6).upper()}", secrets.token_hex(16))

    def environment(self) -> dict[str, str]:
        """The settings that lead the package here, also as the Airflow Variables that would come before them."""
        settings = {
            "FLAKEBENCH_ENRICHMENT_RESULTS_DATABASE": self.name,
            "FLAKEBENCH_ENRICHMENT_RESULTS_SCHEMA": "TEST_RESULTS",
            "FLAKEBENCH_ENRICHMENT_OWN_SCHEMA": "TEST_RESULTS",
            "FLAKEBENCH_ENRICHMENT_ACCOUNT_USAGE_DATABASE": self.name,
        }
        return settings | {f"AIRFLOW_VAR_{name}": value for name, value in settings.items()}

    def connect(self) -> SnowflakeConnection:
        """A session as the package opens it, inside :func:`scratch_database`."""
        from include.enrichment.settings import of_shell
        from include.enrichment.snowflake import open_hook

        return open_hook(conn_id(), of_shell()).get_conn()

    def create(self, session: SnowflakeConnection) -> None:
        """Make the database, and in the same statement say that it is ours.

        :raises snowflake.connector.errors.ProgrammingError: it exists, or the role may not make one
        """
        session.cursor().execute(f"CREATE DATABASE {self.name} COMMENT = '{self._comment}'")

    @property
    def _comment(self) -> str:
        return f"make test-live {self.token}: may be dropped when no test runs"

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
        """Remove it with everything in it; nothing when there is no such database.

        :raises NotOursError: the database was not made by :meth:`create` of this object
        """
        if self._comments(session):
            self.require_ours(session)
            session.cursor().execute(f"DROP DATABASE {self.name}")

    def require_ours(self, session: SnowflakeConnection) -> None:
        """Look for our token.

        :raises NotOursError: it is not there
        """
        if self._comments(session) != [self._comment]:
            raise NotOursError(f"Database {self.name} was not made by this run: it is left as it is")

    def _comments(self, session: SnowflakeConnection) -> list[str]:
        """The comment of the database, by a statement that needs no warehouse; empty when there is no such database."""
        from snowflake.connector import DictCursor

        cursor = session.cursor(DictCursor)
        cursor.execute(f"SHOW DATABASES LIKE '{self.name}'")  # "_" stands for any character
        return [str(row["comment"]) for row in cursor if row["name"] == self.name]


@contextmanager
def scratch_database() -> Iterator[ScratchDatabase]:
    """A database with empty tables, which is removed at the end; until then the settings of this process lead there."""
    scratch = ScratchDatabase.new()
    with only_settings(scratch.environment(), keep=LOGIN), closing(scratch.connect()) as session:
        try:
            scratch.create(session)
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
