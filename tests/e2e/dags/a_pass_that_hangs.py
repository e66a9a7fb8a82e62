"""A DAG with the deadline of a pass, two seconds long, and a task that does not end by itself."""

from __future__ import annotations

import time
from datetime import datetime

from airflow.sdk import dag, task

from include.enrichment.deadline import pass_deadline
from include.enrichment.settings import ParseSettings

SETTINGS = ParseSettings.model_construct(deadline_minutes=2 / 60)


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, deadline=pass_deadline(SETTINGS))
def a_pass_that_hangs() -> None:
    """Wire it."""

    @task
    def hang() -> None:
        time.sleep(600)  # until it is stopped

    hang()


a_pass_that_hangs()
