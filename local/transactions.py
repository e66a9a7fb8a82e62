"""Snowflake's transactions on DuckDB's.

* READ COMMITTED: until the first write a transaction reads what is committed. The DuckDB transaction begins with the
  first write, after the write lock is held, so its snapshot can never be older than another writer's commit.
* A failed statement rolls back only itself: DuckDB aborts the whole transaction, so the writes before are repeated.
  That is exact because the lock is held and the clock and bind values are written into each statement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from local.errors import LOCK_TIMEOUT, SnowflakeError
from local.write_lock import WriteLock, Writer


class Transactions:
    """The transaction state of one session.

    :param connection: the session's own DuckDB connection
    :param writer: the session, as the lock knows it
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, lock: WriteLock, writer: Writer) -> None:
        self.autocommit = True
        self.open = False
        self._connection = connection
        self._lock = lock
        self._writer = writer
        self._journal: list[tuple[str, Any]] = []
        self._lost: str | None = None

    @property
    def writing(self) -> bool:
        """Whether a DuckDB transaction is open, hence the lock held."""
        return self.open and self._lock.held_by(self._writer)

    def begin(self) -> None:
        """BEGIN; inside a transaction it does nothing, as in Snowflake."""
        self.raise_if_lost()
        self.open = True

    def commit(self) -> None:
        """COMMIT; does nothing outside a transaction.

        :raises SnowflakeError: 000625 when the transaction was rolled back because it was idle
        """
        self._end(self._connection.commit)
        self.raise_if_lost(forget=True)

    def rollback(self) -> None:
        """ROLLBACK; does nothing outside a transaction."""
        self._lost = None
        self._end(self._connection.rollback)

    def abandon(self, reason: str) -> None:
        """Roll back on somebody else's behalf; the session's next statements say why until ROLLBACK or COMMIT."""
        self._end(self._connection.rollback)
        self._lost = reason

    def raise_if_lost(self, *, forget: bool = False) -> None:
        """Refuse to go on after :meth:`abandon`.

        :param forget: start anew afterwards
        """
        if reason := self._lost:
            self._lost = None if forget else reason
            raise SnowflakeError(LOCK_TIMEOUT, reason)

    def _end(self, finish: Callable[[], object]) -> None:
        try:
            if self.writing:
                finish()
        finally:
            self.open = False
            self._journal.clear()
            self._lock.release(self._writer)

    def record(self, sql: str, params: Any) -> None:
        """Remember a write that succeeded, in DuckDB's dialect."""
        if self.writing:
            self._journal.append((sql, params))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around a statement that does not write."""
        try:
            yield
        except BaseException:
            if self.writing:
                self._repeat(len(self._journal))
            raise

    @contextmanager
    def writing_rows(self, lock_timeout_seconds: float, check: Callable[[], None]) -> Iterator[None]:
        """Around an INSERT, UPDATE, DELETE or MERGE: all of it happens, or nothing.

        :param check: raises when the statement was canceled or has timed out
        """
        own_transaction = self.autocommit and not self.open
        began = False
        if not self.writing:
            self._lock.acquire(self._writer, lock_timeout_seconds, check)
            self.open = began = True
            self._connection.begin()
        kept = len(self._journal)
        try:
            yield
            check()
        except BaseException:
            if own_transaction:
                self.rollback()
            else:
                self._repeat(0 if began else kept)
            raise
        if own_transaction:
            self.commit()

    @contextmanager
    def changing_schema(self, lock_timeout_seconds: float, check: Callable[[], None]) -> Iterator[None]:
        """Around DDL, which commits the open transaction first and itself at once, as in Snowflake."""
        self.commit()
        self._lock.acquire(self._writer, lock_timeout_seconds, check)
        try:
            yield
        finally:
            self._lock.release(self._writer)

    def _repeat(self, statements: int) -> None:
        kept = self._journal[:statements]
        try:
            self._connection.rollback()
            self._connection.begin()
            for sql, params in kept:
                self._connection.execute(sql, params)
            self._journal = kept
        except duckdb.Error as error:
            self.abandon(
                f"The transaction was rolled back: the statements before a failed one cannot be kept ({error})."
            )


def idle_seconds(since: float | None) -> float:
    """Seconds since a monotonic time; 0 when there is none."""
    return 0.0 if since is None else time.monotonic() - since
