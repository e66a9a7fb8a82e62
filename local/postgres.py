"""A private PostgreSQL cluster for Airflow's metadata database: as a deployment has it, gone when it is over."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.airflow_home import HOST, free_port
from local.certificate import write_private
from local.processes import Supervisor

DATABASE = "airflow"
PROCESS = "postgres"
INSTALL = "apt-get install postgresql"
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    # nothing of it outlives the process, so nothing need survive a power cut
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class PostgresMissingError(Exception):
    """PostgreSQL's server programs are not installed, or nobody may run them."""


@contextmanager
def cluster(log_folder: Path) -> Iterator[tuple[str, Supervisor]]:
    """Create a cluster, start it, and remove it at the end.

    It listens on a free port of the loopback, with a password, and on no socket. PostgreSQL refuses to run as root:
    then it runs as the user ``postgres``, or ``nobody``.

    :param log_folder: where its log goes
    :returns: the URL of an empty database, and what runs the server
    :raises PostgresMissingError: naming the command that installs it
    :raises TimeoutError: it does not answer in time
    """
    programs = find_programs()
    account = _account()
    supervisor = Supervisor(log_folder)
    password = secrets.token_urlsafe(24)
    port = free_port()
    # not in the caller's folder: that may be open to the caller alone, and the server runs as somebody else
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        data = Path(folder) / "data"
        password_file = Path(folder) / "password"
        write_private(password_file, password.encode())
        if account:
            for path in (folder, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        _create(programs, data, password_file, account)
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        try:
            supervisor.start(PROCESS, [*_as(account), *command], _environment())
            yield _wait_until_ready(supervisor, port, password), supervisor
        finally:
            _stop(programs, data, account)
            supervisor.stop()


def find_programs() -> Path:
    """The folder of PostgreSQL's server programs, which Debian keeps off the PATH; of the newest version.

    :raises PostgresMissingError: there is none
    """
    versions = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise PostgresMissingError(f"PostgreSQL is needed: {INSTALL}")


def _account() -> pwd.struct_passwd | None:
    """Who runs the server when root may not; None: whoever runs this."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissingError(f"PostgreSQL does not run as root, and there is no user postgres: {INSTALL}")


def _as(account: pwd.struct_passwd | None) -> list[str]:
    """What a command line begins with, to run as somebody else in the same process."""
    if account is None:
        return []
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and the like belong to another cluster
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _create(programs: Path, data: Path, password_file: Path, account: pwd.struct_passwd | None) -> None:
    command = [str(programs / "initdb"), "--pgdata", str(data), "--username", DATABASE, "--encoding", "UTF8"]
    command += ["--auth", "scram-sha-256", "--pwfile", str(password_file), "--no-sync"]
    completed = subprocess.run(
        [*_as(account), *command], env=_environment(), cwd="/", capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise RuntimeError(f"initdb failed:\n{completed.stdout[-1000:]}{completed.stderr[-1000:]}")


def _wait_until_ready(supervisor: Supervisor, port: int, password: str) -> str:
    """Create the database as soon as the server answers; returns its URL."""
    import psycopg2

    deadline = time.monotonic() + _START_SECONDS
    while True:
        supervisor.check()
        try:
            session = psycopg2.connect(host=HOST, port=port, user=DATABASE, password=password, dbname="postgres")
            break
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL does not answer after {_START_SECONDS:.0f} seconds: {error}") from error
            time.sleep(0.1)
    try:
        session.autocommit = True  # CREATE DATABASE runs in no transaction
        with session.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        session.close()
    return f"postgresql+psycopg2://{DATABASE}:{password}@{HOST}:{port}/{DATABASE}"


def _stop(programs: Path, data: Path, account: pwd.struct_passwd | None) -> None:
    """Stop at once: a TERM would wait for every client, and its own processes are in sessions of their own."""
    command = [str(programs / "pg_ctl"), "stop", "--pgdata", str(data), "--mode", "fast", "--silent"]
    subprocess.run([*_as(account), *command], env=_environment(), cwd="/", capture_output=True, check=False)
