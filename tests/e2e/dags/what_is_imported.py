"""Says what the process that parses this file had imported before."""

from __future__ import annotations

import sys
from datetime import datetime

INHERITED = "snowflake.connector" in sys.modules

from airflow.sdk import dag, task  # noqa: E402 - it must not be what imports the connector


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, description=f"inherited: {INHERITED}")
def what_is_imported() -> None:
    """Wire it."""

    @task
    def is_inherited() -> bool:
        return INHERITED

    is_inherited()


what_is_imported()
