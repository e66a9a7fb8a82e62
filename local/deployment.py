"""A whole deployment: a real Airflow on this machine, and the embedded Snowflake or a database of a real account."""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from local.airflow_home import DAG_ID, SCHEDULER, AirflowClient, AirflowHome, free_port
from local.connection import LocalConnection
from local.environment import LOGIN, PROJECT, conn_id, only_settings
from local.live import ScratchDatabase
from local.processes import Supervisor
from local.sample_account import Account, build_account, load_sample_account, write_account

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from include.enrichment.settings import Settings

PATIENCE_SECONDS = 240.0
_START_SECONDS = 60.0


@dataclass
class Deployment:
    """A running deployment and the ways to look at it.

    :param connection: to the embedded Snowflake, or the scratch database of a real account
    """

    supervisor: Supervisor
    connection: LocalConnection | ScratchDatabase
    home: AirflowHome
    client: AirflowClient
    account: Account
    loaded_at: datetime
    first_pass: str = ""
    _session: Any = field(default=None, repr=False)

    def rows(self, sql: str, **binds: Any) -> list[dict[str, Any]]:
        """The rows of a query, on one session for all."""
        import snowflake.connector

        if self._session is None:
            self._session = self.connect()
        cursor = self._session.cursor(snowflake.connector.DictCursor)
        cursor.execute(sql, binds or None)
        return list(cursor.fetchall())

    def connect(self) -> SnowflakeConnection:
        """A session of its own."""
        return self.connection.connect()

    @property
    def settings(self) -> Settings:
        """The settings of its tasks, but for Variables in Airflow's database."""
        from include.enrichment.settings import of_shell

        return of_shell()

    @property
    def embedded(self) -> LocalConnection:
        """The embedded Snowflake.

        :raises TypeError: it runs on a real account, which has nothing of what is wanted
        """
        if not isinstance(self.connection, LocalConnection):
            raise TypeError("only the embedded Snowflake can do that")
        return self.connection

    def write(self, account: Account) -> None:
        """Let the runs of an account end."""
        with closing(self.connect()) as session:
            write_account(session, account, _sample_database(self.connection))

    def close(self) -> None:
        """Log out."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def restart_snowflake(self) -> None:
        """SIGKILL the embedded Snowflake, and start it again on its port with what it had committed."""
        self.close()
        self.supervisor.kill("snowflake")
        folder = self.home.folder.parent
        start_snowflake(self.supervisor, folder, self.embedded.port)

    def kill_scheduler(self, *, with_tasks: bool) -> None:
        """SIGKILL the scheduler, and start another.

        :param with_tasks: and all tasks, as when the machine goes down; otherwise those that run go on without it
        """
        self.supervisor.kill(SCHEDULER, with_children=with_tasks)
        self.home.start(self.supervisor, (SCHEDULER,))

    def run_dag(self, dag_id: str, **conf: Any) -> tuple[str, str]:
        """Trigger a DAG by REST, as a person would, and wait for its end: its id and its state."""
        dag_run_id = self.client.trigger(dag_id, conf)
        return dag_run_id, self.client.wait_for_run(dag_run_id, self.supervisor, PATIENCE_SECONDS, dag_id)

    def run_pass(self) -> tuple[str, str]:
        """Trigger a pass and wait for its end: its id and its state."""
        return self.run_dag(DAG_ID)

    def wait_until_quiet(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until no pass runs or waits.

        :raises TimeoutError: it takes longer
        """
        self.wait(
            lambda: all(run["state"] not in {"running", "queued"} for run in self.client.dag_runs()), patience_seconds
        )

    def wait(self, condition: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a condition.

        :raises TimeoutError: it did not come true in time
        """
        deadline = time.monotonic() + patience_seconds
        while not condition():
            self.supervisor.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the condition did not come true in {patience_seconds:.0f} seconds")
            time.sleep(0.3)

    def instances(self, dag_run_id: str, task_id: str, dag_id: str = DAG_ID) -> list[dict[str, Any]]:
        """The task instances of one task of a DAG run."""
        return [item for item in self.client.task_instances(dag_run_id, dag_id) if item["task_id"] == task_id]

    def states(self, dag_run_id: str, dag_id: str = DAG_ID) -> dict[str, set[str]]:
        """Task id to the states of its instances."""
        states: dict[str, set[str]] = {}
        for item in self.client.task_instances(dag_run_id, dag_id):
            states.setdefault(item["task_id"], set()).add(item["state"])
        return states

    def answer(self, dag_id: str, dag_run_id: str, task_id: str) -> Any:
        """What a task returned (its XCom)."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.client.request("GET", path)["value"]

    def log(self, dag_run_id: str, task_id: str, map_index: int = -1, try_number: int = 1, dag_id: str = DAG_ID) -> str:
        """The log of one try, as the UI shows it."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs/{try_number}"
        reply = self.client.request("GET", path, params={"map_index": map_index, "full_content": True})
        return str(reply)

    def clear(self, dag_run_id: str, task: str | list[Any], *, downstream: bool) -> None:
        """Clear a task instance as a person would by REST, and wait until the run has ended again."""
        body = {
            "dag_run_id": dag_run_id,
            "task_ids": [task],
            "dry_run": False,
            "only_failed": False,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        self.client.request("POST", f"/api/v2/dags/{DAG_ID}/clearTaskInstances", json=body)
        self.client.wait_for_run(dag_run_id, self.supervisor, PATIENCE_SECONDS)

    def requeue(self, run_name: str, *types: str) -> None:
        """Make tasks of a run due again, as if they had never been tried."""
        self.rows(
            "UPDATE DELAYED_ENRICHMENT_TASKS SET STATUS = 'PENDING', ATTEMPTS = 0, SNOOZES = 0, REASON_CODE = NULL, "
            "LAST_ERROR = NULL, CLAIM_TOKEN = NULL, COMPLETED_AT = NULL, UPDATED_AT = SYSDATE(), "
            "DUE_AT = DATEADD('minute', -1, SYSDATE()) "
            "WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE IN (%(types)s)",
            run_id=self.account.run(run_name).run_id,
            types=list(types),
        )

    def task(self, run_name: str, enrichment_type: str) -> dict[str, Any]:
        """The task row of a run."""
        (row,) = self.rows(
            "SELECT * FROM DELAYED_ENRICHMENT_TASKS WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(name)s",
            run_id=self.account.run(run_name).run_id,
            name=enrichment_type,
        )
        return row

    def job(self, run_name: str) -> dict[str, Any]:
        """The job of a run."""
        (row,) = self.rows(
            "SELECT * FROM DELAYED_ENRICHMENT_QUEUE WHERE RUN_ID = %(run_id)s",
            run_id=self.account.run(run_name).run_id,
        )
        return row

    def server(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the embedded server's own endpoints (faults, statements)."""
        context = ssl.create_default_context(cafile=self.embedded.ca_file)
        with httpx.Client(base_url=self.embedded.url, verify=context, trust_env=False) as client:
            reply = client.request(method, path, auth=("", self.embedded.password), **arguments)
            reply.raise_for_status()
            return reply.json() if reply.content else None


@contextmanager
def deploy(
    folder: Path,
    groups: tuple[str, ...] = (),
    scratch: ScratchDatabase | None = None,
    /,
    *,
    database_url: str = "",
    **environment: str,
) -> Iterator[Deployment]:
    """Start everything in a folder, and stop it at the end.

    It has the settings that it is given; of those in this process's environment only what a real account's login needs.

    :param groups: of sample runs to load
    :param scratch: of a real account; None starts an embedded Snowflake
    :param database_url: of Airflow's metadata database; empty for SQLite
    :param environment: of the Airflow processes, on top
    """
    from include.enrichment.migrations import migrate
    from include.enrichment.settings import of_shell
    from include.enrichment.snowflake import open_hook

    supervisor = Supervisor(folder / "logs")
    try:
        connection = scratch or start_snowflake(supervisor, folder)
        with only_settings(connection.environment(), keep=LOGIN if scratch else ()):
            settings = of_shell()
            hook = open_hook(conn_id(), settings)
            migrate(hook, settings)
            loaded_at = datetime.now(UTC)
            if groups:
                with closing(hook.get_conn()) as session:
                    load_sample_account(session, loaded_at, include=groups, database=_sample_database(connection))
            variables = {**connection.environment(), **environment}
            home = AirflowHome(folder / "airflow", free_port(), variables, database_url=database_url)
            account = build_account(loaded_at, include=groups)
            with closing(_start_airflow(home, supervisor, connection, account, loaded_at)) as running:
                yield running
    finally:
        supervisor.stop()


@contextmanager
def second_airflow(deployment: Deployment, folder: Path, **environment: str) -> Iterator[Deployment]:
    """Start another Airflow, with a metadata database of its own, on the Snowflake of a deployment.

    :param folder: another one than the deployment's
    :param environment: of the Airflow processes, on top
    """
    supervisor = Supervisor(folder / "logs")
    connection = deployment.connection
    home = AirflowHome(folder / "airflow", free_port(), {**connection.environment(), **environment})
    try:
        with closing(_start_airflow(home, supervisor, connection, deployment.account, deployment.loaded_at)) as running:
            yield running
    finally:
        supervisor.stop()


def _sample_database(connection: LocalConnection | ScratchDatabase) -> str | None:
    return connection.name if isinstance(connection, ScratchDatabase) else None


def _start_airflow(
    home: AirflowHome,
    supervisor: Supervisor,
    connection: LocalConnection | ScratchDatabase,
    account: Account,
    loaded_at: datetime,
) -> Deployment:
    home.migrate_database()
    home.start(supervisor)
    client = AirflowClient(home)
    client.wait_until_ready(supervisor)
    return Deployment(supervisor, connection, home, client, account, loaded_at)


def start_snowflake(supervisor: Supervisor, folder: Path, port: int = 0) -> LocalConnection:
    """Start the embedded Snowflake with its state in a folder.

    :param port: 0 takes a free one
    :raises TimeoutError: it is not ready in time
    """
    file = folder / "connection.json"
    file.unlink(missing_ok=True)  # of a server that was killed
    command = [sys.executable, "-m", "local.server", "--port", str(port), "--state", str(folder / "snowflake")]
    supervisor.start("snowflake", command, {**os.environ, "PYTHONPATH": str(PROJECT)})
    deadline = time.monotonic() + _START_SECONDS
    while not file.exists():
        supervisor.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"The embedded Snowflake is not ready after {_START_SECONDS:.0f} seconds")
        time.sleep(0.1)
    return LocalConnection.read(file)
