"""The memory of a deployment's processes, sampled while it works."""

from __future__ import annotations

import statistics
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from local.airflow_home import SCHEDULER

EXECUTOR, TASKS = "executor", "tasks"
_SECONDS = 2.0
_MEGABYTE = 1_000_000
GROWTH_ALLOWED, SLACK_MB = 1.10, 20.0


@dataclass(frozen=True)
class Sample:
    """All processes of a kind at one moment, MB (10^6 bytes).

    :param pss: shared pages divided among those that share them, so that sums count nothing twice
    :param rss: shared pages counted in full
    """

    at: datetime
    pss: float
    rss: float
    processes: int


@dataclass(frozen=True)
class Growth:
    """A kind of process over a measurement, MB.

    :param first: median PSS in the first third of the passes
    :param last: median PSS in the last third
    """

    peak_pss: float
    peak_rss: float
    processes: int
    first: float
    last: float

    @property
    def allowed(self) -> float:
        """What the last third may need to count as bounded, MB."""
        return self.first * GROWTH_ALLOWED + SLACK_MB

    @property
    def bounded(self) -> bool:
        """Whether it stays within what is allowed."""
        return self.last <= self.allowed


@contextmanager
def sampled(leaders: Mapping[str, int]) -> Iterator[dict[str, list[Sample]]]:
    """Sample in a thread until the end of the context; what a process started counts with it.

    :param leaders: name to process id; the scheduler's workers are a kind of their own, and what these started
    :returns: filled meanwhile: samples by kind
    """
    found: dict[str, list[Sample]] = defaultdict(list)

    def look() -> None:
        for name, pid in leaders.items():
            for kind, processes in _kinds(name, pid):
                found[kind].append(_sample(processes))

    with repeated(look, _SECONDS):
        yield found


@contextmanager
def repeated(look: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call something every so many seconds in a thread until the end of the context."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(seconds):
            look()

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def growth(samples: Iterable[Sample], first: tuple[datetime, datetime], last: tuple[datetime, datetime]) -> Growth:
    """What became of a kind between two spans of time."""
    every = list(samples)

    def median(span: tuple[datetime, datetime]) -> float:
        return statistics.median([sample.pss for sample in every if span[0] <= sample.at <= span[1]] or [0.0])

    return Growth(
        peak_pss=max(sample.pss for sample in every),
        peak_rss=max(sample.rss for sample in every),
        processes=max(sample.processes for sample in every),
        first=median(first),
        last=median(last),
    )


def _kinds(name: str, pid: int) -> Iterator[tuple[str, list[psutil.Process]]]:
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        if name != SCHEDULER:
            yield name, [leader, *leader.children(recursive=True)]
            return
        yield name, [leader]
        yield EXECUTOR, leader.children()
        yield TASKS, task_processes(pid)


def task_processes(scheduler: int) -> list[psutil.Process]:
    """What the workers of a scheduler's executor have started."""
    with suppress(psutil.Error):
        leader = psutil.Process(scheduler)
        workers = leader.children()
        return [process for process in leader.children(recursive=True) if process not in workers]
    return []


def _sample(processes: Iterable[psutil.Process]) -> Sample:
    pss = rss = 0.0
    count = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            memory = process.memory_full_info()
            pss += memory.pss / _MEGABYTE
            rss += memory.rss / _MEGABYTE
            count += 1
    return Sample(datetime.now(UTC), pss, rss, count)


def peak_rss(pid: int) -> float:
    """The most that a process itself has ever had resident since :func:`forget_peak`, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MEGABYTE
    raise ValueError(f"Process {pid} has no memory")


def forget_peak(pid: int) -> None:
    """Let :func:`peak_rss` count from what the process has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
