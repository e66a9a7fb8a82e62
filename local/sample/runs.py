"""Benchmark runs of the sample account: a parent, its children, and the statements they sent."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from local.sample.queries import RawQuery

_NAMESPACE = uuid.UUID("6f1b1f2e-54a3-5d0e-9d42-5f1a6b6e4c01")


def stable_id(seed: int, *parts: object) -> str:
    """A UUID that depends on the seed and the parts only, so that a second build gives the same ids."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in (seed, *parts))))


@dataclass(frozen=True, slots=True)
class SampleChild:
    """One worker of a run: a child row of TEST_RESULTS. Times are aware UTC.

    :param stored_tag: ``TEST_RESULTS.QUERY_TAG``
    """

    test_id: str
    worker_id: int
    stored_tag: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Usage:
    """One row of HYBRID_TABLE_USAGE_HISTORY.

    :param credits_used: decimal text, so that no digit is lost
    :param repeated: the view returns it twice
    """

    started_at: datetime
    ended_at: datetime
    credits_used: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A row that a person inserted into DELAYED_ENRICHMENT_QUEUE.

    :param types: enrichment types as written by the person, aliases included
    """

    job_id: str
    types: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SampleRun:
    """One benchmark run.

    :param table_type: as FlakeBench stored it
    :param status: ``TEST_RESULTS.STATUS``
    :param group: ``healthy`` or ``broken``
    :param parent_started_at: the parent's own START_TIME
    :param parent_ended_at: the parent's own END_TIME
    :param queries: statements of the run, in order of their query ids
    :param intruders: statements of others in the same minutes that must never be taken for the run's
    """

    run_id: str
    name: str
    table_type: str
    status: str
    group: str
    parent_started_at: datetime
    parent_ended_at: datetime | None
    children: tuple[SampleChild, ...]
    queries: tuple[RawQuery, ...] = ()
    intruders: tuple[RawQuery, ...] = ()
    usage: tuple[Usage, ...] = ()
    job: QueuedJob | None = None

    @property
    def ended_at(self) -> datetime | None:
        """End of the run, aware UTC: the children's, the parent's only where no child has one."""
        ends = [child.ended_at for child in self.children if child.ended_at is not None]
        return max(ends) if ends else self.parent_ended_at

    @property
    def started_at(self) -> datetime:
        """Start of the run, aware UTC: the children's, the parent's only where there is no child."""
        return min((child.started_at for child in self.children), default=self.parent_started_at)
