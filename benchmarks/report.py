"""The table of a benchmark: printed, and written to ``benchmarks/results/``, which is not committed."""

from __future__ import annotations

import json
import sys
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
    :param compared: what it is to be held against
    """

    measured: str
    value: str
    compared: str


def publish(name: str, rows: list[Row]) -> None:
    """Print the rows and write them as JSON."""
    table = Table(title=name)
    for column in ("measured", "value", "compared with"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.measured, row.value, row.compared)
    Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_LOG).print(table)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    print(f"Written to {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")
