"""What the passes of a deployment did, by Airflow's REST API."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    :param claim: begin and end of claim_due_tasks
    :param enrichment: begin of the first mapped task, end of the last
    :param roll_up: begin and end of roll_up_jobs, after which its jobs are settled
    """

    dag_run_id: str
    started_at: datetime
    ended_at: datetime
    mapped: int
    failed: tuple[str, ...]
    repeated: int
    claim: Span
    enrichment: Span
    roll_up: Span

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def between(self) -> float:
        """Seconds from the claim to the roll-up in which the scheduler handed one on to the next."""
        working = self.claim.seconds + self.enrichment.seconds + self.roll_up.seconds
        return (self.roll_up.ended_at - self.claim.started_at).total_seconds() - working


@dataclass(frozen=True)
class Span:
    """The time from the begin of the first of some task instances to the end of the last."""

    started_at: datetime
    ended_at: datetime

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
        ended_at = datetime.fromisoformat(run["end_date"])
        found.append(
            Pass(
                dag_run_id=run["dag_run_id"],
                started_at=datetime.fromisoformat(run["start_date"]),
                ended_at=ended_at,
                mapped=mapped,
                failed=tuple(
                    f"{item['task_id']} [{item['map_index']}]" for item in instances if item["state"] == "failed"
                ),
                repeated=sum(max(0, item["try_number"] - 1) for item in instances),
                claim=_span(instances, "claim_due_tasks", ended_at),
                enrichment=_span(instances, "enrich", ended_at),
                roll_up=_span(instances, "roll_up_jobs", ended_at),
            )
        )
    return sorted(found, key=lambda item: item.started_at)


def _span(instances: Sequence[dict[str, Any]], task_id: str, otherwise: datetime) -> Span:
    """:param otherwise: begin and end of a task that never ran"""
    own = [item for item in instances if item["task_id"] == task_id and item["start_date"] and item["end_date"]]
    starts, ends = ([datetime.fromisoformat(item[name]) for item in own] for name in ("start_date", "end_date"))
    return Span(min(starts, default=otherwise), max(ends, default=otherwise))


def dag_runs(deployment: Deployment) -> list[dict[str, Any]]:
    """Every DAG run of the enrichment DAG, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = deployment.client.dag_runs(offset=len(found))
        found += page
        if len(page) < deployment.client.PAGE:
            return found
