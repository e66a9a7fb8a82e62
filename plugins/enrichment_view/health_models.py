"""What the API says about the deployment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import Field

from enrichment_view.models import Model, Reply
from include.enrichment.page.unavailable import Unavailable
from include.enrichment.slo import Level

if TYPE_CHECKING:
    from include.enrichment.page.health import Health


class ObjectiveModel(Model):
    """From which value on a measure is a warning, and from which it is critical."""

    name: str
    unit: str
    warning_above: float | None
    critical_above: float | None


class MeasureModel(Model):
    """One number with its objective."""

    objective: ObjectiveModel
    value: float | None = Field(description="Null: there was nothing to measure")
    level: Level
    detail: str


class QueueModel(Model):
    """How much is waiting."""

    due_jobs: int
    due_tasks: int
    due_backfill_tasks: int
    later_tasks: int
    in_progress_tasks: int
    next_try_at: datetime | None


class OldestPendingModel(Model):
    """The pending task of a type that has waited longest."""

    enrichment_type: str
    run_id: str
    age_minutes: int
    due_at: datetime | None
    overdue_minutes: int | None = Field(description="Since it may be tried; negative: not yet")
    reason_code: str | None


class CompletionLatencyModel(Model):
    """How long after they were due tasks of a type completed in the last 24 hours."""

    enrichment_type: str
    tasks: int
    median_minutes: float
    max_minutes: float


class FindingModel(Model):
    """One line of the last doctor."""

    check: str
    subject: str
    status: str
    message: str
    next_action: str | None


class DoctorModel(Model):
    """What the last doctor found."""

    ran_at: datetime
    performed_by: str | None
    status: str
    views: list[FindingModel] = Field(description="About the views of ACCOUNT_USAGE")
    others: list[FindingModel] = Field(description="The other findings that are not OK")


class OwnCostModel(Model):
    """What the package itself did in the last 24 hours, as far as QUERY_HISTORY shows it."""

    statements: int
    sessions: int
    warehouse_statements: int
    warehouse_seconds: float = Field(description="In which our statements executed on a warehouse; not what is billed")
    failed_statements: int
    newest_start_time: datetime | None
    window_start: datetime
    window_end: datetime


class UnavailableModel(Model):
    """Why a part cannot be read, and what to do."""

    title: str
    detail: str
    next_action: str
    statement: str


class HealthReply(Reply):
    """How the deployment is."""

    level: Level = Field(description="The worst of the measures and of the doctor's findings")
    server_time: datetime
    queue: QueueModel
    measures: list[MeasureModel]
    oldest_pending: list[OldestPendingModel]
    latencies: list[CompletionLatencyModel]
    doctor: DoctorModel | None = Field(description="Null: it has not run yet")
    cost: OwnCostModel | None = Field(description="Null: see `cost_problem`")
    cost_problem: UnavailableModel | None

    @classmethod
    def of(cls, health: Health) -> Self:
        """From what was read; its data is complete when nothing is pending."""
        queue, cost = health.queue, health.cost
        is_unavailable = isinstance(cost, Unavailable)
        return cls(
            data_complete=not (queue.due_tasks or queue.later_tasks or queue.in_progress_tasks),
            data_available_until=health.read_at,
            level=health.level,
            server_time=health.read_at,
            queue=QueueModel.model_validate(queue),
            measures=[MeasureModel.model_validate(item) for item in health.measures],
            oldest_pending=[OldestPendingModel.model_validate(item) for item in health.oldest_pending],
            latencies=[CompletionLatencyModel.model_validate(item) for item in health.latencies],
            doctor=None if health.doctor is None else DoctorModel.model_validate(health.doctor),
            cost=None if is_unavailable else OwnCostModel.model_validate(cost),
            cost_problem=UnavailableModel.model_validate(cost) if is_unavailable else None,
        )
