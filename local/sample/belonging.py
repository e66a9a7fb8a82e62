"""Which statements are a run's, by the words of the specification. Used by the truth only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from local.sample.queries import RawQuery
from local.sample.runs import SampleRun

CONTROL_PLANE_TAGS = ("flakebench", "unistore_benchmark")
MEASURED_PHASES = ("RUNNING", "MEASUREMENT")
PAD = timedelta(minutes=5)
"""Added to the end of a window; also how far a window may reach into the future."""

_PHASE = ":phase="


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open time range of a run, aware UTC."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether a statement that started then, or a minute that starts then, is inside."""
        return self.start <= moment < self.end


def window(run: SampleRun, now: datetime) -> Window | None:
    """The run's window; None when it is missing, inverted or more than five minutes in the future."""
    start, end = run.started_at, run.ended_at
    if end is None or end < start or end > now + PAD:
        return None
    return Window(start.replace(second=0, microsecond=0), end + PAD)


def base_tags(run: SampleRun) -> frozenset[str]:
    """The usable tags of a run, without their phase.

    A tag that names neither the row nor the run is usable unless it is a bare control-plane tag. (No two
    overlapping runs of the sample account share one.)
    """
    usable = set()
    for child in run.children:
        if child.stored_tag:
            base = child.stored_tag.split(_PHASE)[0]
            named = child.test_id in base or run.run_id in base
            if named or base not in CONTROL_PLANE_TAGS:
                usable.add(base)
    return frozenset(usable)


def base_of(query: RawQuery, bases: frozenset[str]) -> str | None:
    """The run's tag that a statement carries, alone or followed by a colon; None when it carries none."""
    if query.tag:
        for base in bases:
            if query.tag == base or query.tag.startswith(base + ":"):
                return base
    return None


def is_measured(query: RawQuery) -> bool:
    """Whether the phase in the statement's tag, or its absence, says that it was measured."""
    tag = query.tag or ""
    if _PHASE not in tag:
        return True
    return tag.split(_PHASE)[1].split(":")[0] in MEASURED_PHASES


def statements_of(run: SampleRun, span: Window, *, measured_only: bool = True) -> list[RawQuery]:
    """Statements that Snowflake saw and that belong to the run, out of the run's own and those of others.

    :param measured_only: False to keep warm-up and cooldown
    """
    bases = base_tags(run)
    return [
        query
        for query in (*run.queries, *run.intruders)
        if query.reached_server
        and base_of(query, bases) is not None
        and span.holds(query.started_at)
        and (is_measured(query) or not measured_only)
    ]
