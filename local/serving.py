"""Run the embedded Snowflake in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from local.application import SnowflakeApplication
from local.certificate import Certificate, ensure_certificate
from local.connection import LocalConnection, ensure_password
from local.storage import Storage

_SHUTDOWN_SECONDS = 2


class Server(uvicorn.Server):
    """uvicorn, ending with status 0 after SIGTERM; uvicorn itself would raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on the first SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def serve(listener: socket.socket, state: Path, connection_file: Path, idle_limit_seconds: float) -> None:
    """Open the databases, serve them, checkpoint them.

    :param listener: bound to a loopback port
    :param connection_file: written when ready, removed at the end
    :param idle_limit_seconds: see :class:`local.write_lock.WriteLock`
    :raises duckdb.IOException: another process has the databases open
    """
    # fakesnow reads results by DuckDB's older call, which warns about a copy.
    warnings.filterwarnings("ignore", category=UserWarning, module="fakesnow")
    storage = Storage(state)
    # Left by a server that was killed; only now, because the databases admit one server at a time.
    connection_file.unlink(missing_ok=True)
    certificate = ensure_certificate(state / "tls")
    port = listener.getsockname()[1]
    connection = LocalConnection(password=ensure_password(state), ca_file=str(certificate.ca_file), port=port)
    application = SnowflakeApplication(storage, connection.user, connection.password, idle_limit_seconds)
    asyncio.run(_serve(application, listener, certificate, connection, connection_file))


async def _serve(
    application: SnowflakeApplication,
    listener: socket.socket,
    certificate: Certificate,
    connection: LocalConnection,
    connection_file: Path,
) -> None:
    server = Server(
        uvicorn.Config(
            application.routes(),
            ssl_certfile=str(certificate.chain_file),
            ssl_keyfile=str(certificate.key_file),
            log_level="warning",
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            # Longer than a client keeps a connection in its pool, so that it never writes to a closed one.
            timeout_keep_alive=120,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        if server.started:
            connection.write(connection_file)
            print(f"Embedded Snowflake ready on {connection.url}, connection in {connection_file}", flush=True)
        await serving
    finally:
        connection_file.unlink(missing_ok=True)
