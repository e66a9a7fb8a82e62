"""Faults on demand, statements that are held back, and a log of every statement: for tests and benchmarks."""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

LOG_SIZE = 20_000
HOLDS = ("before", "after")


@dataclass
class Fault:
    """What happens to the statements whose text matches.

    :param match: regular expression, searched in the text, ignoring case, ``.`` matches newlines
    :param errno: Snowflake's error number; None lets the statement run after the delay
    :param delay_seconds: before the error or the statement; counts towards STATEMENT_TIMEOUT_IN_SECONDS
    :param hold: ``before``: the statement does not begin; ``after``: its answer is kept back. Until it is released,
        or until STATEMENT_TIMEOUT_IN_SECONDS has passed
    :param times: how many matching statements are hit; None hits all
    """

    match: str
    errno: int | None = None
    sqlstate: str = "XX000"
    message: str = "Injected fault"
    delay_seconds: float = 0.0
    hold: str | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.hold is not None and self.hold not in HOLDS:
            raise ValueError(f"hold is {self.hold!r}, not one of {HOLDS}")
        self._pattern = re.compile(self.match, re.DOTALL | re.IGNORECASE)

    def hits(self, text: str) -> bool:
        """Whether this fault applies to a statement now."""
        return self.times != 0 and self._pattern.search(text) is not None


class FaultList:
    """The faults in force; the first that matches a statement is applied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, faults: Iterable[dict[str, Any]]) -> None:
        """Put these faults in place of all others.

        :raises TypeError: unknown key
        :raises ValueError: unknown ``hold``
        :raises re.error: ``match`` is not a regular expression
        """
        fresh = [Fault(**fault) for fault in faults]
        with self._lock:
            self._faults = fresh

    def add(self, faults: Iterable[dict[str, Any]]) -> None:
        """Put these faults before the others.

        :raises TypeError, ValueError, re.error: as :meth:`replace`
        """
        fresh = [Fault(**fault) for fault in faults]
        with self._lock:
            self._faults = [*fresh, *self._faults]

    def as_json(self) -> list[dict[str, Any]]:
        """The list, with the remaining ``times``."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, text: str) -> Fault | None:
        """The fault for a statement, counted down."""
        with self._lock:
            for fault in self._faults:
                if fault.hits(text):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None


@dataclass(frozen=True)
class HeldStatement:
    """A statement that is held back.

    :param client_port: of the client's end of the TCP connection, by which its process is found
    """

    hold_id: int
    session_id: int
    query_tag: str
    text: str
    client_port: int
    released: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """For ``GET /held``."""
        names = ("hold_id", "session_id", "query_tag", "text", "client_port")
        return {name: getattr(self, name) for name in names}


class Holds:
    """The statements that are held back now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._held: dict[int, HeldStatement] = {}

    def keep(
        self, session_id: int, query_tag: str, text: str, client_port: int, wait: Callable[[threading.Event], None]
    ) -> None:
        """Hold a statement until it is released.

        :param wait: returns when the event is set; raises when the statement must stop
        """
        with self._lock:
            held = HeldStatement(next(self._ids), session_id, query_tag, text, client_port)
            self._held[held.hold_id] = held
        try:
            wait(held.released)
        finally:
            with self._lock:
                del self._held[held.hold_id]

    def release(self, hold_id: int | None = None) -> None:
        """Let a statement go on; all of them by default."""
        with self._lock:
            for held in self._held.values():
                if hold_id in {None, held.hold_id}:
                    held.released.set()

    def as_json(self) -> list[dict[str, Any]]:
        """What is held, the longest first."""
        with self._lock:
            return [held.as_json() for held in self._held.values() if not held.released.is_set()]


@dataclass(frozen=True)
class StatementRecord:
    """One finished statement of any session.

    :param error: Snowflake's error number, None after success
    :param rows, result_bytes: of the answer, as it was sent to the client; 0 after an error
    """

    sequence: int
    session_id: int
    query_tag: str
    text: str
    milliseconds: float
    error: int | None
    rows: int
    result_bytes: int


class StatementLog:
    """The last 20,000 statements and the number of logins, in memory."""

    def __init__(self) -> None:
        self._records: deque[StatementRecord] = deque(maxlen=LOG_SIZE)
        self._sequence = itertools.count(1)
        self._lock = threading.Lock()
        self.logins = 0

    def add(
        self,
        session_id: int,
        query_tag: str,
        text: str,
        milliseconds: float,
        error: int | None,
        rows: int,
        result_bytes: int,
    ) -> None:
        """Append a statement when it has ended."""
        with self._lock:
            number, took = next(self._sequence), round(milliseconds, 2)
            record = StatementRecord(number, session_id, query_tag, text, took, error, rows, result_bytes)
            self._records.append(record)

    def count_login(self) -> None:
        """Count a successful login."""
        with self._lock:
            self.logins += 1

    def as_json(self, since: int) -> dict[str, Any]:
        """Statements with a sequence above ``since``, and the highest sequence, to ask from next time."""
        with self._lock:
            records = [asdict(record) for record in self._records if record.sequence > since]
            last = self._records[-1].sequence if self._records else 0
        return {"logins": self.logins, "last": last, "count": len(records), "statements": records}
