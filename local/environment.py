"""The environment in which a process of this machine reaches Snowflake; shared by the launcher and the shell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.connection import LocalConnection

PROJECT = Path(__file__).resolve().parents[1]
STATE = PROJECT / ".local"
QUIET = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
LOGIN = ("CONN_ID", "WAREHOUSE", "ROLE")
"""The settings of the package that a login needs, without their prefix."""
_VARIABLE = "AIRFLOW_VAR_"


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


@contextmanager
def only_settings(environment: Mapping[str, str], *, keep: Iterable[str] = ()) -> Iterator[None]:
    """Let this process, and what it starts, have no settings of the package but some, until the end.

    Somebody may have set others for a deployment of theirs, as ``FLAKEBENCH_ENRICHMENT_...``, as Airflow Variables
    (``AIRFLOW_VAR_...``, which come first) or in the configuration file of another Airflow, by a secrets backend.

    :param environment: what is set
    :param keep: settings that stay as they are, without their prefix
    """
    from include.enrichment.settings import PREFIX

    kept = {f"{kind}{PREFIX}{name}" for kind in ("", _VARIABLE) for name in keep}
    before = dict(os.environ)
    for name in before:
        # pydantic takes a setting in lower case as well
        if name.upper().removeprefix(_VARIABLE).startswith(PREFIX) and name not in kept:
            del os.environ[name]
    os.environ.pop("AIRFLOW_CONFIG", None)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
