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


def _of_tree(pid: int) -> float:
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                # of children, those that have ended and were waited for
                total += times.user + times.system + times.children_user + times.children_system
    return total
