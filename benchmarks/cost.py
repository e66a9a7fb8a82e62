"""What the package costs a day on Snowflake, from its billing rules, beside a poller that asks every five minutes.

A model: the day's queries on a time line, and a warehouse that is billed as documented. What is measured of it are the
numbers of statements, which are those of the templates; what is assumed stands in :class:`Assumptions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from benchmarks.report import Row, publish
from include.enrichment.catalogue import CATALOGUE, EnrichmentType
from include.enrichment.settings import ParseSettings, Settings
from include.enrichment.snowflake import needed_statements
from include.enrichment.templates import render, statements

DAY_SECONDS = 86_400
RUNS_A_DAY = (0, 50, 500)
TABLE_TYPE = "STANDARD"
QUESTIONS = ("queue/next_due", "monitor/figures")
"""What the sensor and the monitor ask at each tick, and a pass ahead of them."""
AROUND = (
    *(f"queue/{name}" for name in ("claim_pass", "roll_up_jobs", "settled_jobs", "mirror_runs", "written_children")),
    *QUESTIONS,
)
"""What a pass sends beside its mapped tasks."""
OF_AN_EARLIER_LOOK = frozenset({"has_stored_rows", "has_stored_summary"})

Interval = tuple[float, float]


@dataclass(frozen=True)
class Warehouse:
    """How a warehouse is billed.

    https://docs.snowflake.com/en/user-guide/cost-understanding-compute: by the second, at least 60 seconds each time it
    resumes; an X-Small takes 1 credit an hour. It is suspended when nothing has run for AUTO_SUSPEND seconds.
    """

    auto_suspend_seconds: int = 60
    minimum_seconds: int = 60
    credits_per_hour: float = 1.0

    def billed(self, busy: Iterable[Interval]) -> list[float]:
        """Seconds billed of each resume.

        :param busy: when queries run, in seconds of the day, in any order
        """
        spans: list[Interval] = []
        for start, end in sorted(busy):
            off = end + self.auto_suspend_seconds
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], off))
            else:
                spans.append((start, off))
        return [max(self.minimum_seconds, end - start) for start, end in spans]


@dataclass(frozen=True)
class Assumptions:
    """What the model takes for granted; seconds.

    :param statement: of a statement on the package's and FlakeBench's tables
    :param view: of a read of an ACCOUNT_USAGE view, whose start-up and compilation dominate
    :param hops: that Airflow needs between the statements of a pass; the warehouse runs, and waits
    :param run: that a benchmark run takes; TEST_RESULTS changes when it begins and when it ends
    :param slots: of the pool, so mapped tasks at once
    :param cleanup_statements: of the daily cleanup
    """

    statement: float = 0.5
    view: float = 10.0
    hops: float = 20.0
    run: float = 600.0
    slots: int = 8
    cleanup_statements: int = 30


@dataclass(frozen=True)
class Day:
    """What a day comes to.

    :param busy: seconds in which queries run: what the package costs on a warehouse that runs anyway
    """

    resumes: int
    seconds: float
    busy: float
    statements: int
    credits: float


@cache
def first_look(entry: EnrichmentType) -> int:
    """Statements of a mapped task that finds rows and none of an earlier look."""
    return len(list(needed_statements(render(entry.template, Settings()), _FirstLook())))


class _FirstLook(dict[str, bool]):
    def __missing__(self, name: str) -> bool:
        return name not in OF_AN_EARLIER_LOOK


@cache
def statements_of(*names: str) -> int:
    """Statements of templates of ``include/sql``."""
    return sum(len(statements(f"{name}.sql", Settings())) for name in names)


def types_of_a_run() -> list[EnrichmentType]:
    """What a run of the usual table type is enriched with."""
    return [
        entry
        for entry in CATALOGUE
        if not entry.is_optional
        and TABLE_TYPE in entry.table_types
        and TABLE_TYPE not in {name for name, _ in entry.not_applicable}
    ]


def package(runs: int, schedule_minutes: int, warehouse: Warehouse, given: Assumptions) -> Day:
    """The package on its schedule; its runs end evenly over the day, which is the dearest way."""
    ends = [(number + 0.5) * DAY_SECONDS / runs for number in range(runs)]
    step = schedule_minutes * 60
    began, ended = _at_ticks((end - given.run for end in ends), step), _at_ticks(ends, step)
    types = types_of_a_run()
    due = [_at_ticks((end + entry.due_after.total_seconds() for end in ends), step) for entry in types]
    around = statements_of(*AROUND)
    spans = [_cleanup(given)]
    busy, sent = spans[0][1] - spans[0][0], given.cleanup_statements
    for tick in range(0, DAY_SECONDS, step):
        tasks = [(entry, ticks.get(tick, 0)) for entry, ticks in zip(types, due, strict=True)]
        mapped = sum(count for _, count in tasks)
        sent += len(QUESTIONS)
        is_asked_anew = tick in began or tick in ended
        # else the result cache answers, without a warehouse
        asking = len(QUESTIONS) * given.statement if is_asked_anew else 0.0
        busy += asking
        if not mapped and tick not in ended:
            if is_asked_anew:
                spans.append((tick, tick + asking))
            continue
        inside = sum(count * first_look(entry) for entry, count in tasks)
        working = (around + inside) * given.statement + mapped * (given.view - given.statement)
        seconds_of_a_task = working / mapped if mapped else 0.0
        length = asking + given.hops + around * given.statement + math.ceil(mapped / given.slots) * seconds_of_a_task
        spans.append((tick, tick + length))
        busy += min(working, length)
        sent += around + inside
    return _day(spans, busy, sent, warehouse)


def poller(runs: int, warehouse: Warehouse, given: Assumptions, *, interval: int = 300) -> Day:
    """A process that asks for a job, does it, asks for the next, and sleeps when there is none."""
    types = types_of_a_run()
    jobs = sorted((number + 0.5) * DAY_SECONDS / runs for number in range(runs))
    inside = sum(first_look(entry) for entry in types)
    seconds_of_a_job = inside * given.statement + len(types) * (given.view - given.statement)
    spans: list[Interval] = []
    busy, sent, done, now = 0.0, 0, 0, 0.0
    while now < DAY_SECONDS:
        start = now
        while done < len(jobs) and jobs[done] <= now < DAY_SECONDS:
            now += given.statement + seconds_of_a_job
            sent += 1 + inside
            done += 1
        now += given.statement  # the question that finds none
        sent += 1
        spans.append((start, now))
        busy += now - start
        now += interval
    return _day(spans, busy, sent, warehouse)


def _at_ticks(moments: Iterable[float], step: int) -> dict[int, int]:
    """How many moments the first tick at or after them sees; the day repeats."""
    found: dict[int, int] = {}
    for moment in moments:
        tick = math.ceil(moment / step) * step % DAY_SECONDS
        found[tick] = found.get(tick, 0) + 1
    return found


def _cleanup(given: Assumptions) -> Interval:
    start = 3 * 3600 + 17 * 60
    return start, start + given.cleanup_statements * given.statement


def _day(spans: Sequence[Interval], busy: float, sent: int, warehouse: Warehouse) -> Day:
    billed = warehouse.billed(spans)
    seconds = min(sum(billed), DAY_SECONDS)  # what reaches into the next day is that day's
    return Day(len(billed), seconds, busy, sent, seconds / 3600 * warehouse.credits_per_hour)


def days() -> Iterator[tuple[str, int, Day]]:
    """Every line of the table: what is run, runs a day, what it comes to."""
    given, schedule = Assumptions(), ParseSettings().schedule_minutes
    small = Warehouse()
    for runs in RUNS_A_DAY:
        yield f"package, every {schedule} minutes", runs, package(runs, schedule, small, given)
    for runs in RUNS_A_DAY:
        yield "package, every 30 minutes", runs, package(runs, 30, small, given)
    for runs in RUNS_A_DAY:
        yield "poller, AUTO_SUSPEND 60", runs, poller(runs, small, given)
    for runs in RUNS_A_DAY:
        yield "poller, AUTO_SUSPEND 600 (default)", runs, poller(runs, replace(small, auto_suspend_seconds=600), given)


def markdown() -> str:
    """The table of ``docs/cost.md``."""
    lines = [
        "| | runs a day | resumes | warehouse seconds | credits | seconds of queries | statements |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {runs} | {day.resumes} | {day.seconds:,.0f} | {day.credits:.2f} | {day.busy:,.0f} "
        f"| {day.statements:,} |"
        for name, runs, day in days()
    ]
    return "\n".join(lines) + "\n"


def assumptions() -> str:
    """The assumptions in words, as ``docs/cost.md`` has them."""
    given = Assumptions()
    looks = ", ".join(f"{entry.name} {first_look(entry)}" for entry in types_of_a_run())
    return (
        f"* A statement on a table takes {given.statement:g} s, a read of a view {given.view:g} s; Airflow needs "
        f"{given.hops:g} s between the statements of a pass, in which the warehouse runs on.\n"
        f"* A run takes {given.run / 60:g} minutes and changes `TEST_RESULTS` when it begins and when it ends; the "
        f"runs of a day end evenly spread, which is the dearest way: {TABLE_TYPE} tables, so {len(types_of_a_run())} "
        "mapped tasks a run.\n"
        f"* {given.slots} mapped tasks at once; statements of each, counted from the templates: {looks}; of a claim "
        f"{statements_of('queue/claim_pass')}.\n"
    )


def main() -> None:
    """Compute and publish."""
    found = list(days())
    floor = {runs: day.credits for name, runs, day in found if name == "poller, AUTO_SUSPEND 60"}
    publish(
        "cost",
        [
            Row(
                f"{name}, {runs} runs a day",
                f"{day.credits:.2f} credits: {day.seconds:,.0f} s in {day.resumes} resumes; "
                f"{day.statements:,} statements",
                f"{day.credits / floor[runs]:.2f} of a poller whose warehouse suspends after 60 s",
            )
            for name, runs, day in found
        ],
    )
    print(markdown())


if __name__ == "__main__":
    main()
