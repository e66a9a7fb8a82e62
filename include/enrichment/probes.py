"""How the doctor asks Snowflake: one session per check, statements by name, errors in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.enrichment.error_numbers import ERROR_NUMBERS, ROLE_NUMBERS, UNLISTED, ErrorClass
from include.enrichment.errors import as_entered, is_privilege_error, quoted, safe_text
from include.enrichment.findings import Finding, Status
from include.enrichment.settings import PREFIX
from include.enrichment.snowflake import open_hook, rows_as_mappings
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.errors import Error as SnowflakeError

    from include.enrichment.settings import Settings

PROBE_TIMEOUT_SECONDS = 30
"""STATEMENT_TIMEOUT_IN_SECONDS of a probe: an answer, or the reason why there is none."""

PROBE_LOCK_TIMEOUT_SECONDS = 5
"""LOCK_TIMEOUT of a probe: it must not wait for a live benchmark."""

_NAME = re.compile(r"^-- probe: (.+)$", re.MULTILINE)
_CONNECTION_NUMBERS = range(250000, 252000)
_LOGIN_NUMBERS = range(390000, 400000)
_CORRECT = (
    "Correct the Airflow connection, or in Snowflake what keeps its user from logging in (a network policy, a lock, an "
    "expired token)."
)
_RUN_AGAIN = "Run the doctor again; if it stays so, look whether Snowflake and the warehouse are well."

_UNKNOWN_ROLE = "<the connection's role>"

Row = dict[str, Any]


def statements(path: str, settings: Settings) -> dict[str, str]:
    """The statements of a template of ``include/sql/doctor`` by the name in ``-- probe: <name>``."""
    _, *pieces = _NAME.split(render(path, settings))
    return {name: text.strip().rstrip(";") for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


@dataclass(frozen=True)
class Identity:
    """Who asks. A name that is None is not set, or the role may not use it."""

    user: str | None = None
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None

    @property
    def grantee(self) -> str:
        """The role as a GRANT has to write it."""
        return quoted(self.role) if self.role else _UNKNOWN_ROLE

    def __str__(self) -> str:
        return f"role {self.role or _UNKNOWN_ROLE}, user {self.user or '<unknown>'}"


@dataclass(frozen=True)
class ProbeSession:
    """One session, for the few statements of one check."""

    connection: SnowflakeConnection
    settings: Settings

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement.

        :raises snowflake.connector.errors.Error: Snowflake refused it
        """
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(statement, dict(parameters) if parameters else None)
            return rows_as_mappings(cursor)

    def probe(self, path: str, name: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one named statement of a template."""
        return self.rows(statements(path, self.settings)[name], parameters)

    def identity(self) -> Identity:
        """Who this session is."""
        (row,) = self.probe("doctor/session.sql", "identity")
        names = ("USER_NAME", "ROLE_NAME", "WAREHOUSE_NAME", "DATABASE_NAME", "SCHEMA_NAME")
        return Identity(*(row[name] for name in names))


@dataclass(frozen=True)
class Probe:
    """One check of one subject.

    :param conn_id: Airflow connection
    """

    conn_id: str
    settings: Settings
    check: str
    subject: str

    def hook(self, *, is_bounded: bool = True) -> SnowflakeHook:
        """The hook of the package.

        :param is_bounded: with :data:`PROBE_TIMEOUT_SECONDS`; otherwise the session is that of an enrichment
        """
        if not is_bounded:
            return open_hook(self.conn_id, self.settings)
        seconds = min(PROBE_TIMEOUT_SECONDS, self.settings.statement_timeout_seconds)
        bounded = self.settings.model_copy(update={"statement_timeout_seconds": seconds})
        return open_hook(self.conn_id, bounded, lock_timeout_seconds=PROBE_LOCK_TIMEOUT_SECONDS)

    @contextmanager
    def session(self, *, is_bounded: bool = True) -> Iterator[ProbeSession]:
        """Log in, and out at the end."""
        with closing(self.hook(is_bounded=is_bounded).get_conn()) as connection:
            yield ProbeSession(connection, self.settings)

    def ok(self, message: str) -> Finding:
        return Finding(self.check, self.subject, Status.OK, message)

    def warning(self, message: str, next_action: str) -> Finding:
        return Finding(self.check, self.subject, Status.WARNING, message, next_action)

    def failed(self, message: str, next_action: str) -> Finding:
        return Finding(self.check, self.subject, Status.FAILED, message, next_action)

    def refused(self, what: str, error: SnowflakeError, who: Identity, next_action: str) -> Finding:
        """A failure because of an error of Snowflake's.

        :param what: what was tried, for instance ``cannot read FLAKEBENCH.TEST_RESULTS.RUN_STATUS``
        """
        return self.failed(f"{what}: {describe(error)}. Current {who}.", next_action)

    def unanswered(self, error: BaseException) -> Finding:
        """A failure for a reason that the check itself does not know: the connection, the network, a defect."""
        number = getattr(error, "errno", None) or 0
        if not hasattr(error, "errno"):
            next_action = "Look at the connection and at the task's log; report it if neither says why."
            return self.failed(f"{type(error).__name__}: {safe_text(error)}.", next_action)
        next_action = self._next_action(number)
        is_login = number in _CONNECTION_NUMBERS or number in _LOGIN_NUMBERS
        who = Identity() if is_login else self._identity_of_another_session()
        asked_as = f" Current {who}." if who.user else f" Airflow connection {self.conn_id}."
        return self.failed(f"{describe(error)}.{asked_as}", next_action)

    def _next_action(self, number: int) -> str:
        if number in ROLE_NUMBERS:
            return self._role_grant()
        if number in _LOGIN_NUMBERS and number not in ERROR_NUMBERS:
            return _CORRECT
        verdict = ERROR_NUMBERS.get(number, UNLISTED)
        return _RUN_AGAIN if verdict.error_class is ErrorClass.TRANSIENT else verdict.next_action

    def _role_grant(self) -> str:
        connection = self.hook().get_connection(self.conn_id)
        role = self.settings.role or connection.extra_dejson.get("role")
        granted = as_entered(role) if role else _UNKNOWN_ROLE
        login = as_entered(connection.login) if connection.login else "<the connection's user>"
        return (
            f"As the role's owner or as SECURITYADMIN run: GRANT ROLE {granted} TO USER {login}; If there is no such "
            f"role, create it, or name another one in the Airflow connection or with {PREFIX}ROLE."
        )

    def _identity_of_another_session(self) -> Identity:
        try:
            with self.session() as session:
                return session.identity()
        except Exception:
            return Identity()  # the failure that is being described matters, not this one


def describe(error: BaseException) -> str:
    """An error of Snowflake's with its number, on one line."""
    text = safe_text(error).rstrip(".")
    number = getattr(error, "errno", None)
    return f"{text} (Snowflake error {number:06d})" if number else text


def is_locked(error: BaseException) -> bool:
    """Whether a statement only waited for a lock: then it was compiled, so the privilege is there."""
    verdict = ERROR_NUMBERS.get(getattr(error, "errno", None) or 0, UNLISTED)
    return verdict.reason_code == "LOCKED" and not is_privilege_error(error)
