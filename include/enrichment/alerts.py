"""When somebody is told: once when an alert starts or gets worse, once when it ends, and a reminder a day.

Pure: what was told before goes in, what is to be told and to be remembered comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from include.enrichment.slo import RUNBOOK, Level, Objective

if TYPE_CHECKING:
    from include.enrichment.monitor import Measurement
    from include.enrichment.settings import NotifierSetting


class Event(StrEnum):
    """Why an alert is told now."""

    STARTED = "started"
    WORSE = "got worse"
    REMINDER = "lasts"
    ENDED = "ended"


@dataclass(frozen=True)
class OpenAlert:
    """What is remembered of an alert.

    It has the worst level of the last two looks, so that a value on the border does not call each time.

    :param last: level of the last look
    :param worst: since it started
    :param since: when it started, ISO 8601, UTC
    :param told_at: when there was last something new to tell, ISO 8601, UTC
    :param event: what that was; ``ended`` is remembered until every notifier has been told
    :param heard: which notifiers have been told of it
    """

    level: str
    last: str
    worst: str
    since: str
    told_at: str
    event: str
    heard: list[str] = field(default_factory=list)

    def with_event(self, event: Event, now: datetime) -> OpenAlert:
        """Something new, of which nobody has been told yet."""
        return replace(self, event=event, told_at=now.isoformat(), heard=[])


@dataclass(frozen=True)
class Alert:
    """One thing to tell.

    :param level: of an alert that has ended: its worst, so that who was told of it is told of its end
    :param value: None: there is nothing to measure any more
    :param since: naive UTC
    :param listeners: who is to be told besides the log
    :param is_news: False: only those are told that could not be told before
    :param runbook: where it is read
    """

    objective: Objective
    event: Event
    level: Level
    value: float | None
    since: datetime
    listeners: tuple[NotifierSetting, ...] = ()
    is_news: bool = True
    runbook: str = RUNBOOK

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

    def as_json(self) -> dict[str, Any]:
        """As ``ENRICHMENT_OPERATIONS.DETAILS`` has it."""
        return {
            "objective": self.objective.key,
            "event": self.event,
            "level": self.level,
            "value": self.value,
            "since": self.since.isoformat(sep=" "),
        }


Memory = Mapping[str, Mapping[str, Any]]
"""Key of an objective to its :class:`OpenAlert` as a mapping; what the next look is given."""


def evaluate(
    measurements: Iterable[Measurement],
    memory: Memory,
    now: datetime,
    *,
    reminder: timedelta,
    notifiers: Sequence[NotifierSetting] = (),
    runbook: str = RUNBOOK,
) -> tuple[list[Alert], dict[str, dict[str, Any]]]:
    """What is to be told now, and what is to be remembered before it is told.

    An objective that is not measured any more is forgotten.

    :param memory: of the last look; empty at the first
    :param now: naive UTC
    :param reminder: after which an alert that lasts is told again
    :param notifiers: who may be told
    :param runbook: where it is read
    """
    alerts: list[Alert] = []
    kept: dict[str, dict[str, Any]] = {}
    for measurement in measurements:
        key = measurement.objective.key
        before = _recall(memory.get(key))
        after = _next(measurement, before, now, reminder)
        if after is None:
            continue
        event = Event(after.event)
        level = Level(after.worst if event is Event.ENDED else after.level)
        listeners = tuple(
            chosen for chosen in notifiers if level.rank >= Level(chosen.level).rank and chosen.key not in after.heard
        )
        is_news = before is None or (after.event, after.told_at) != (before.event, before.told_at)
        if event is not Event.ENDED or is_news or listeners:  # else nobody is left to be told of the end
            kept[key] = asdict(after)
        if is_news or listeners:
            since = datetime.fromisoformat(after.since)
            alerts.append(
                Alert(measurement.objective, event, level, measurement.value, since, listeners, is_news, runbook)
            )
    return alerts, kept


def _recall(remembered: Mapping[str, Any] | None) -> OpenAlert | None:
    """None as well for what another version, or a person, has written: the alert starts anew."""
    try:
        return None if remembered is None else OpenAlert(**remembered)
    except TypeError:
        return None


def after_telling(memory: Memory, alerts: Iterable[Alert], heard: Mapping[str, Sequence[str]]) -> Memory:
    """What the next look has to know.

    :param memory: what was remembered before the alerts were told
    :param heard: key of an objective to the notifiers that have told of it now
    """
    kept = dict(memory)
    for alert in alerts:
        key = alert.objective.key
        told = [*kept[key]["heard"], *heard.get(key, ())]
        kept[key] = {**kept[key], "heard": told}
        if alert.event is Event.ENDED and {chosen.key for chosen in alert.listeners} <= set(told):
            del kept[key]
    return kept


def _next(measurement: Measurement, before: OpenAlert | None, now: datetime, reminder: timedelta) -> OpenAlert | None:
    current = measurement.level
    if before is None or (before.event == Event.ENDED and current.rank):
        if not current.rank:
            return None
        since = min(measurement.since or now, now).isoformat()
        return OpenAlert(current, current, current, since, now.isoformat(), Event.STARTED)
    if before.event == Event.ENDED:
        return before
    level = max(Level(before.last), current, key=lambda item: item.rank)
    after = replace(
        before, level=level, last=current, worst=max(Level(before.worst), level, key=lambda item: item.rank)
    )
    if not level.rank:
        return after.with_event(Event.ENDED, now)
    if level.rank > Level(before.level).rank:
        return after.with_event(Event.WORSE, now)
    if now - datetime.fromisoformat(before.told_at) >= reminder:
        return after.with_event(Event.REMINDER, now)
    return after
