"""Every benchmark, one after the other, each in a process of its own; and one table of all bars: ``make bench``."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.report import RESULTS, Result, Row, show
from local.processes import StoppedError, stop_on_signals

MOST_MINUTES = 25.0
"""What all of them may take together on two cores that have nothing else to do."""

_PATIENCE = 4.0
"""A benchmark is stopped when it takes so many times as long as planned: the others are to be measured as well."""

_SECONDS_TO_STOP = 60.0


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    :param module: below ``benchmarks``
    :param minutes: planned, on two cores that have nothing else to do
    """

    module: str
    minutes: float
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", f"benchmarks.{self.module}", *self.arguments]


BENCHMARKS = (
    Benchmark("percentiles", 1),
    Benchmark("cost", 0.1),
    Benchmark("statements", 1),
    Benchmark("task_overhead", 4),
    Benchmark("drain", 4),
    Benchmark("freshness", 2.5),
    Benchmark("backfill", 3),
    Benchmark("engines", 5),
    Benchmark("big_run", 3),
)
"""In the order in which they run."""


@dataclass(frozen=True)
class Outcome:
    """What became of a benchmark.

    :param status: of its process; negative: the number of the signal that ended it
    :param results: what it has published
    """

    benchmark: Benchmark
    status: int
    minutes: float
    results: tuple[Result, ...]


def main(arguments: list[str] | None = None) -> int:
    """Run them and print the bars.

    :returns: 0; 1 when a bar is missed or a benchmark failed; 130 when it was stopped
    """
    names = [item.module for item in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="name", help=f"all by default: {', '.join(names)}")
    chosen = parser.parse_args(arguments).only
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"unknown: {', '.join(unknown)}")
    stop_on_signals()
    try:
        outcomes = [run(item) for item in BENCHMARKS if not chosen or item.module in chosen]
    except StoppedError:
        return 128 + signal.SIGINT
    table = Table(title="All bars")
    for column in ("benchmark", "measured", "value", "compared with", "bar", ""):
        table.add_column(column)
    rows = closing_rows(outcomes, is_whole=not chosen)
    for name, row in rows:
        table.add_row(name, row.measured, row.value, row.compared, row.bar, row.verdict)
    show(table)
    missed = [row for _, row in rows if not row.holds]
    print(f"{len(rows)} bars, {len(missed)} missed", flush=True)
    return 1 if missed else 0


def run(benchmark: Benchmark) -> Outcome:
    """Run one to its end, or stop it when it takes far too long; it stops what it has started by itself."""
    print(f"== {benchmark.module}: about {benchmark.minutes:g} minutes", flush=True)
    before = _published()
    started = time.monotonic()
    process = subprocess.Popen(benchmark.command)
    try:
        status = process.wait(timeout=60 * _PATIENCE * benchmark.minutes)
    except subprocess.TimeoutExpired:
        print(f"{benchmark.module} is stopped: it takes more than {_PATIENCE:g} times as long as planned", flush=True)
        status = _stop(process)
    except BaseException:
        _stop(process)
        raise
    minutes = (time.monotonic() - started) / 60
    return Outcome(benchmark, status, minutes, tuple(Result.read(file) for file in sorted(_published() - before)))


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _published() -> set[Path]:
    return set(RESULTS.glob("*.json"))


def closing_rows(outcomes: Sequence[Outcome], *, is_whole: bool) -> list[tuple[str, Row]]:
    """Every bar, with the name of its benchmark; one of its own for a benchmark that failed without missing any.

    :param is_whole: all benchmarks were run, so that the bar of their time applies
    """
    rows = []
    for outcome in outcomes:
        name = outcome.benchmark.module
        bars = [row for result in outcome.results for row in result.bars]
        rows += [(name, row) for row in bars]
        if not bars or (outcome.status and all(row.holds for row in bars)):
            said = f"status {outcome.status}, {len(bars)} bars published"
            rows.append((name, Row("the benchmark itself", said, "its output above", "status 0, with bars", False)))
    if is_whole:
        minutes = sum(outcome.minutes for outcome in outcomes)
        parts = ", ".join(f"{item.benchmark.module} {item.minutes:.1f}" for item in outcomes)
        holds = minutes <= MOST_MINUTES
        took = Row("time", f"{minutes:.1f} min", f"{parts} ({os.cpu_count()} cores)", f"<= {MOST_MINUTES:g} min", holds)
        rows.append(("all", took))
    return rows


if __name__ == "__main__":
    sys.exit(main())
