"""Where the logs of tries are in Airflow's UI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from enrichment_view.answers import answers
from enrichment_view.security import PASS_DAG_ID
from include.enrichment.page.history import History, TaskLog


def log_paths(found: History) -> tuple[str | None, ...]:
    """The page of each try's task instance below Airflow's root; that of the mapped task where it cannot be told which.

    :returns: in the order of the tries; None: nobody claimed it
    """
    dag_runs = {item.log.dag_run_id for item in found.attempts if item.log and item.log.dag_id == PASS_DAG_ID}
    claims = answers(PASS_DAG_ID, dag_runs)
    return tuple(
        _path(item.log, _map_index(claims.get(item.log.dag_run_id) or (), found.run_id, item.enrichment_type))
        if item.log
        else None
        for item in found.attempts
    )


def _path(log: TaskLog, map_index: int | None) -> str:
    parts = ("dags", log.dag_id, "runs", log.dag_run_id, "tasks", log.task_id, "mapped")
    path = "".join(f"/{quote(part, safe='')}" for part in parts)
    if map_index is None:
        return path
    return f"{path}/{map_index}?try_number={log.try_number}" if log.try_number else f"{path}/{map_index}"


def _map_index(claimed: Iterable[dict[str, Any]], run_id: str, enrichment_type: str) -> int | None:
    """The mapped task is expanded over what was claimed: the place in it is the map index."""
    wanted = (run_id, enrichment_type)
    return next(
        (place for place, item in enumerate(claimed) if (item.get("run_id"), item.get("enrichment_type")) == wanted),
        None,
    )
