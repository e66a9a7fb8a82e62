"""A DAG with the deadline of a pass, two seconds more than usual, and a task that does not end if asked so."""

from __future__ import annotations

import time
from datetime import datetime

from airflow.sdk import dag, task

from include.enrichment.deadline import pass_deadline
from include.enrichment.settings import ParseSettings

SETTINGS = ParseSettings.model_construct(deadline_minutes=2 / 60)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    deadline=pass_deadline(SETTINGS),
    params={"hangs": False},
)
def a_pass_that_hangs() -> None:
    """Wire it."""

    @task
    def hang(params: dict[str, bool]) -> None:
        time.sleep(600 if params["hangs"] else 0)  # until it is stopped

    hang()


a_pass_that_hangs()
