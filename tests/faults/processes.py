"""The process behind a statement, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from local.deployment import Deployment

PATIENCE_SECONDS = 120.0


@contextmanager
def holding(deployment: Deployment, *faults: dict[str, Any]) -> Iterator[None]:
    """Hold statements back (see ``local/faults.py``); at the end none is, and none will be."""
    deployment.server("PUT", "/faults", json=list(faults))
    try:
        yield
    finally:
        deployment.server("DELETE", "/faults")
        deployment.server("DELETE", "/held")


def wait_for_held(deployment: Deployment, count: int = 1) -> list[dict[str, Any]]:
    """Wait until at least so many statements are held; ``text``, ``hold_id`` and ``client_port`` of each."""
    deployment.wait(lambda: len(deployment.server("GET", "/held")) >= count, PATIENCE_SECONDS)
    return list(deployment.server("GET", "/held"))


def release(deployment: Deployment, held: dict[str, Any]) -> None:
    """Let a held statement go on."""
    deployment.server("DELETE", "/held", params={"id": held["hold_id"]})


def client_of(deployment: Deployment, held: dict[str, Any]) -> psutil.Process:
    """The process that sent a held statement.

    :raises LookupError: it is gone
    """
    for connection in psutil.net_connections("tcp"):
        is_client = connection.laddr.port == held["client_port"] and connection.raddr
        if is_client and connection.raddr.port == deployment.connection.port and connection.pid:
            return psutil.Process(connection.pid)
    raise LookupError(f"no process has the connection of {held['text'][:80]!r}")


def kill_client(deployment: Deployment, held: dict[str, Any]) -> None:
    """SIGKILL the process that sent a held statement, and let the statement go on without it.

    Its transaction is rolled back at once, which Snowflake does when it has been idle for five minutes.
    """
    process = client_of(deployment, held)
    process.kill()
    process.wait(10)
    release(deployment, held)
    deployment.server("DELETE", "/sessions", params={"id": held["session_id"]})
