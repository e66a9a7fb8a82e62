"""A private Redis for Celery's messages: on the loopback, with a password, gone when it is over."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.airflow_home import HOST, free_port
from local.certificate import write_private
from local.processes import Supervisor

PROCESS = "redis"
INSTALL = "apt-get install redis-server"
_PROGRAM = "redis-server"
_START_SECONDS = 30.0


class RedisMissingError(Exception):
    """Redis's server program is not installed."""


@contextmanager
def server(log_folder: Path) -> Iterator[tuple[str, Supervisor]]:
    """Start a server that keeps nothing on disk, and stop it at the end.

    :param log_folder: where its log goes
    :returns: the URL of its first database, and what runs the server
    :raises RedisMissingError: naming the command that installs it
    :raises TimeoutError: it does not answer in time
    """
    program = find_program()
    supervisor = Supervisor(log_folder)
    password = secrets.token_urlsafe(24)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        # in a file of its own: everybody may read a command line
        configuration = Path(folder) / "redis.conf"
        write_private(configuration, _configuration(Path(folder), port, password).encode())
        try:
            supervisor.start(PROCESS, [str(program), str(configuration)], os.environ)
            url = f"redis://:{password}@{HOST}:{port}/0"
            _wait_until_ready(supervisor, url)
            yield url, supervisor
        finally:
            supervisor.stop()


def find_program() -> Path:
    """Redis's server program.

    :raises RedisMissingError: there is none
    """
    if found := shutil.which(_PROGRAM):
        return Path(found)
    raise RedisMissingError(f"Redis is needed: {INSTALL}")


def _configuration(folder: Path, port: int, password: str) -> str:
    settings = {
        "bind": HOST,
        "port": str(port),
        "requirepass": password,
        "dir": str(folder),
        # its messages need not outlive the process
        "save": '""',
        "appendonly": "no",
        "daemonize": "no",
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _wait_until_ready(supervisor: Supervisor, url: str) -> None:
    import redis

    deadline = time.monotonic() + _START_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            supervisor.check()
            try:
                client.ping()
                return
            except redis.ConnectionError as error:  # also while it loads
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Redis does not answer after {_START_SECONDS:.0f} seconds: {error}") from error
                time.sleep(0.1)
