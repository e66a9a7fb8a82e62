"""What the passes of a deployment did, by Airflow's REST API."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.deployment import Deployment


@dataclass(frozen=True)
class Pass:
    """A pass that enriched something.

    :param mapped: mapped tasks
    :param failed: ``task_id [map index]`` of each task instance that failed
    :param repeated: tries beyond the first, of all its task instances
    """

    dag_run_id: str
    started_at: datetime
    ended_at: datetime
    mapped: int
    failed: tuple[str, ...]
    repeated: int

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


def passes_of(deployment: Deployment, known: Collection[str] = ()) -> list[Pass]:
    """The passes that have ended and enriched something, the oldest first.

    :param known: ids of DAG runs to leave out
    """
    found = []
    for run in dag_runs(deployment):
        if run["dag_run_id"] in known or not run["end_date"]:
            continue
        instances = deployment.client.task_instances(run["dag_run_id"])
        mapped = sum(item["task_id"] == "enrich" and item["map_index"] >= 0 for item in instances)
        if not mapped:
            continue
        found.append(
            Pass(
                dag_run_id=run["dag_run_id"],
                started_at=datetime.fromisoformat(run["start_date"]),
                ended_at=datetime.fromisoformat(run["end_date"]),
                mapped=mapped,
                failed=tuple(
                    f"{item['task_id']} [{item['map_index']}]" for item in instances if item["state"] == "failed"
                ),
                repeated=sum(max(0, item["try_number"] - 1) for item in instances),
            )
        )
    return sorted(found, key=lambda item: item.started_at)


def dag_runs(deployment: Deployment) -> list[dict[str, Any]]:
    """Every DAG run of the enrichment DAG, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = deployment.client.dag_runs(offset=len(found))
        found += page
        if len(page) < deployment.client.PAGE:
            return found
