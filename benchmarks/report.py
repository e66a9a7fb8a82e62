"""The table of a benchmark: printed, and written to ``benchmarks/results/``, which is not committed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
_WIDTH_OF_A_LOG = 200


@dataclass(frozen=True)
class Row:
    """One figure.

    :param measured: what was measured
    :param compared: what it was compared with, as a ratio where there is one
    :param bar: what it must be; empty: nothing is demanded of it
    :param holds: whether it is; None: there is no bar
    """

    measured: str
    value: str
    compared: str
    bar: str = ""
    holds: bool | None = None

    def __post_init__(self) -> None:
        if bool(self.bar) != (self.holds is not None):
            raise ValueError(f"{self.measured}: a bar and whether it holds belong together")

    @property
    def verdict(self) -> str:
        """Whether the bar holds, in a word."""
        return {True: "holds", False: "MISSED", None: ""}[self.holds]


@dataclass(frozen=True)
class Result:
    """What one benchmark published."""

    benchmark: str
    rows: tuple[Row, ...]

    @property
    def bars(self) -> tuple[Row, ...]:
        """The figures of which something is demanded."""
        return tuple(row for row in self.rows if row.holds is not None)

    @classmethod
    def read(cls, file: Path) -> Result:
        """Read what :func:`publish` wrote."""
        content = json.loads(file.read_text())
        return cls(content["benchmark"], tuple(Row(**row) for row in content["rows"]))


def publish(name: str, rows: Sequence[Row]) -> bool:
    """Print the rows and write them as JSON.

    :returns: whether every bar holds
    """
    table = Table(title=name)
    for column in ("measured", "value", "compared with", "bar", ""):
        table.add_column(column)
    for row in rows:
        table.add_row(row.measured, row.value, row.compared, row.bar, row.verdict)
    show(table)
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    file = RESULTS / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    content = {
        "benchmark": name,
        "at": now.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "rows": [asdict(row) for row in rows],
    }
    file.write_text(json.dumps(content, indent=2))
    print(f"Written to {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}", flush=True)
    return all(row.holds is not False for row in rows)


def show(table: Table) -> None:
    """Print a table; a log has a width of its own."""
    Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_LOG).print(table)
