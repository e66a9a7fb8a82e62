"""The environment in which a process of this machine reaches Snowflake; shared by the launcher and the shell."""

from __future__ import annotations

from pathlib import Path

from local.connection import LocalConnection

PROJECT = Path(__file__).resolve().parents[1]
STATE = PROJECT / ".local"
QUIET = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}


def conn_id() -> str:
    """The Airflow connection of the package; to be asked after ``.env`` was loaded."""
    from include.enrichment.settings import ParseSettings

    return ParseSettings().conn_id


def connection_variable() -> str:
    """The environment variable that holds the connection."""
    return f"AIRFLOW_CONN_{conn_id().upper()}"


def embedded_environment(connection: LocalConnection) -> dict[str, str]:
    """Makes the embedded Snowflake the package's connection, whatever that is called."""
    return {**connection.environment(), connection_variable(): connection.airflow_json()}
