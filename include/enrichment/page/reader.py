"""The way of the page to Snowflake: one statement per question, few sessions, answers kept for seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any

from cachetools import TLRUCache, TTLCache, cached

from include.enrichment.page.unavailable import Cause, Unavailable, explain, is_statement_error
from include.enrichment.settings import ConfigurationError, ParseSettings, Settings, of_server
from include.enrichment.snowflake import open_hook, rows_as_mappings
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
    from snowflake.connector import SnowflakeConnection

log = logging.getLogger(__name__)

KEPT_SECONDS = 60.0
"""How long an answer is kept when nothing of it is going to change by itself."""

KEPT_SECONDS_WHILE_MOVING = 10.0
"""How long an answer is kept while something of it is pending or in progress."""

PAGE_TIMEOUT_SECONDS = 30
"""STATEMENT_TIMEOUT_IN_SECONDS of the page: nobody waits longer for a page."""

PAGE_LOCK_TIMEOUT_SECONDS = 10
PATIENCE_SECONDS = 40.0
"""How long a request waits for Snowflake in all, login included.

A network that swallows packets lets the connector wait for minutes, and the provider's hook drops its timeouts; the
threads that would wait with it are those of Airflow's API.
"""

_SETTINGS_SECONDS = 15.0
_KEPT_ANSWERS = 512
_KEPT_SESSIONS = 4
_STATEMENTS_AT_ONCE = 8
_ASKED_AT_ONCE = 64
_IDLE_SECONDS = 900.0
"""A session that was idle for longer is not used again: networks forget it, and Snowflake may."""

Row = dict[str, Any]
Binds = Mapping[str, Any]


@dataclass(frozen=True)
class _Answer:
    rows: tuple[Row, ...]
    asked_at: float
    keep_seconds: float


@dataclass(frozen=True)
class _IdleSession:
    connection: SnowflakeConnection
    since: float

    @property
    def is_usable(self) -> bool:
        return time.monotonic() - self.since < _IDLE_SECONDS and not self.connection.is_closed()


@dataclass(frozen=True, eq=False)
class Reader:
    """Runs the templates of ``include/sql/page`` on sessions that it keeps.

    :param conn_id: Airflow connection
    :param patience_seconds: after which a question counts as not answered
    """

    conn_id: str
    settings: Settings
    patience_seconds: float = PATIENCE_SECONDS
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_STATEMENTS_AT_ONCE, "enrichment-page"), repr=False
    )
    _idle: LifoQueue[_IdleSession] = field(default_factory=lambda: LifoQueue(_KEPT_SESSIONS), repr=False)
    _answers: TLRUCache[Any, _Answer] = field(
        default_factory=lambda: TLRUCache(_KEPT_ANSWERS, ttu=lambda _key, answer, now: now + answer.keep_seconds),
        repr=False,
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _asking: tuple[threading.Lock, ...] = field(
        default_factory=lambda: tuple(threading.Lock() for _ in range(_ASKED_AT_ONCE)), repr=False
    )

    def rows(
        self,
        template: str,
        binds: Binds | None = None,
        *,
        is_moving: Callable[[tuple[Row, ...]], bool] = lambda _rows: False,
        fresh: bool = False,
    ) -> tuple[Row, ...]:
        """The rows of a template of one statement, times in UTC; the same question is asked once at a time.

        :param template: below ``include/sql``, for instance ``page/runs.sql``
        :param is_moving: whether something in the rows is pending or in progress, so that they are kept shortly
        :param fresh: ask Snowflake, whatever is kept
        :raises Unavailable: no answer now
        """
        binds = dict(binds or {})
        key = (template, repr(sorted(binds.items())))
        began = time.monotonic()
        with self._one_at_a_time(key):
            kept = self._kept(key)
            # what another request asked for while this one waited is fresh enough
            if kept is not None and (not fresh or kept.asked_at >= began):
                return kept.rows
            asked_at = time.monotonic()
            rows = tuple(self._ask_in_time(template, binds))
            keep_seconds = KEPT_SECONDS_WHILE_MOVING if is_moving(rows) else KEPT_SECONDS
            with self._lock:
                self._answers[key] = _Answer(rows, asked_at, keep_seconds)
            return rows

    def forget(self) -> None:
        """Drop every kept answer: somebody has changed what they say."""
        with self._lock:
            self._answers.clear()

    def close(self) -> None:
        """Log the kept sessions out, when the last statement has been answered."""
        self._threads.shutdown()
        with suppress(Empty):
            while True:
                _close(self._idle.get_nowait().connection)

    def hook(self) -> SnowflakeHook:
        """The hook of the package, with the timeouts of the page."""
        _import_provider()
        seconds = min(PAGE_TIMEOUT_SECONDS, self.settings.statement_timeout_seconds)
        bounded = self.settings.model_copy(update={"statement_timeout_seconds": seconds})
        return open_hook(self.conn_id, bounded, lock_timeout_seconds=PAGE_LOCK_TIMEOUT_SECONDS)

    def unavailable(self, error: BaseException, role: str | None = None) -> Unavailable:
        """What an error means for who looks at the page."""
        return explain(error, self.settings, role=role, conn_id=self.conn_id)

    def _kept(self, key: Any) -> _Answer | None:
        with self._lock:
            return self._answers.get(key)

    @contextmanager
    def _one_at_a_time(self, key: Any) -> Iterator[None]:
        lock = self._asking[hash(key) % _ASKED_AT_ONCE]
        if not lock.acquire(timeout=self.patience_seconds):
            raise self._no_answer()
        try:
            yield
        finally:
            lock.release()

    def _ask_in_time(self, template: str, binds: Binds) -> list[Row]:
        asked = self._threads.submit(self._ask, template, binds)
        try:
            return asked.result(self.patience_seconds)
        except TimeoutError:
            asked.cancel()  # if no thread has begun with it
            raise self._no_answer() from None

    def _no_answer(self) -> Unavailable:
        return self.unavailable(TimeoutError(f"Snowflake gave no answer in {self.patience_seconds:g} seconds"))

    def _ask(self, template: str, binds: Binds) -> list[Row]:
        sql = render(template, self.settings)
        while (session := self._idle_session()) is not None:
            try:
                return self._run(session, sql, binds)
            except Exception as error:
                if is_statement_error(error):
                    raise self.unavailable(error, session.role) from error
                log.info("A kept session has ended, opening another: %s", type(error).__name__)
        try:
            session = self.hook().get_conn()
        except Exception as error:
            raise self.unavailable(error) from error
        try:
            return self._run(session, sql, binds)
        except Exception as error:
            raise self.unavailable(error, session.role) from error

    def _idle_session(self) -> SnowflakeConnection | None:
        with suppress(Empty):
            while True:
                idle = self._idle.get_nowait()
                if idle.is_usable:
                    return idle.connection
                _close(idle.connection)
        return None

    def _run(self, session: SnowflakeConnection, sql: str, binds: Binds) -> list[Row]:
        """Run on a session, and keep it if it answered."""
        try:
            with session.cursor() as cursor:
                cursor.execute(sql, dict(binds) or None)
                rows = [_in_utc(row) for row in rows_as_mappings(cursor)]
        except BaseException:
            _close(session)
            raise
        idle = _IdleSession(session, time.monotonic())
        try:
            self._idle.put_nowait(idle)
        except Exception:  # queue.Full: enough are kept
            _close(session)
        return rows


@cached({}, lock=threading.Lock())
def _import_provider() -> None:
    """Import once what threads must not import side by side: modules of the provider import each other."""
    import airflow.providers.snowflake.hooks.snowflake  # noqa: F401
    import snowflake.connector  # noqa: F401


def _in_utc(row: Row) -> Row:
    """Times of the tables are UTC without saying so; outside the database they say it."""
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
        for name, value in row.items()
    }


def _close(session: SnowflakeConnection) -> None:
    with suppress(Exception):  # it is of no use any more, whatever it says
        session.close()


@cached(TTLCache(1, _SETTINGS_SECONDS), lock=threading.Lock())
def _settings() -> Settings:
    try:
        return of_server()
    except ConfigurationError as error:
        raise Unavailable(Cause.CONFIGURATION, str(error), "Then reload this page.") from error


@lru_cache(maxsize=1)
def _reader(conn_id: str, settings: Settings) -> Reader:
    return Reader(conn_id, settings)


def reader() -> Reader:
    """The reader of this process for the settings of now; one that is kept as long as they stay.

    :raises Unavailable: a setting has an unusable value
    """
    return _reader(ParseSettings().conn_id, _settings())
