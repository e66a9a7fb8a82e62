"""Serve the embedded Snowflake: ``python -m local.server --port 19443 --state .local/snowflake``.

It binds 127.0.0.1 only. When it is ready it writes ``connection.json`` beside the state directory and removes it
when it stops (SIGTERM or SIGINT, after a checkpoint of every database).
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from pathlib import Path

import duckdb

from local.connection import DEFAULT_PORT

ADDRESS = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    :return: 0 after a clean stop, 1 when the port is taken or another server uses the state directory
    """
    parser = argparse.ArgumentParser(prog="python -m local.server", description="The embedded Snowflake.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--state", type=Path, default=Path(".local/snowflake"), help="directory of the databases")
    parser.add_argument(
        "--connection-file", type=Path, help="what clients read; default: connection.json beside the state directory"
    )
    parser.add_argument(
        "--idle-limit", type=float, default=10.0, help="seconds until an idle transaction yields its lock to a waiter"
    )
    options = parser.parse_args(arguments)
    state: Path = options.state.resolve()
    connection_file: Path = options.connection_file or state.parent / "connection.json"
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        listener = _listen(options.port)
    except OSError as error:
        print(f"Port {options.port} of {ADDRESS} is taken: {error.strerror}. Choose another --port.", file=sys.stderr)
        return 1
    # The connector imports pandas when it is there, which the server never uses: a second of every start.
    sys.modules["pandas"] = None  # type: ignore[assignment]
    from local.serving import serve

    del sys.modules["pandas"]
    try:
        serve(listener, state, connection_file, options.idle_limit)
    except duckdb.IOException as error:
        print(f"The databases in {options.state} cannot be opened: {error}", file=sys.stderr)
        return 1
    return 0


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it; without it each reply waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((ADDRESS, port))
    return listener


if __name__ == "__main__":
    sys.exit(main())
