"""What the local Airflow reads from its API and does to its metadata database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy

from local.airflow_home import SCHEDULER, WORKER, AirflowClient, AirflowHome
from local.processes import Supervisor

AIRFLOWS_OWN_LIMIT = 100  # [api] maximum_page_limit: a larger page is cut to it without a word


class NothingStarts(Supervisor):
    """Takes what would be started."""

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command = command
        self.environment = environment


@pytest.mark.parametrize("count", [0, 50, 108, 250])
def test_every_task_instance_of_a_pass_is_read_however_many_there_are(tmp_path: Path, count: int) -> None:
    instances = [{"task_id": "enrich", "map_index": number} for number in range(count)]

    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params.get("offset", 0))
        limit = min(int(request.url.params["limit"]), AIRFLOWS_OWN_LIMIT)
        return httpx.Response(200, json={"task_instances": instances[offset : offset + limit]})

    client = AirflowClient(AirflowHome(tmp_path, 1, {}))
    client._client = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(answer))
    assert client.task_instances("a pass") == instances


@pytest.fixture(params=["in the folder", "elsewhere"])
def home(request: Any, tmp_path: Path) -> AirflowHome:
    """Its database has two jobs of a killed launcher: one of a scheduler."""
    file = tmp_path / ("airflow.db" if request.param == "in the folder" else "elsewhere.db")
    url = f"sqlite:///{file}"
    with sqlalchemy.create_engine(url).begin() as database:
        database.execute(sqlalchemy.text("CREATE TABLE job (job_type TEXT, state TEXT)"))
        database.execute(
            sqlalchemy.text("INSERT INTO job VALUES ('SchedulerJob', 'running'), ('DagProcessorJob', 'running')")
        )
    return AirflowHome(tmp_path, 1, {}, database_url="" if request.param == "in the folder" else url)


def test_a_new_scheduler_takes_over_what_a_killed_one_left_whichever_database_it_is(home: AirflowHome) -> None:
    supervisor = NothingStarts(home.folder / "logs")
    home.start(supervisor, (SCHEDULER,))
    url = supervisor.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with sqlalchemy.create_engine(url).connect() as database:
        states = dict(database.execute(sqlalchemy.text("SELECT job_type, state FROM job")).tuples().all())
    assert states == {"SchedulerJob": "failed", "DagProcessorJob": "running"}


def test_a_celery_worker_serves_no_logs_to_the_network(tmp_path: Path) -> None:
    supervisor = NothingStarts(tmp_path / "logs")
    AirflowHome(tmp_path, 1, {}).start(supervisor, (f"{WORKER}-1",))
    assert supervisor.command[-5:] == ["celery", "worker", "--celery-hostname", f"{WORKER}-1", "--skip-serve-logs"]
