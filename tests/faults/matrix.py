"""The fault matrix: one line per fault, with what it lost and what it doubled.

A line is a property of the test's report, so that it reaches the process that prints the matrix from any worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import astuple, dataclass

import pytest

PROPERTY = "fault"


@dataclass(frozen=True)
class Line:
    """One case.

    :param recovered: by what it recovered, in words
    :param lost: rows that should be there and are not
    :param doubled: rows that are there and should not be, or not as often
    """

    fault: str
    recovered: str
    lost: int
    doubled: int


@dataclass(frozen=True)
class Matrix:
    """Where a test enters its lines.

    :param record: adds a property to the report of the test
    """

    record: Callable[[str, object], None]

    def check(self, fault: str, recovered: str, *, expected: Iterable[Hashable], stored: Iterable[Hashable]) -> None:
        """Compare two collections of rows, remember the figures for the report, and fail unless they are equal.

        :param expected: what identifies each row that should be there; at least one, or nothing would be shown
        :param stored: the same of each row that is there, as often as it is there
        """
        wanted, found = Counter(expected), Counter(stored)
        assert wanted, f"{fault}: nothing is expected, so nothing could be lost"
        lost, doubled = wanted - found, found - wanted
        self.record(PROPERTY, astuple(Line(fault, recovered, lost.total(), doubled.total())))
        assert not lost, f"{fault}: {lost.total()} rows lost, {list(lost)[:3]}"
        assert not doubled, f"{fault}: {doubled.total()} rows doubled or foreign, {list(doubled)[:3]}"


def lines_of(reporter: pytest.TerminalReporter) -> list[Line]:
    """What the tests of a session entered."""
    reports = [report for name in ("passed", "failed") for report in reporter.stats.get(name, [])]
    properties = [item for report in reports if report.when == "call" for item in report.user_properties]
    return [Line(*value) for name, value in properties if name == PROPERTY]


def table(lines: Iterable[Line]) -> list[str]:
    """The lines as text, with a head."""
    rows = [("fault", "recovered by", "lost", "doubled")]
    rows += [(line.fault, line.recovered, str(line.lost), str(line.doubled)) for line in lines]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
