"""The CPU time of a deployment's processes: where the seconds of a benchmark go."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psutil


def cpu_seconds(leaders: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds, user and system, of each process and of everything it has started, ended ones included.

    :param leaders: name to process id
    """
    return {name: _of_tree(pid) for name, pid in leaders.items()}


def process_seconds(pid: int) -> float:
    """CPU seconds, user and system, of a process and of its children that have ended; 0 when it is gone."""
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _of_tree(pid: int) -> float:
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(pid).children(recursive=True)
        return sum(process_seconds(one) for one in (pid, *(process.pid for process in started)))
    return 0.0
