"""Imports what every task needs once, in the process from which task processes are forked.

A task process of Airflow lives for one task. What its parent has imported it inherits, at no cost and in shared
memory; what the parent has not, each task imports again: a second of CPU for the Snowflake connector with pandas,
and for the operators. The parents are the scheduler where it runs tasks itself (LocalExecutor), and Celery's worker;
``plugins/flakebench_preload.py`` and ``plugins/flakebench_celery.py`` call :func:`preload` there, and nowhere else.

Only packages that a deployment installs are imported, never this project's own modules: those may be replaced while
the parent runs (git-sync, a mounted folder), and a DAG file must not meet an older ``include``.

Importing them is safe before a fork: none opens a socket or starts a Python thread. The native threads of numpy and
Arrow follow a fork by themselves.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from functools import cache
from importlib import import_module

MODULES = (
    "snowflake.connector",
    "airflow.providers.snowflake.hooks.snowflake",
    "airflow.providers.common.sql.operators.sql",
    "airflow.providers.common.sql.sensors.sql",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.lineage",
    "jinja2.ext",
    "jinja2.nativetypes",
    "pydantic_settings",
)
"""What the DAG files and ``include`` import, at the top or while a task runs."""

log = logging.getLogger(__name__)


@cache
def preload() -> float:
    """Import :data:`MODULES`, once per process and those that it forks.

    A module that cannot be imported is logged and left to the tasks: the parent runs other people's tasks too.

    :returns: seconds that it took
    """
    started = time.monotonic()
    for name in MODULES:
        try:
            import_module(name)
        except Exception:
            log.warning("%s cannot be imported before tasks are forked; each task imports it", name, exc_info=True)
    seconds = time.monotonic() - started
    log.info("Imported in %.1f s what enrichment tasks would each import", seconds)
    return seconds


def is_scheduler(command_line: Sequence[str] | None = None) -> bool:
    """Whether this process is ``airflow scheduler``.

    :param command_line: of the process; its own by default
    """
    return tuple((sys.argv if command_line is None else command_line)[1:2]) == ("scheduler",)


def runs_local_tasks() -> bool:
    """Whether the scheduler of this configuration forks task processes itself."""
    from airflow.executors.executor_loader import ExecutorLoader

    names = ExecutorLoader.get_executor_names()
    return any(ExecutorLoader.import_executor_cls(name)[0].is_local for name in names)
