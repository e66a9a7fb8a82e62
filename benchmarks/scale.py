"""What a number of runs a day needs, computed: the tables of docs/scale.md."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from annotated_types import Le

from include.enrichment.catalogue import CATALOGUE, SNOWFLAKE_TABLE_TYPES
from include.enrichment.pool import SLOTS
from include.enrichment.settings import ParseSettings, Settings

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
RUNS_PER_DAY = (50, 500, 5_000, 50_000)
SPREADS_HOURS = (24, 12)
LOCK_WAITERS = 20
"""Snowflake aborts a statement (000625) when so many others wait for the same lock."""

OTHER_WRITERS = 4
"""Sessions that may wait for the lock beside the pool's: a pass's own task, cleanup, retry and backfill."""

OTHER_TASKS = 4
"""Tasks of the package outside the pool that may run at the same time: the same, and the sensor."""

_DAY_SECONDS = 24 * 3600
_BEGIN, _END = "<!-- python -m benchmarks.scale -->", "<!-- end -->"


@dataclass(frozen=True)
class Assumptions:
    """What the code does not say; each is a line of the document.

    :param try_seconds: of one try, nearly all of it waiting for Snowflake
    :param lock_seconds: per try, during which the tasks' table is locked: taking over, and last update to COMMIT
    :param tries_per_task: the first look, and what is looked at again (not ready, second look)
    :param pass_seconds: of a pass beside its mapped tasks: due work, claim, roll-up, mirror
    :param start_seconds: wall time that a mapped task without work adds on 2 cores
    :param start_ratio: of an enrichment to that, Snowflake's own time taken off
    """

    try_seconds: float = 10.0
    lock_seconds: float = 0.5
    tries_per_task: float = 1.25
    pass_seconds: float = 15.0
    start_seconds: float = 0.3
    start_ratio: float = 1.4


@dataclass(frozen=True)
class Capacity:
    """What one queue (one set of the package's tables) gets done.

    :param slots: of the pool, over all deployments that work on the queue
    """

    assumptions: Assumptions
    slots: int

    @property
    def by_slots(self) -> float:
        """Tries per second that fit into the slots."""
        return self.slots / self.assumptions.try_seconds

    @property
    def by_lock(self) -> float:
        """Tries per second that get the lock one after the other."""
        return 1 / self.assumptions.lock_seconds

    @property
    def by_machine(self) -> float:
        """Tries per second that 2 cores start."""
        return 1 / (self.assumptions.start_seconds * self.assumptions.start_ratio)

    @property
    def tries_per_second(self) -> float:
        return min(self.by_slots, self.by_lock, self.by_machine)

    @property
    def limit(self) -> str:
        """What it is limited by."""
        return min(
            (self.by_slots, "slots"), (self.by_lock, "the lock of the tasks' table"), (self.by_machine, "2 cores")
        )[1]

    def seconds_of_passes(self, tries: float, batch: int) -> float:
        """Seconds of the passes that work off so many tries."""
        working = max(tries / self.tries_per_second, self.assumptions.try_seconds)  # one try is not faster
        return math.ceil(tries / batch) * self.assumptions.pass_seconds + working


@dataclass(frozen=True)
class Load:
    """So many runs, evenly over so many hours of each day.

    :param hours: in which the runs of a day end
    """

    runs_per_day: int
    hours: int
    assumptions: Assumptions

    @property
    def tasks_per_day(self) -> int:
        return self.runs_per_day * tasks_per_run()

    @property
    def tries_per_day(self) -> float:
        return self.tasks_per_day * self.assumptions.tries_per_task

    @property
    def tries_per_second(self) -> float:
        return self.tries_per_day / (self.hours * 3600)

    def tries_per_interval(self, minutes: int) -> float:
        """Tries that become due between two ticks of the schedule."""
        return self.tries_per_second * minutes * 60

    @property
    def slots_needed(self) -> int:
        """Slots that are busy at that rate, at least one."""
        return max(1, math.ceil(self.tries_per_second * self.assumptions.try_seconds))


def tasks_per_run(today: date | None = None) -> int:
    """Tasks of a run that ends today, of the table type that has most.

    :param today: decides which types have ended; None: all that may end have
    """
    day = today or date.max
    return max(
        sum(
            not entry.is_optional
            and table_type in entry.table_types
            and table_type not in dict(entry.not_applicable)
            and not (entry.ended and day >= entry.ended)
            for entry in CATALOGUE
        )
        for table_type in SNOWFLAKE_TABLE_TYPES
    )


def most_slots() -> int:
    """Slots on one queue with which no statement can find 20 others waiting."""
    return LOCK_WAITERS - OTHER_WRITERS


def loads_table(assumptions: Assumptions) -> list[str]:
    """What each number of runs means for a queue with the default pool, batch and schedule."""
    minutes, batch = ParseSettings.model_fields["schedule_minutes"].default, _batch()
    capacity = Capacity(assumptions, SLOTS)
    header = (
        "runs a day",
        "over",
        "tasks a day",
        "tries a day",
        f"due per {minutes} minutes",
        "passes for them",
        "slots needed",
        f"seconds of these passes, {SLOTS} slots",
        f"fits {minutes} minutes",
    )
    lines = []
    for runs in RUNS_PER_DAY:
        for hours in SPREADS_HOURS:
            load = Load(runs, hours, assumptions)
            due = load.tries_per_interval(minutes)
            seconds = capacity.seconds_of_passes(due, batch)
            lines.append(
                (
                    f"{runs:,}",
                    f"{hours} h",
                    f"{load.tasks_per_day:,}",
                    f"{load.tries_per_day:,.0f}",
                    f"{due:,.1f}" if due < 10 else f"{due:,.0f}",
                    f"{max(1, math.ceil(due / batch))}",
                    f"{load.slots_needed}",
                    f"{seconds:,.0f}",
                    "yes" if seconds <= minutes * 60 else f"**no: {seconds / (minutes * 60):.1f} x too long**",
                )
            )
    return _markdown(header, lines)


def queues_table(assumptions: Assumptions) -> list[str]:
    """How many queues each number of runs needs, for several lengths of a try."""
    minutes, batch = ParseSettings.model_fields["schedule_minutes"].default, _batch()
    header = ("runs a day, over 12 h", *(f"a try takes {seconds} s" for seconds in (5, 10, 20)))
    lines = []
    for runs in RUNS_PER_DAY:
        cells = [f"{runs:,}"]
        for seconds in (5, 10, 20):
            longer = Assumptions(try_seconds=seconds, lock_seconds=assumptions.lock_seconds)
            due = Load(runs, 12, longer).tries_per_interval(minutes)
            cells.append(_need(due, longer, batch, minutes * 60))
        lines.append(tuple(cells))
    return _markdown(header, lines)


def _need(due: float, assumptions: Assumptions, batch: int, interval_seconds: float) -> str:
    """The least that works off what is due before more is: the pool, more slots, or more queues."""
    if Capacity(assumptions, SLOTS).seconds_of_passes(due, batch) <= interval_seconds:
        return f"{SLOTS} slots"
    capacity, queues = Capacity(assumptions, most_slots()), 1
    while capacity.seconds_of_passes(due / queues, most_batch()) > interval_seconds:
        queues += 1
    text = f"{most_slots()} slots" if queues == 1 else f"{queues} queues of {most_slots()} slots"
    return f"{text} (limit: {capacity.limit})"


def pause_table(assumptions: Assumptions) -> list[str]:
    """How long the work of a day without any worker takes to be made up, while new runs go on ending."""
    header = ("runs a day, over 24 h", f"{SLOTS} slots", f"{most_slots()} slots")
    lines = []
    for runs in RUNS_PER_DAY:
        load = Load(runs, 24, assumptions)
        cells = [f"{runs:,}"]
        for slots in (SLOTS, most_slots()):
            capacity = Capacity(assumptions, slots)
            per_try = capacity.seconds_of_passes(_batch(), _batch()) / _batch()
            spare = 1 / per_try - load.tries_per_second
            cells.append(_duration(load.tries_per_second * _DAY_SECONDS / spare) if spare > 0 else "never")
        lines.append(tuple(cells))
    return _markdown(header, lines)


def workers_table(assumptions: Assumptions) -> list[str]:
    """Sizes of what runs the tasks."""
    header = (
        "slots of the pool",
        "parallelism",
        "max_active_tasks_per_dag",
        "Celery: workers x concurrency",
        "tries/s",
    )
    lines = []
    for slots in (SLOTS, most_slots()):
        needed = slots + OTHER_TASKS
        capacity = Capacity(assumptions, slots)
        lines.append(
            (
                f"{slots}",
                f">= {needed}",
                f">= {slots}",
                f"2 x {needed}: one may be lost; 2 x {math.ceil(needed / 2)}: slower without it",
                f"{capacity.tries_per_second:.1f} (limit: {capacity.limit})",
            )
        )
    return _markdown(header, lines)


def generated() -> str:
    """Everything between the markers of the document."""
    assumed = Assumptions()
    capacity = Capacity(assumed, SLOTS)
    parts = [
        "### Assumptions",
        "",
        *_markdown(
            ("quantity", "value", "where from"),
            [
                ("tasks per run", f"{tasks_per_run()}", "the catalogue: the table type that has most, today"),
                ("tries per task", f"{assumed.tries_per_task}", "assumed: one of four is looked at twice"),
                ("one try", f"{assumed.try_seconds:.0f} s", "assumed: nearly all of it waits for Snowflake"),
                (
                    "the tasks' table is locked",
                    f"{assumed.lock_seconds} s per try",
                    f"assumed; at most {capacity.by_lock:.1f} tries/s on one queue, whatever the slots",
                ),
                (
                    "a pass beside its tasks",
                    f"{assumed.pass_seconds:.0f} s",
                    "assumed: 1 s per hop, and Snowflake",
                ),
                (
                    "starting a task, 2 cores",
                    f"{assumed.start_ratio} x a task without work, {assumed.start_seconds} s",
                    f"`make bench`, rounded up; at most {capacity.by_machine:.1f} tries/s",
                ),
                ("batch, schedule, pool", _defaults(), "defaults of the package"),
            ],
        ),
        "",
        "### What a day brings",
        "",
        *loads_table(assumed),
        "",
        "### The least that keeps up",
        "",
        *queues_table(assumed),
        "",
        "### After a day without a worker",
        "",
        "Until everything is made up, while runs go on ending:",
        "",
        *pause_table(assumed),
        "",
        "### Sizes for a pool",
        "",
        *workers_table(assumed),
    ]
    return "\n".join(parts)


def with_tables(document: str) -> str:
    """A document with the tables between its markers.

    :raises ValueError: it lacks the markers
    """
    head, begin, rest = document.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} lacks {_BEGIN} or {_END}")
    return f"{head}{begin}\n\n{generated()}\n\n{end}{tail}"


def main(arguments: list[str] | None = None) -> int:
    """Print the tables, or write them into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT.name}, between the markers")
    options = parser.parse_args(arguments)
    if options.write:
        DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
    else:
        print(generated())
    return 0


def most_batch() -> int:
    """The largest batch that may be set."""
    limits = (item.le for item in Settings.model_fields["batch_size"].metadata if isinstance(item, Le))
    return next(limit for limit in limits if isinstance(limit, int))


def _batch() -> int:
    return int(Settings.model_fields["batch_size"].default)


def _defaults() -> str:
    minutes = ParseSettings.model_fields["schedule_minutes"].default
    return f"{_batch()} tasks, {minutes} minutes, {SLOTS} slots"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *lines)]


if __name__ == "__main__":
    sys.exit(main())
