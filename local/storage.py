"""The databases on disk: one DuckDB file each, attached to one in-memory DuckDB instance."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fakesnow import info_schema, macros
from fakesnow.instance import FakeSnow
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH

from local.schemas import create_schemas
from local.semi_structured import MACROS

INITIAL_DATABASES = ("FLAKEBENCH", "SNOWFLAKE")


class RecentResults(OrderedDict[str, tuple[Any, ...]]):
    """Results by query id, for RESULT_SCAN; bounded, because each entry holds a whole result."""

    LIMIT = 200

    def __setitem__(self, key: str, value: tuple[Any, ...]) -> None:
        super().__setitem__(key, value)
        while len(self) > self.LIMIT:
            self.popitem(last=False)


class Storage:
    """All databases of one state directory.

    :param directory: one ``<DATABASE>.db`` per database, and its comment beside it; created if missing
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.comments = {file.stem: file.read_text() for file in directory.glob("*.comment")}
        # Snowflake creates neither a database nor a schema when a client names one at login.
        self.instance = FakeSnow(False, False, db_path=directory)
        self.instance.results_cache = RecentResults()
        # A session without a current database finds functions such as FLATTEN here.
        self.instance.duck_conn.execute(macros.creation_sql("memory"))
        self.instance.duck_conn.execute(MACROS)
        for name in sorted({*INITIAL_DATABASES, *(file.stem for file in directory.glob("*.db"))}):
            self._attach(name)
        create_schemas(self.instance.duck_conn)
        # Sessions share the cores already; for small tables a second thread of one statement costs more than it saves.
        self.instance.duck_conn.execute("SET threads = 1")

    def _attach(self, name: str) -> None:
        connection = self.instance.duck_conn
        connection.execute(f"""ATTACH IF NOT EXISTS '{self.directory / name}.db' AS "{name}" """)
        connection.execute(info_schema.per_db_creation_sql(name))
        connection.execute(macros.creation_sql(name))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}.PUBLIC")

    def databases(self) -> set[str]:
        """Names of the attached databases."""
        rows = self.instance.duck_conn.cursor().execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
        )
        return {name for (name,) in rows.fetchall()}

    def create_database(self, name: str, comment: str = "") -> None:
        """Create a database and attach it."""
        self._comment_file(name).write_text(comment)  # DuckDB has no comments on databases
        self.comments[name] = comment
        self._attach(name)

    def drop_database(self, name: str) -> None:
        """Detach a database and remove its file, so that a restart does not bring it back."""
        self.instance.duck_conn.execute(f'DETACH "{name}"')
        for file in self.directory.glob(f"{name}.db*"):
            file.unlink()
        self._comment_file(name).unlink(missing_ok=True)
        self.comments.pop(name, None)

    def _comment_file(self, name: str) -> Path:
        return self.directory / f"{name}.comment"

    def close(self) -> None:
        """Checkpoint every database, so that the next start need not replay a log, and close."""
        connection = self.instance.duck_conn
        for name in self.databases():
            connection.execute(f'CHECKPOINT "{name}"')
        connection.close()
        shutil.rmtree(LOCAL_BUCKET_PATH, ignore_errors=True)  # fakesnow makes it on import, and leaves it
