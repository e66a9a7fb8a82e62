"""One writer at a time, in the order of arrival: Snowflake's writers wait, DuckDB's would conflict."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from local.errors import LOCK_TIMEOUT, SnowflakeError

# Snowflake aborts the statement that would be the 21st waiter on a lock.
MAX_WAITERS = 20
_POLL_SECONDS = 0.2


class Writer(Protocol):
    """Who holds the lock or waits for it."""

    session_id: int

    def give_up_if_idle(self, idle_limit_seconds: float) -> bool:
        """Roll back and return True when the transaction has been idle for longer than the limit."""


class WriteLock:
    """A fair lock over all databases.

    :param idle_limit_seconds: how long a holder may do nothing inside a transaction while somebody waits
    """

    def __init__(self, idle_limit_seconds: float = 10.0) -> None:
        self.idle_limit_seconds = idle_limit_seconds
        self._changed = threading.Condition()
        self._waiters: deque[Writer] = deque()
        self._holder: Writer | None = None

    def held_by(self, writer: Writer) -> bool:
        """Whether this writer holds the lock."""
        return self._holder is writer

    def acquire(self, writer: Writer, timeout_seconds: float, check: Callable[[], None]) -> None:
        """Wait for the lock.

        :param timeout_seconds: LOCK_TIMEOUT; 0 does not wait
        :param check: called while waiting; raises when the statement was canceled or has timed out
        :raises SnowflakeError: 000625 after the timeout, or at once behind 20 other waiters
        """
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            if len(self._waiters) >= MAX_WAITERS:
                raise SnowflakeError(LOCK_TIMEOUT, self._refusal(f"exceeds the {MAX_WAITERS} statements limit"))
            self._waiters.append(writer)
        try:
            while not self._try_acquire(writer):
                check()
                if time.monotonic() >= deadline:
                    raise SnowflakeError(LOCK_TIMEOUT, self._refusal(f"waited LOCK_TIMEOUT = {timeout_seconds:g} s"))
                # Outside the condition, because the holder's roll-back releases the lock.
                if holder := self._holder:
                    holder.give_up_if_idle(self.idle_limit_seconds)
        finally:
            with self._changed:
                self._waiters.remove(writer)
                self._changed.notify_all()

    def _try_acquire(self, writer: Writer) -> bool:
        with self._changed:
            free = self._changed.wait_for(lambda: self._holder is None and self._waiters[0] is writer, _POLL_SECONDS)
            if free:
                self._holder = writer
            return free

    def release(self, writer: Writer) -> None:
        """Give the lock back; nothing happens when the writer does not hold it."""
        with self._changed:
            if self._holder is writer:
                self._holder = None
                self._changed.notify_all()

    def _refusal(self, why: str) -> str:
        holder = self._holder
        return (
            f"A statement of session {holder.session_id if holder else 'unknown'} has locked the table "
            f"and this lock has not yet been released.\nYour statement was aborted because it {why}."
        )
