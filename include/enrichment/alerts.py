"""When somebody is told: once when an alert starts or gets worse, once when it ends, and a reminder a day.

Pure: what was told before goes in, what is to be told and to be remembered comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from include.enrichment.monitor import Measurement
from include.enrichment.slo import RUNBOOK, Level, Objective

CALM_LOOKS = 2
"""Looks in a row below every threshold that end an alert, so that a value on the border does not call each time."""


class Event(StrEnum):
    """Why an alert is told now."""

    STARTED = "started"
    WORSE = "got worse"
    REMINDER = "lasts"
    ENDED = "ended"


@dataclass(frozen=True)
class OpenAlert:
    """What is remembered of an alert that has started.

    :param level: the worst since it started: while it lasts it does not become milder, or it would get worse again
    :param since: when it started, ISO 8601, UTC
    :param told_at: when it was last told, ISO 8601, UTC
    :param calm_looks: how many looks in a row were below every threshold
    :param untold: notifiers that could not tell of it yet
    """

    level: str
    since: str
    told_at: str
    calm_looks: int = 0
    untold: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Alert:
    """One thing to tell.

    :param level: of an alert that has ended: its worst
    :param value: None: there is nothing to measure any more
    :param since: naive UTC
    :param runbook: where it is read
    :param only: notifiers that failed when it was told before; empty: all
    """

    objective: Objective
    event: Event
    level: Level
    value: float | None
    since: datetime
    runbook: str = RUNBOOK
    only: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Same for all that is told of one objective: to group by, for instance PagerDuty's ``dedup_key``."""
        return f"flakebench_enrichment.{self.objective.key}"

    @property
    def title(self) -> str:
        """One line."""
        return f"FlakeBench enrichment {self.level} {self.event}: {self.objective.name}"

    @property
    def text(self) -> str:
        """Figure, threshold, since when, and where it says what to do."""
        unit, threshold = self.objective.unit, self.objective.threshold(self.level)
        value = "nothing left to measure" if self.value is None else f"{round(self.value, 1):,g} {unit}"
        limit = "" if threshold is None else f" ({self.level.lower()} above {threshold:g})"
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"{self.title}. Now {value}{limit}, since {since}. What to do: {self.runbook}#{self.objective.anchor}"


Memory = Mapping[str, Mapping[str, Any]]
"""Key of an objective to its :class:`OpenAlert` as a mapping; what the next look is given."""


def evaluate(
    measurements: Iterable[Measurement], memory: Memory, now: datetime, *, reminder: timedelta, runbook: str = RUNBOOK
) -> tuple[list[Alert], dict[str, dict[str, Any]]]:
    """What is to be told now, and what the next look has to know.

    An objective that is not measured any more is forgotten.

    :param memory: of the last look; empty at the first
    :param now: naive UTC
    :param reminder: after which an alert that lasts is told again
    :param runbook: where it is read
    """
    alerts: list[Alert] = []
    kept: dict[str, dict[str, Any]] = {}
    for measurement in measurements:
        key = measurement.objective.key
        before = OpenAlert(**memory[key]) if key in memory else None
        event, after = _next(measurement, before, now, reminder)
        if event is not None:
            told = after or before
            alerts.append(
                Alert(
                    measurement.objective,
                    event,
                    Level(told.level) if told else measurement.level,
                    measurement.value,
                    datetime.fromisoformat(told.since) if told else now,
                    runbook,
                    tuple(after.untold) if after else (),
                )
            )
        if after is not None:
            kept[key] = asdict(replace(after, untold=[]) if event else after)
    return alerts, kept


def _next(
    measurement: Measurement, before: OpenAlert | None, now: datetime, reminder: timedelta
) -> tuple[Event | None, OpenAlert | None]:
    level, at = measurement.level, now.isoformat()
    if before is None:
        if not level.rank:
            return None, None
        since = min(measurement.since or now, now)
        return Event.STARTED, OpenAlert(level, since.isoformat(), at)
    if not level.rank:
        calm = before.calm_looks + 1
        return (Event.ENDED, None) if calm >= CALM_LOOKS else (None, replace(before, calm_looks=calm))
    lasting = replace(before, calm_looks=0)
    if level.rank > Level(before.level).rank:
        return Event.WORSE, replace(lasting, level=level, told_at=at, untold=[])
    if now - datetime.fromisoformat(before.told_at) >= reminder:
        return Event.REMINDER, replace(lasting, told_at=at, untold=[])
    return (Event.REMINDER if before.untold else None), lasting
