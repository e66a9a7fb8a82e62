"""The fault matrix: one line per fault, with what it lost and what it doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field


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


@dataclass
class Matrix:
    """What the tests of a session found."""

    lines: list[Line] = field(default_factory=list)

    def check(self, fault: str, recovered: str, *, expected: Iterable[Hashable], stored: Iterable[Hashable]) -> None:
        """Compare two collections of rows, remember the figures for the report, and fail unless they are equal.

        :param expected: what identifies each row that should be there; at least one, or nothing would be shown
        :param stored: the same of each row that is there, as often as it is there
        """
        wanted, found = Counter(expected), Counter(stored)
        assert wanted, f"{fault}: nothing is expected, so nothing could be lost"
        lost, doubled = wanted - found, found - wanted
        self.lines.append(Line(fault, recovered, lost.total(), doubled.total()))
        assert not lost, f"{fault}: {lost.total()} rows lost, {list(lost)[:3]}"
        assert not doubled, f"{fault}: {doubled.total()} rows doubled or foreign, {list(doubled)[:3]}"

    def report(self) -> list[str]:
        """The lines as a table."""
        rows = [("fault", "recovered by", "lost", "doubled")]
        rows += [(line.fault, line.recovered, str(line.lost), str(line.doubled)) for line in self.lines]
        widths = [max(len(row[place]) for row in rows) for place in range(4)]
        return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
