"""One session: what a client logged in with, its parameters, its transaction, and how it runs a statement."""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.statement_type import DML_TYPE_IDS, statement_type_id
from sqlglot import exp

from local import create_or_alter, session_statements
from local.cursor import EmbeddedCursor
from local.dialect_gaps import Context, Statement, parse
from local.errors import CANCELED, STATEMENT_TIMEOUT, SnowflakeError, find_missing_object, translate
from local.faults import Fault, FaultList, Holds, StatementLog
from local.plans import Occurrence, Plans, Translation
from local.results import Result, describe, encode_counts, encode_table
from local.storage import Storage
from local.transactions import Transactions
from local.write_lock import WriteLock

_TIMEOUT = "STATEMENT_TIMEOUT_IN_SECONDS"
_NO_TIMEOUT = 172_800
DEFAULT_PARAMETERS: dict[str, Any] = {
    "AUTOCOMMIT": True,
    "LOCK_TIMEOUT": 60,
    "QUERY_TAG": "",
    _TIMEOUT: _NO_TIMEOUT,
    "TIMEZONE": "UTC",
}
_DDL = (exp.Create, exp.Drop, exp.Alter, exp.Comment, exp.TruncateTable)
_DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy)


@dataclass(frozen=True)
class Account:
    """What all sessions of the server share."""

    storage: Storage
    lock: WriteLock
    faults: FaultList
    holds: Holds
    log: StatementLog
    plans: Plans


@dataclass(frozen=True)
class Login:
    """The names of a login request, upper case."""

    user: str
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None


class Watch:
    """Stops one statement at its timeout or when the client cancels it."""

    def __init__(self, session: Session, seconds: float) -> None:
        self.seconds = seconds
        self._session = session
        self._reason: SnowflakeError | None = None
        self._over = False
        self._guard = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire) if 0 < seconds < _NO_TIMEOUT else None
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def _expire(self) -> None:
        message = (
            f"Statement reached its statement or warehouse timeout of {self.seconds:g} second(s) and was canceled."
        )
        self.stop(SnowflakeError(STATEMENT_TIMEOUT, message))

    def stop(self, reason: SnowflakeError) -> None:
        """Interrupt the statement, unless it is over."""
        with self._guard:
            if not self._over:
                self._reason = self._reason or reason
                self._session.connection._duck_conn.interrupt()

    def check(self) -> None:
        """Raise when the statement must stop."""
        if self._reason:
            raise self._reason

    def finish(self) -> None:
        """The statement is over: interrupt nothing that comes after it."""
        with self._guard:
            self._over = True
        if self._timer:
            self._timer.cancel()

    def sleep(self, seconds: float) -> None:
        """Wait, at most until the statement must stop."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.05))

    def wait(self, event: threading.Event) -> None:
        """Wait for an event, at most until the statement must stop."""
        while not event.wait(0.05):
            self.check()


class Session:
    """A logged-in client. One statement runs at a time."""

    def __init__(self, account: Account, session_id: int, login: Login, parameters: Mapping[str, Any]) -> None:
        self.account = account
        self.session_id = session_id
        self.login = login
        self.role = login.role
        self.warehouse = login.warehouse
        self.parameters = {**DEFAULT_PARAMETERS, **{name.upper(): value for name, value in parameters.items()}}
        self.connection: FakeSnowflakeConnection = account.storage.instance.connect(login.database, login.schema)
        self.transactions = Transactions(self.connection._duck_conn, account.lock, self)
        self.transactions.autocommit = session_statements.as_boolean(self.parameters["AUTOCOMMIT"])
        self.last_query_id: str | None = None
        self.idle_since = time.monotonic()
        self._busy = threading.RLock()
        self._watch: Watch | None = None
        self._temporary: set[tuple[str, str, str]] = set()

    def execute(self, text: str, rows: list[list[Any]], client_port: int = 0) -> Result:
        """Run one statement.

        :param rows: bind values; more than one row for an array binding
        :param client_port: where it came from
        :raises SnowflakeError: for every failure
        """
        with self._busy:
            started = time.perf_counter()
            errno, rows_sent, bytes_sent = None, 0, 0
            self._watch = watch = Watch(self, float(self.parameters[_TIMEOUT]))
            statement: Statement | None = None
            try:
                fault = self.account.faults.take(text)
                self._apply(fault, watch)
                self._hold_if(fault, "before", text, client_port, watch)
                context = self._context()
                occurrence = self.account.plans.occurrence(text, context) if not any(rows) else None
                known = occurrence and self.account.plans.find(occurrence, context)
                if known:
                    statement, translation = known
                    result = self._run_translated(statement, translation, context, watch)
                else:
                    statement = parse(text)
                    result = self._run(statement, rows, occurrence, watch)
                self._hold_if(fault, "after", text, client_port, watch)
                rows_sent, bytes_sent = result.rows, result.size
                return result
            except Exception as error:
                failure = self._as_snowflake_error(error, statement, watch)
                errno = failure.errno
                raise failure from error
            finally:
                watch.finish()
                self.idle_since = time.monotonic()
                milliseconds = (time.perf_counter() - started) * 1000
                tag = str(self.parameters["QUERY_TAG"])
                self.account.log.add(self.session_id, tag, text, milliseconds, errno, rows_sent, bytes_sent)

    def cancel(self) -> None:
        """Stop the running statement, as the client asked."""
        if watch := self._watch:
            watch.stop(SnowflakeError(CANCELED, "SQL execution canceled"))

    def close(self) -> None:
        """Roll back and close."""
        self.cancel()
        with self._busy:
            self.transactions.rollback()
            self.connection.close()

    def give_up_if_idle(self, idle_limit_seconds: float) -> bool:
        """Roll back when a client has done nothing inside a transaction for too long; called by whoever waits."""
        if not self._busy.acquire(blocking=False):
            return False
        try:
            idle = time.monotonic() - self.idle_since
            if idle <= idle_limit_seconds or not self.transactions.writing:
                return False
            self.transactions.abandon(
                f"The transaction of session {self.session_id} was rolled back: it was idle for {idle:.0f} s "
                "while another statement waited for its lock. Start it again."
            )
            return True
        finally:
            self._busy.release()

    def _apply(self, fault: Fault | None, watch: Watch) -> None:
        if fault is not None:
            watch.sleep(fault.delay_seconds)
            watch.check()
            if fault.errno is not None:
                raise SnowflakeError((fault.errno, fault.sqlstate), fault.message)

    def _hold_if(self, fault: Fault | None, when: str, text: str, client_port: int, watch: Watch) -> None:
        if fault is not None and fault.hold == when:
            tag = str(self.parameters["QUERY_TAG"])
            self.account.holds.keep(self.session_id, tag, text, client_port, watch.wait)

    def _run_translated(self, statement: Statement, translation: Translation, context: Context, watch: Watch) -> Result:
        cursor = self._cursor(context)
        with self._scope(statement.expression, watch):
            cursor.run_translated(translation)
            watch.check()
        return self._result(cursor, statement.expression, None)

    def _run(self, statement: Statement, rows: list[list[Any]], occurrence: Occurrence | None, watch: Watch) -> Result:
        expression = statement.expression
        if (reply := session_statements.run(self, statement)) is not None:
            expression, occurrence = reply, None
        context = self._context()
        cursor = self._cursor(context)
        total = 0
        with self._scope(expression, watch):
            parts = self._parts(expression, statement.or_alter)
            for row in rows or [[]]:
                for part in parts:
                    translation = cursor.run(part, row)
                    watch.check()
                total += cursor.rowcount or 0
        if isinstance(expression, _DDL) and not self._is_temporary(expression):
            self.account.plans.forget()
        elif occurrence is not None and translation is not None and len(parts) == 1:
            self.account.plans.learn(occurrence, context, statement, translation)
        return self._result(cursor, expression, total if len(rows) > 1 else None)

    def _scope(self, expression: exp.Expr, watch: Watch) -> AbstractContextManager[None]:
        """The locks and the transaction in which a statement runs."""
        lock_timeout = float(self.parameters["LOCK_TIMEOUT"])
        if self._is_temporary(expression):
            # A temporary table concerns nobody else, so it needs no lock; as DDL it commits all the same.
            self.transactions.commit()
            scope = self.transactions.reading()
        elif isinstance(expression, _DDL):
            scope = self.transactions.changing_schema(lock_timeout, watch.check)
        elif isinstance(expression, _DML):
            scope = self.transactions.writing_rows(lock_timeout, watch.check)
        else:
            scope = self.transactions.reading()
        if not isinstance(expression, (exp.Rollback, exp.Commit)):
            self.transactions.raise_if_lost()
        return scope

    def _parts(self, expression: exp.Expr, or_alter: bool) -> list[exp.Expr]:
        if not (or_alter and isinstance(expression, exp.Create) and isinstance(expression.this, exp.Schema)):
            return [expression]
        database, schema, name = self._context().resolve(expression.this.this)
        rows = self.connection._duck_conn.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ? "
            "ORDER BY column_index",
            [database, schema, name],
        ).fetchall()
        return create_or_alter.as_changes(expression, [column for (column,) in rows])

    def _is_temporary(self, expression: exp.Expr) -> bool:
        return isinstance(expression, exp.Create) and expression.find(exp.TemporaryProperty) is not None

    def _cursor(self, context: Context) -> EmbeddedCursor:
        cursor = EmbeddedCursor(self.connection, self.connection._duck_conn)
        cursor.transactions = self.transactions
        cursor.context = context
        return cursor

    def _context(self) -> Context:
        return Context(
            now=datetime.datetime.now(datetime.UTC),
            user=self.login.user,
            role=self.role,
            warehouse=self.warehouse,
            database=self.connection.database if self.connection.database_set else None,
            schema=self.connection.schema if self.connection.schema_set else None,
            session_id=self.session_id,
            last_query_id=self.last_query_id,
            temporary=self._temporary,
        )

    def _result(self, cursor: EmbeddedCursor, expression: exp.Expr, batch_total: int | None) -> Result:
        rowtype = describe(cursor._describe_last_sql())
        table = cursor._arrow_table
        type_id = statement_type_id(expression)
        self.last_query_id = cursor.sfqid or str(uuid.uuid4())
        if batch_total is not None and type_id in DML_TYPE_IDS:
            body: dict[str, Any] = {"queryResultFormat": "json", "rowset": [[str(batch_total)]]}
        elif table is None:
            body = {"queryResultFormat": "arrow", "rowsetBase64": ""}
        elif type_id in DML_TYPE_IDS:
            body = encode_counts(table)
        else:
            body = encode_table(table, rowtype)
        return Result(self.last_query_id, type_id, rowtype, table.num_rows if table is not None else 0, body)

    def _as_snowflake_error(self, error: Exception, statement: Statement | None, watch: Watch) -> SnowflakeError:
        try:
            watch.check()
        except SnowflakeError as stopped:
            return stopped

        def missing() -> str | None:
            if statement is None:
                return None
            temporary = frozenset(name for _, _, name in self._temporary)
            connection = self.connection
            return find_missing_object(
                statement.expression, connection._duck_conn, connection.database, connection.schema, temporary
            )

        return translate(error, missing)
