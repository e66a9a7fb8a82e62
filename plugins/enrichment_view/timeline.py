"""The timeline of a run: from its end to each type due and written, on one scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.enrichment.page.run_page import RunPage, TypeStanding

_LEAST_SPAN = timedelta(hours=4)
_MOST_SPAN = timedelta(hours=12)
"""What was written later, by a backfill for instance, lies at the end of the scale."""


@dataclass(frozen=True)
class Bar:
    """One type on the scale, percent of it.

    :param due: where it became or becomes due
    :param written: where it settled; None: not yet
    :param is_beyond: it settled later than the scale reaches
    """

    standing: TypeStanding
    due: float
    written: float | None
    is_beyond: bool


@dataclass(frozen=True)
class Timeline:
    """The bars and their scale.

    :param now: percent of it; None: beyond
    :param marks: percent and hours after the end of the run
    """

    bars: tuple[Bar, ...]
    now: float | None
    marks: tuple[tuple[float, int], ...]


def timeline(run: RunPage, now: datetime) -> Timeline | None:
    """None: the run has no end, or nothing is timed."""
    timed = [item for item in run.types if item.due_at is not None and item.status not in ("NOT_APPLICABLE", "SKIPPED")]
    if run.ended_at is None or not timed:
        return None
    ended_at = run.ended_at
    span = _span(ended_at, timed, now)

    def place(moment: datetime) -> float:
        return round(min(max((moment - ended_at) / span, 0.0), 1.0) * 100, 2)

    bars = tuple(
        Bar(
            standing=item,
            due=place(item.due_at),
            written=place(item.written_at) if item.written_at else None,
            is_beyond=item.written_at is not None and item.written_at - ended_at > span,
        )
        for item in timed
        if item.due_at is not None
    )
    hours = int(span.total_seconds() // 3600)
    marks = tuple(
        (place(ended_at + timedelta(hours=hour)), hour) for hour in range(0, hours + 1, 1 if hours < 7 else 3)
    )
    return Timeline(bars, place(now) if now - ended_at < span else None, marks)


def _span(ended_at: datetime, timed: Iterable[TypeStanding], now: datetime) -> timedelta:
    moments = [moment for item in timed for moment in (item.due_at, item.written_at) if moment is not None]
    if any(item.written_at is None for item in timed):
        moments.append(now)
    longest = max(moment - ended_at for moment in moments) * 1.06
    return min(max(longest, _LEAST_SPAN), _MOST_SPAN)
