"""The one badge of a run: what FlakeBench's own enrichment and this package's have reached, in a few words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil


class State(StrEnum):
    """Where the delayed enrichment of a run stands; ``page/_run_states.sql`` computes it from the tasks."""

    NOT_QUEUED = "NOT_QUEUED"
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    NOT_APPLICABLE = "NOT_APPLICABLE"

    @property
    def is_moving(self) -> bool:
        """Whether it will change by itself."""
        return self in {State.NOT_QUEUED, State.PENDING, State.IN_PROGRESS}

    @property
    def status(self) -> str:
        """In the words of the queue, which calls a job of which a type failed COMPLETED."""
        return "COMPLETED" if self is State.PARTIAL else str(self)


class Tone(StrEnum):
    """How a badge looks: done, pending, needs attention, failed, or nothing to say."""

    SUCCESS = "success"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    NEUTRAL = "neutral"


class Icon(StrEnum):
    """The sign before the words; never the only carrier of the meaning."""

    CHECK = "check"
    CLOCK = "clock"
    SPINNER = "spinner"
    ALERT = "alert"
    CROSS = "cross"
    DASH = "dash"


@dataclass(frozen=True)
class Badge:
    """What a run shows first.

    :param label: a few words
    :param explanation: one sentence more, for the details
    """

    tone: Tone
    icon: Icon
    label: str
    explanation: str


@dataclass(frozen=True)
class Standing:
    """What the badge is made of.

    :param immediate_status: of FlakeBench's own enrichment (``TEST_RESULTS.ENRICHMENT_STATUS``)
    :param run_status: of the benchmark (``TEST_RESULTS.STATUS``)
    :param done: enrichment types that are written
    :param failed: enrichment types that failed
    :param full_at: when the last pending type is due, UTC; None: nothing is pending, or it is not known
    :param is_complete: whether the views held all of the run
    :param waits_for: why the pending types wait, if a try has met something (``NO_PRIVILEGE``, ``NOT_READY``, ...)
    """

    state: State
    immediate_status: str | None = None
    run_status: str | None = None
    done: int = 0
    failed: int = 0
    full_at: datetime | None = None
    is_complete: bool | None = None
    waits_for: frozenset[str] = frozenset()


_RUNNING = frozenset({"PREPARED", "STARTING", "RUNNING", "STOPPING", "CANCELLING"})
_NEEDS_A_PERSON = frozenset({"NO_PRIVILEGE"})


def badge(standing: Standing, now: datetime) -> Badge:
    """The badge of a run.

    :param now: of Snowflake's clock
    """
    if (standing.run_status or "").upper() in _RUNNING:
        return Badge(Tone.NEUTRAL, Icon.SPINNER, "Benchmark running", "The run has not finished yet.")
    immediate = (standing.immediate_status or "").upper()
    if immediate == "PENDING" and standing.state.is_moving:
        return Badge(
            Tone.WARNING, Icon.SPINNER, "Enriching…", "FlakeBench still matches its own executions with Snowflake's."
        )
    found = _delayed(standing, now)
    if immediate == "FAILED" and found.tone in {Tone.SUCCESS, Tone.INFO}:
        return Badge(
            Tone.WARNING, Icon.ALERT, f"{found.label}, first pass failed",
            f"FlakeBench's own enrichment failed; retry it there. {found.explanation}",
        )  # fmt: skip
    return found


def _delayed(standing: Standing, now: datetime) -> Badge:
    match standing.state:
        case State.PENDING:
            return _pending(standing, now)
        case State.IN_PROGRESS:
            return Badge(Tone.INFO, Icon.SPINNER, "Loading full metrics…", "A pass reads Snowflake's views now.")
        case State.COMPLETED if standing.is_complete is False:
            return Badge(
                Tone.WARNING, Icon.ALERT, "Metrics incomplete",
                "Every type has settled, but Snowflake's views did not hold all of the run.",
            )  # fmt: skip
        case State.COMPLETED:
            return Badge(Tone.SUCCESS, Icon.CHECK, "Full metrics", "Everything that Snowflake measured is here.")
        case State.PARTIAL:
            noun = "type" if standing.failed == 1 else "types"
            return Badge(
                Tone.WARNING, Icon.ALERT, f"Partial – {standing.failed} {noun} failed",
                "What was written is here; what failed can be retried.",
            )  # fmt: skip
        case State.FAILED:
            return Badge(Tone.ERROR, Icon.CROSS, "Enrichment failed", "Nothing could be written; it can be retried.")
        case State.SKIPPED:
            return Badge(Tone.NEUTRAL, Icon.DASH, "Nothing to enrich", "The types were skipped; each says why.")
        case State.NOT_APPLICABLE:
            return Badge(Tone.NEUTRAL, Icon.DASH, "Not applicable", "Snowflake measures nothing for this table type.")
        case State.NOT_QUEUED:
            return _not_queued(standing)


def _pending(standing: Standing, now: datetime) -> Badge:
    if standing.waits_for & _NEEDS_A_PERSON:
        return Badge(
            Tone.WARNING, Icon.ALERT, "Waits for a privilege", "A role lacks a GRANT; the type's message names it."
        )
    if standing.failed:
        words = f"Partial – {standing.failed} failed, more to come"
        return Badge(Tone.WARNING, Icon.ALERT, words, "What failed can be retried; the rest is tried when it is due.")
    start = "Partial – full" if standing.done else "Metrics"
    if standing.full_at is None:
        return Badge(Tone.INFO, Icon.CLOCK, f"{start} later", "When the rest is due is not known.")
    if standing.full_at <= now:
        return Badge(Tone.INFO, Icon.CLOCK, f"{start} due now", "The next pass reads what is left.")
    explanation = f"The last of the pending types is due at {standing.full_at:%H:%M} UTC."
    return Badge(Tone.INFO, Icon.CLOCK, f"{start} in ~{_duration(standing.full_at, now)}", explanation)


def _not_queued(standing: Standing) -> Badge:
    if (standing.run_status or "").upper() == "COMPLETED":
        return Badge(Tone.INFO, Icon.CLOCK, "Not queued yet", "The next pass queues it, or a backfill if it is old.")
    return Badge(Tone.NEUTRAL, Icon.DASH, "Not enriched", "Only runs that ended as configured are enriched.")


def _duration(later: datetime, now: datetime) -> str:
    minutes = ceil((later - now).total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
