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
    status: str
    queue_status: str | None = Field(description="The roll-up of the tasks, as the queue knows it")
    earliest_enrichment_time: datetime | None = Field(description="When the next pending type is due")
    minutes_remaining: float | None = Field(description="Until then, by Snowflake's clock when it was read")
    enrichment_types: list[str]
    completed_types: list[str]
    completed_at: datetime | None
    last_error: str | None
    attempts: int
    full_at: datetime | None = Field(description="When the last pending type is due")
    badge: BadgeModel
    tasks: list[TaskModel]

    @classmethod
    def of(cls, run: Run) -> Self:
        """From the run that was read."""
        raise NotImplementedError
