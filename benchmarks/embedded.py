"""An embedded Snowflake of a benchmark's own, without Airflow beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.enrichment.settings import Settings
from local.connection import LocalConnection
from local.deployment import start_snowflake
from local.processes import Supervisor

CONN_ID = "snowflake_default"


@dataclass(frozen=True)
class EmbeddedSnowflake:
    """A running server.

    :param pid: of its process
    """

    connection: LocalConnection
    pid: int


@contextmanager
def embedded(folder: Path) -> Iterator[EmbeddedSnowflake]:
    """Start one with the migrations applied; meanwhile it is the connection :data:`CONN_ID`.

    :param folder: of its databases and its log
    """
    from include.enrichment.migrations import migrate
    from include.enrichment.snowflake import open_hook

    supervisor = Supervisor(folder / "logs")
    before = dict(os.environ)
    try:
        connection = start_snowflake(supervisor, folder)
        os.environ.update(connection.environment())
        migrate(open_hook(CONN_ID, Settings()), Settings())
        yield EmbeddedSnowflake(connection, supervisor.running["snowflake"].pid)
    finally:
        supervisor.stop()
        os.environ.clear()
        os.environ.update(before)
