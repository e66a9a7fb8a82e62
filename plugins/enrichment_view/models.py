"""What the API returns. Times are UTC; ``null`` is *not known, or not yet*, never 0."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field

from include.enrichment.page.badge import Icon, State, Tone

if TYPE_CHECKING:
    from include.enrichment.page.runs import Run, RunList


class Model(BaseModel):
    """Made from the dataclasses of ``include/enrichment/page``."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Reply(Model):
    """What every reply says beside its content."""

    data_complete: bool | None = Field(
        description="Whether Snowflake's views held all of it; null: not known yet, or nothing tells"
    )
    data_available_until: datetime | None = Field(
        description="How far the view that is furthest behind had come when its rows were read"
    )


class BadgeModel(Model):
    """The one badge of a run."""

    tone: Tone
    icon: Icon
    label: str
    explanation: str


class TaskModel(Model):
    """One enrichment type of a run."""

    enrichment_type: str
    status: str
    due_at: datetime | None = Field(description="When a pending one is tried next, or a settled one was due")
    attempts: int
    completed_at: datetime | None
    recheck_at: datetime | None = Field(description="When its second look is due")
    rows_written: int | None
    expected_count: int | None
    found_count: int | None
    coverage: float | None = Field(description="0 to 1")
    data_complete: bool | None
    data_available_until: datetime | None
    is_provisional: bool = Field(description="Whether what is stored is only what the view had at the last look")
    reason_code: str | None
    last_error: str | None


class RunModel(Model):
    """A run as the list shows it."""

    run_id: str
    test_name: str | None
    table_type: str | None
    run_status: str | None
    immediate_status: str | None = Field(description="Of FlakeBench's own enrichment")
    started_at: datetime | None
    ended_at: datetime | None
    state: State
    full_at: datetime | None = Field(description="When the last of its pending types is due")
    badge: BadgeModel
    tasks: list[TaskModel]
    data_complete: bool | None
    data_available_until: datetime | None


class RunListReply(Reply):
    """One page of the list of runs, the newest first."""

    total: int = Field(description="Of all pages")
    limit: int
    offset: int
    server_time: datetime = Field(description="Snowflake's clock when it was read")
    runs: list[RunModel]

    @classmethod
    def of(cls, found: RunList) -> Self:
        """From the list that was read."""
        return cls.model_validate(found)


class RunStatusReply(Reply):
    """Where the enrichment of a run stands; the fields of the original plan, and those that it lacked."""

    test_id: str
    status: str = Field(description="PENDING, IN_PROGRESS, COMPLETED, FAILED, SKIPPED, NOT_APPLICABLE or NOT_QUEUED")
    queue_status: str | None = Field(description="The same; null while there is no job")
    earliest_enrichment_time: datetime | None = Field(description="When the next pending type is due")
    minutes_remaining: float | None = Field(description="Until then; 0: it is due")
    full_at: datetime | None = Field(description="When the last pending type is due")
    enrichment_types: list[str]
    completed_types: list[str]
    completed_at: datetime | None = Field(description="Null while a type is not settled")
    last_error: str | None
    attempts: int
    state: State = Field(description="As `status`, but PARTIAL where types both failed and completed")
    is_moving: bool = Field(description="Whether it will change by itself, so that asking again is worth it")
    server_time: datetime = Field(description="Snowflake's clock when it was read")
    badge: BadgeModel
    tasks: list[TaskModel]

    @classmethod
    def of(cls, run: Run) -> Self:
        """From the run that was read."""
        status = run.state.status
        return cls(
            data_complete=run.data_complete,
            data_available_until=run.data_available_until,
            test_id=run.run_id,
            status=status,
            queue_status=None if run.state is State.NOT_QUEUED else status,
            earliest_enrichment_time=run.next_due_at,
            minutes_remaining=run.minutes_remaining,
            full_at=run.full_at,
            enrichment_types=[task.enrichment_type for task in run.tasks],
            completed_types=[task.enrichment_type for task in run.of_status("COMPLETED")],
            completed_at=run.completed_at,
            last_error=run.last_error,
            attempts=max((task.attempts for task in run.tasks), default=0),
            state=run.state,
            is_moving=run.is_moving,
            server_time=run.read_at,
            badge=BadgeModel.model_validate(run.badge),
            tasks=[TaskModel.model_validate(task) for task in run.tasks],
        )
