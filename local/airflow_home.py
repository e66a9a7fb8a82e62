"""A real Airflow of one machine: its configuration, its processes and its REST API."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local.certificate import write_private
from local.processes import Supervisor

PROJECT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
USER = "admin"
DAG_ID = "delayed_enrichment"
DAG_IDS = {file.stem for file in (PROJECT / "dags").glob("*.py")}
POOL = "snowflake_enrichment"
POOL_SLOTS = 8
_START_SECONDS = 120.0
_REPLY_SECONDS = 90.0  # longer than a call waits for SQLite's only writer
WITHOUT_SCHEDULER = ("api-server", "execution-api", "dag-processor")
SCHEDULER = "scheduler"
WORKER = "celery-worker"
"""What the name of each Celery worker begins with: ``celery-worker-1``."""


class PortTakenError(Exception):
    """Somebody else listens on the port."""


def require_free(port: int, setting: str) -> None:
    """Make sure that a port can be bound.

    :raises PortTakenError: naming the setting to change
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTakenError(f"Port {port} of {HOST} is taken. Set {setting} to a free one in .env.") from error


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class AirflowHome:
    """An Airflow home with everything in it, and what to start.

    :param folder: AIRFLOW_HOME; created
    :param port: of the API server, which serves the UI too
    :param extra: environment variables on top, the Snowflake connection among them
    :param execution_port: of the API that running tasks report to
    :param database_url: of the metadata database, as SQLAlchemy writes it; empty for a SQLite file in the folder
    """

    folder: Path
    port: int
    extra: dict[str, str]
    execution_port: int = field(default_factory=free_port)
    database_url: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def password(self) -> str:
        """The password of ``admin``, made once."""
        return str(json.loads(self._passwords_file().read_text())[USER])

    def _passwords_file(self) -> Path:
        file = self.folder / "passwords.json"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_private(file, json.dumps({USER: secrets.token_urlsafe(12)}).encode())
        return file

    def _secret(self, name: str, length: int = 48) -> str:
        file = self.folder / f"{name}.secret"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_private(file, secrets.token_urlsafe(length).encode())
        return file.read_text()

    def _fernet_key(self) -> str:
        return base64.urlsafe_b64encode(self._secret("fernet").encode()[:32]).decode()

    def environment(self) -> dict[str, str]:
        """Environment of every Airflow process."""
        # a deployment elsewhere on this machine must not leak into this one
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        return {
            **inherited,
            "AIRFLOW_HOME": str(self.folder),
            "PYTHONPATH": str(PROJECT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', '')}",
            **{name: _without_proxy(inherited.get(name)) for name in ("NO_PROXY", "no_proxy")},
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": self._fernet_key(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{self.execution_port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_file()),
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": self._secret("api"),
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret("jwt"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database_url(),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            **self.extra,
        }

    def migrate_database(self) -> None:
        """Create or upgrade the metadata database; skipped when this Airflow has done so before."""
        import importlib.metadata

        stamp = self.folder / "database-version"
        version = importlib.metadata.version("apache-airflow-core")
        is_file = not self.database_url  # only a file is known to be the one that the stamp was written for
        if is_file and stamp.exists() and stamp.read_text() == version and self._database().exists():
            return
        completed = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode:
            raise RuntimeError(f"airflow db migrate failed:\n{completed.stdout[-2000:]}{completed.stderr[-2000:]}")
        stamp.write_text(version)

    def start(self, supervisor: Supervisor, components: tuple[str, ...] = (*WITHOUT_SCHEDULER, SCHEDULER)) -> None:
        """Start components of Airflow; all of them by default."""
        environment = self.environment()
        for component in components:
            command = [sys.executable, "-m", "airflow", *self._arguments(component)]
            if component == SCHEDULER:
                self._release_orphans()
            supervisor.start(component, command, environment)

    def _arguments(self, component: str) -> list[str]:
        """The command line of a component.

        Tasks have an API server of their own: in a shared one, a call that is written to the audit log blocks the event
        loop until it may write to SQLite, and the writer may be a task's call, which needs the event loop to commit.
        """
        if component == SCHEDULER:
            return [component, "--skip-serve-logs"]  # the log server would listen on every interface
        if component == "api-server":
            return [component, "--apps", "core"]
        if component == "execution-api":
            return ["api-server", "--apps", "execution", "--port", str(self.execution_port)]
        if component.startswith(WORKER):
            return ["celery", "worker", "--celery-hostname", component, "--skip-serve-logs"]
        return [component]

    def _release_orphans(self) -> None:
        """Let the new scheduler take over at once what a killed one left running.

        It does so for jobs that are not running any more; of a killed one it would learn by its missing heartbeat,
        and its tasks would stay "running", and the next pass wait, for five minutes.
        """
        from sqlalchemy import create_engine, text

        engine = create_engine(self._database_url())
        try:
            with engine.begin() as database:
                database.execute(
                    text("UPDATE job SET state = 'failed' WHERE state = 'running' AND job_type = 'SchedulerJob'")
                )
        finally:
            engine.dispose()

    def _database_url(self) -> str:
        # SQLite has one writer at a time: the others wait, by default only 5 s
        return self.database_url or f"sqlite:///{self._database()}?timeout=60"

    def _database(self) -> Path:
        return self.folder / "airflow.db"


def _without_proxy(hosts: str | None) -> str:
    return ",".join(filter(None, [hosts, HOST, "localhost"]))


class AirflowClient:
    """The REST API of a running Airflow, as its user ``admin``."""

    PAGE = 50

    def __init__(self, home: AirflowHome) -> None:
        self._home = home
        self._client = httpx.Client(base_url=home.url, timeout=_REPLY_SECONDS, trust_env=False)

    def wait_until_ready(self, supervisor: Supervisor) -> None:
        """Wait until the API answers, log in, create the pool, and wait until the DAGs are known.

        :raises TimeoutError: it takes longer than two minutes
        :raises ProcessFailedError: a component ended
        """
        self._wait(supervisor, "the API server", self._log_in)
        self._wait(supervisor, f"the pool {POOL}", self._has_pool)
        self._wait(supervisor, "a DAG", self._knows_dags)

    def _wait(self, supervisor: Supervisor, what: str, condition: Any) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            supervisor.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} is not there after {_START_SECONDS:.0f} seconds")
            time.sleep(0.2)

    def _log_in(self) -> bool:
        try:
            reply = self._client.post("/auth/token", json={"username": USER, "password": self._home.password()})
        except httpx.TransportError:
            return False
        if reply.status_code != httpx.codes.CREATED:
            return False
        self._client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return True

    def _has_pool(self) -> bool:
        reply = self._client.post("/api/v2/pools", json={"name": POOL, "slots": POOL_SLOTS})
        return reply.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}

    def _knows_dags(self) -> bool:
        known = {dag["dag_id"] for dag in self.request("GET", "/api/v2/dags", params={"limit": 100})["dags"]}
        if known >= DAG_IDS:
            return True
        errors = self.request("GET", "/api/v2/importErrors")["import_errors"]
        if errors:
            raise RuntimeError(f"{errors[0]['filename']} cannot be imported:\n{errors[0]['stack_trace']}")
        return False

    def request(self, method: str, path: str, *, accept: tuple[int, ...] = (200, 201), **arguments: Any) -> Any:
        """Call the API.

        :returns: the decoded body
        :raises RuntimeError: on any other status than those accepted
        """
        reply = self._client.request(method, path, **arguments)
        if reply.status_code not in accept:
            raise RuntimeError(f"{method} {path} answered {reply.status_code}: {reply.text[:1000]}")
        return reply.json() if reply.content else None

    def trigger(self, dag_id: str = DAG_ID, conf: dict[str, Any] | None = None) -> str:
        """Start a DAG run now; returns its id."""
        body = {"logical_date": None, "conf": conf or {}}
        return str(self.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def pause(self, *, paused: bool, dag_id: str = DAG_ID) -> None:
        """Pause a DAG, or let it go on."""
        self.request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def dag_runs(self, dag_id: str = DAG_ID, offset: int = 0) -> list[dict[str, Any]]:
        """The newest DAG runs, newest first, :attr:`PAGE` of them."""
        page = {"order_by": "-run_after", "limit": self.PAGE, "offset": offset}
        reply = self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=page)
        return list(reply["dag_runs"])

    def task_instances(self, dag_run_id: str, dag_id: str = DAG_ID) -> list[dict[str, Any]]:
        """All task instances of a DAG run, mapped ones included."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:  # Airflow cuts a larger page to its own limit, which is below a full batch and the other tasks
            page = {"order_by": "id", "limit": self.PAGE, "offset": len(found)}
            reply = self.request("GET", path, params=page)["task_instances"]
            found += reply
            if len(reply) < self.PAGE:
                return found

    def wait_for_run(
        self, dag_run_id: str, supervisor: Supervisor, timeout_seconds: float = 300, dag_id: str = DAG_ID
    ) -> str:
        """Wait until a DAG run has ended; returns its state."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            state = self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}")["state"]
            if state in {"success", "failed"}:
                return str(state)
            supervisor.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_run_id} is still {state} after {timeout_seconds:.0f} seconds")
            time.sleep(0.5)
