"""Imports the heavy modules of the enrichment in the scheduler, before LocalExecutor forks its workers."""

from __future__ import annotations

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin


class SchedulerStart:
    """Airflow calls it when a component starts: before the scheduler starts its executor, and in no task."""

    @hookimpl
    def on_starting(self, component: object) -> None:
        """Import what tasks need, where tasks are forked; elsewhere do nothing.

        :param component: a ``Job`` that has no type yet, so the command line says which component this is
        """
        from include.enrichment import preload

        if preload.is_scheduler() and preload.runs_local_tasks():
            preload.preload()


class FlakeBenchPreload(AirflowPlugin):
    """Registers the listener."""

    name = "flakebench_preload"
    listeners = [SchedulerStart()]  # noqa: RUF012 - as Airflow declares it
