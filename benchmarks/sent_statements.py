"""What the connector sent to Snowflake and what came back, counted inside the process that sends it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

_CHANGE = re.compile(
    r"(?P<verb>MERGE INTO|INSERT INTO|UPDATE|DELETE FROM|CREATE OR REPLACE TEMPORARY TABLE) (?P<table>[\w.]+)"
)
_COUNTS = "number of "
"""How the columns begin in which Snowflake counts what a DML statement changed."""


@dataclass(frozen=True)
class SentStatement:
    """One statement.

    :param seconds: from sending it to having its answer, by the wall clock
    :param rows: that came back; the counts of a DML statement are one row
    """

    text: str
    seconds: float
    rows: int

    @property
    def title(self) -> str:
        """What it does to which table, or its first words; without comments."""
        lines = [line for line in self.text.splitlines() if line.strip() and not line.lstrip().startswith("--")]
        text = " ".join(" ".join(lines).split())
        change = _CHANGE.match(text)
        return f"{change['verb']} {change['table'].rpartition('.')[2]}" if change else " ".join(text.split()[:4])


@contextmanager
def sent_statements() -> Iterator[list[SentStatement]]:
    """Count while the context lasts; the statements themselves are left as they are.

    :returns: filled meanwhile
    """
    from snowflake.connector.cursor import SnowflakeCursor

    found: list[SentStatement] = []
    execute = SnowflakeCursor.execute

    def counted(cursor: SnowflakeCursor, command: str, *arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        answer = execute(cursor, command, *arguments, **named)
        found.append(SentStatement(command, time.perf_counter() - started, _rows(cursor)))
        return answer

    with mock.patch.object(SnowflakeCursor, "execute", counted):
        yield found


def _rows(cursor: SnowflakeCursor) -> int:
    if cursor.description and cursor.description[0].name.startswith(_COUNTS):
        return 1
    return cursor.rowcount or 0
