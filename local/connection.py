"""How a client connects to the embedded Snowflake: ``.local/connection.json``."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.certificate import write_private

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

DEFAULT_FILE = Path(".local/connection.json")
DEFAULT_PORT = 19443


@dataclass(frozen=True)
class LocalConnection:
    """Everything a client needs; the names are those of the Snowflake connection parameters."""

    password: str
    ca_file: str
    port: int = DEFAULT_PORT
    host: str = "localhost"
    account: str = "embedded"
    user: str = "FLAKEBENCH"
    database: str = "FLAKEBENCH"
    schema: str = "TEST_RESULTS"
    warehouse: str = "FLAKEBENCH_WH"
    role: str = "FLAKEBENCH_ROLE"

    @classmethod
    def read(cls, file: Path = DEFAULT_FILE) -> LocalConnection:
        """Read what the running server wrote.

        :raises FileNotFoundError: the server is not running (it writes the file when ready, removes it when it stops)
        """
        return cls(**json.loads(file.read_text()))

    def write(self, file: Path) -> None:
        """Write the file, readable by its owner only because it holds the password."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, (json.dumps(asdict(self), indent=2) + "\n").encode())

    @property
    def url(self) -> str:
        """Base URL of ``/health``, ``/faults`` and ``/statements``."""
        return f"https://{self.host}:{self.port}"

    def connector_kwargs(self, **session_parameters: Any) -> dict[str, Any]:
        """Arguments of ``snowflake.connector.connect``.

        The process must also have ``REQUESTS_CA_BUNDLE`` set to :attr:`ca_file` before it connects.

        :param session_parameters: for example ``QUERY_TAG="x", STATEMENT_TIMEOUT_IN_SECONDS=5``
        """
        names = ("account", "user", "password", "host", "port", "database", "schema", "warehouse", "role")
        arguments = {name: getattr(self, name) for name in names}
        if session_parameters:
            arguments["session_parameters"] = session_parameters
        return arguments

    def connect(self) -> SnowflakeConnection:
        """A session in UTC; see :meth:`connector_kwargs`."""
        import snowflake.connector

        return snowflake.connector.connect(**self.connector_kwargs(TIMEZONE="UTC"))

    def environment(self) -> dict[str, str]:
        """Environment variables that make Airflow's ``snowflake_default`` this connection."""
        return {"AIRFLOW_CONN_SNOWFLAKE_DEFAULT": self.airflow_json(), "REQUESTS_CA_BUNDLE": self.ca_file}

    def airflow_json(self) -> str:
        """The Airflow connection; host and port count only as extras of a Snowflake connection."""
        names = ("account", "host", "port", "database", "warehouse", "role")
        return json.dumps(
            {
                "conn_type": "snowflake",
                "login": self.user,
                "password": self.password,
                "schema": self.schema,
                "extra": {name: getattr(self, name) for name in names},
            }
        )


def ensure_password(directory: Path) -> str:
    """The password of the one user: generated once, kept in the state directory with mode 600."""
    file = directory / "password"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        write_private(file, secrets.token_urlsafe(24).encode())
    return file.read_text().strip()
