"""Loaded by the local scheduler only, when it configures itself: imports what every enrichment task needs.

The executor forks its workers and they fork their tasks, so that none of them imports it again: half a second of
CPU per task.
"""

from __future__ import annotations

from importlib import import_module

__all__: list[str] = []

for _module in (
    "airflow.providers.common.sql.operators.sql",
    "airflow.providers.snowflake.hooks.snowflake",
    "snowflake.connector",
):
    import_module(_module)
