"""What can go wrong in a try, and what follows from it: one table by Snowflake error number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.connector.errors import Error as SnowflakeError

    from include.enrichment.settings import Settings


class ErrorClass(Enum):
    """What the queue does with a failed try."""

    TRANSIENT = "tried again, by Airflow within 30 seconds, then by the queue"
    NO_PRIVILEGE = "tried again in an hour, without counting the try"
    PERMANENT = "failed at once"


class EnrichmentError(Exception):
    """A try that failed for a known reason.

    The message names the run, the type, the cause and the next action.
    """

    def __init__(self, message: str, reason_code: str, error_class: ErrorClass) -> None:
        super().__init__(message)
        self.reason_code = reason_code
        self.error_class = error_class


class ClaimLostError(Exception):
    """Somebody else holds the task; this try must not write."""


@dataclass(frozen=True)
class Verdict:
    """How an error is treated."""

    error_class: ErrorClass
    reason_code: str
    next_action: str


_RETRIED = "It is tried again by itself."
_SETUP = "Run the DAG enrichment_setup, then retry the run."
_REPORT = "This is a defect of the package or a changed view: report it with the query id."

ERROR_NUMBERS: dict[int, Verdict] = {
    # Snowflake server: https://docs.snowflake.com/en/user-guide/troubleshooting and connector errorcode.py
    604: Verdict(ErrorClass.TRANSIENT, "CANCELED", "The statement was canceled. " + _RETRIED),
    625: Verdict(ErrorClass.TRANSIENT, "LOCKED", "Too many statements wait for one lock. " + _RETRIED),
    630: Verdict(
        ErrorClass.TRANSIENT,
        "TIMEOUT",
        _RETRIED + " If it stays so, raise FLAKEBENCH_ENRICHMENT_STATEMENT_TIMEOUT_SECONDS or the warehouse's size.",
    ),
    610: Verdict(ErrorClass.TRANSIENT, "TIMEOUT", _RETRIED),
    639: Verdict(
        ErrorClass.TRANSIENT, "TIMEOUT", "The statement waited too long in the warehouse's queue. " + _RETRIED
    ),
    300002: Verdict(ErrorClass.TRANSIENT, "SNOWFLAKE_INTERNAL", _RETRIED),
    300005: Verdict(ErrorClass.TRANSIENT, "SNOWFLAKE_INTERNAL", _RETRIED),
    370001: Verdict(ErrorClass.TRANSIENT, "SNOWFLAKE_INTERNAL", _RETRIED),
    261000: Verdict(ErrorClass.TRANSIENT, "SNOWFLAKE_INTERNAL", _RETRIED),
    606: Verdict(ErrorClass.PERMANENT, "NO_WAREHOUSE", "Set a warehouse in the connection, then retry the run."),
    # "This session does not have a current database": the role lacks USAGE on it, or it does not exist
    90105: Verdict(ErrorClass.PERMANENT, "NO_DATABASE", "Do what the doctor's check connection says (make doctor)."),
    # compilation
    904: Verdict(ErrorClass.PERMANENT, "INVALID_IDENTIFIER", _SETUP),
    1003: Verdict(ErrorClass.PERMANENT, "SYNTAX", _REPORT),
    2140: Verdict(ErrorClass.PERMANENT, "UNKNOWN_FUNCTION", _REPORT),
    2003: Verdict(ErrorClass.PERMANENT, "MISSING_OBJECT", _SETUP),
    2043: Verdict(ErrorClass.PERMANENT, "MISSING_OBJECT", _SETUP),
    3001: Verdict(ErrorClass.PERMANENT, "NO_PRIVILEGE", "Grant the role the privilege, then retry the run."),
    # execution
    100090: Verdict(ErrorClass.PERMANENT, "DUPLICATE_ROWS", _REPORT),
    100035: Verdict(ErrorClass.PERMANENT, "BAD_VALUE", _REPORT),
    100038: Verdict(ErrorClass.PERMANENT, "BAD_VALUE", _REPORT),
    100078: Verdict(ErrorClass.PERMANENT, "BAD_VALUE", _REPORT),
    100132: Verdict(ErrorClass.PERMANENT, "BAD_VALUE", _REPORT),
    # connector (client side)
    250001: Verdict(ErrorClass.TRANSIENT, "NETWORK", "Check the connection if it stays so. " + _RETRIED),
    250002: Verdict(ErrorClass.TRANSIENT, "NETWORK", _RETRIED),
    250003: Verdict(ErrorClass.TRANSIENT, "NETWORK", _RETRIED),
    251001: Verdict(ErrorClass.PERMANENT, "BAD_CONNECTION", "Correct the account in the Airflow connection."),
    390100: Verdict(ErrorClass.PERMANENT, "LOGIN_REFUSED", "Correct the credentials in the Airflow connection."),
    390144: Verdict(ErrorClass.PERMANENT, "LOGIN_REFUSED", "Correct the key pair in the Airflow connection."),
    # "Role ... specified in the connect string is not granted to this user", "... does not exist or not authorized";
    # 390189 and 390111 are in https://github.com/snowflakedb/gosnowflake/blob/master/errors.go
    390186: Verdict(ErrorClass.PERMANENT, "LOGIN_REFUSED", "Grant the Airflow connection's role to its user."),
    390189: Verdict(ErrorClass.PERMANENT, "LOGIN_REFUSED", "Grant the Airflow connection's role to its user."),
    390111: Verdict(ErrorClass.TRANSIENT, "SESSION_EXPIRED", _RETRIED),
    390114: Verdict(ErrorClass.TRANSIENT, "SESSION_EXPIRED", _RETRIED),
    390112: Verdict(ErrorClass.TRANSIENT, "SESSION_EXPIRED", _RETRIED),
}
"""Snowflake error number to verdict; a number that is not listed is transient, so that nothing is given up rashly."""

UNLISTED = Verdict(ErrorClass.TRANSIENT, "SNOWFLAKE_ERROR", _RETRIED)

ROLE_NUMBERS = frozenset({390186, 390189})
"""Of the role that a login asks for: it does not exist, or the user does not have it."""

_PRIVILEGE_NUMBERS = frozenset({2003, 2043, 3001})
_INSUFFICIENT_PRIVILEGE = "42501"

VIEW_GRANTS: dict[str, str] = {
    # https://docs.snowflake.com/en/sql-reference/snowflake-db-roles
    "QUERY_HISTORY": "GOVERNANCE_VIEWER",
    "AGGREGATE_QUERY_HISTORY": "GOVERNANCE_VIEWER",
    "QUERY_INSIGHTS": "GOVERNANCE_VIEWER",
    "HYBRID_TABLE_USAGE_HISTORY": "USAGE_VIEWER",
}
"""The SNOWFLAKE database role that opens a view; a view that no database role is documented for is missing."""


_SNOWFLAKE_DATABASE = "SNOWFLAKE"
_PLAIN_NAME = re.compile(r"[A-Z_][A-Z0-9_$]*")


def quoted(name: str) -> str:
    """The name of a role, user or warehouse as a statement has to write it: in quotes unless it needs none."""
    if _PLAIN_NAME.fullmatch(name) or name.startswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


def as_entered(name: str) -> str:
    """:func:`quoted` for a name of an Airflow connection, where Snowflake reads a plain one in any case."""
    return name.upper() if _PLAIN_NAME.fullmatch(name.upper()) else quoted(name)


def view_grant(view: str, role: str, database: str) -> str:
    """Who lets a role read a view of ACCOUNT_USAGE, and with which statements.

    :param role: as a statement has to write it; see :func:`quoted`
    """
    who = "ACCOUNTADMIN" if database == _SNOWFLAKE_DATABASE else f"the owner of the database {database}"
    return f"As {who} run: {grant_statement(view, role, database)};"


def grant_statement(view: str, role: str, database: str) -> str:
    """The statements that let a role read a view of ACCOUNT_USAGE, without the last semicolon.

    The database roles exist in the database SNOWFLAKE only; another one holds copies, with grants of their own.
    """
    if database != _SNOWFLAKE_DATABASE:
        schema = f"{database}.ACCOUNT_USAGE"
        return (
            f"GRANT USAGE ON DATABASE {database} TO ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO ROLE {role}; "
            f"GRANT SELECT ON VIEW {schema}.{view} TO ROLE {role}"
        )
    database_role = VIEW_GRANTS.get(view)
    if database_role is None:
        return f"GRANT IMPORTED PRIVILEGES ON DATABASE {database} TO ROLE {role}"
    return f"GRANT DATABASE ROLE {database}.{database_role} TO ROLE {role}"


def is_privilege_error(error: BaseException) -> bool:
    """Whether a role lacks a privilege; an object that it may not see "does not exist or not authorized"."""
    return (
        getattr(error, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE
        or getattr(error, "errno", None) in _PRIVILEGE_NUMBERS
    )


def object_grants(privileges: str, kind: str, name: str, role: str, error_text: str = "") -> str:
    """The statements that open one object outside ACCOUNT_USAGE, without the last semicolon.

    ACCOUNTADMIN may run them, and the object's owner; when they begin with USAGE on its database, that one's owner.

    :param kind: ``TABLE``, ``VIEW``, ``SCHEMA``
    :param name: qualified
    :param role: as a statement has to write it; see :func:`quoted`
    :param error_text: what Snowflake said; USAGE is granted too when the database or schema is what it does not show
    """
    database, schema = name.split(".")[:2]
    statements = []
    if re.search(r"\bdatabase '", error_text, re.IGNORECASE):
        statements.append(f"GRANT USAGE ON DATABASE {database} TO ROLE {role}")
    if re.search(r"\b(database|schema) '", error_text, re.IGNORECASE):
        statements.append(f"GRANT USAGE ON SCHEMA {database}.{schema} TO ROLE {role}")
    statements.append(f"GRANT {privileges} ON {kind} {name} TO ROLE {role}")
    return "; ".join(statements)


def classify(error: SnowflakeError, settings: Settings, source_view: str, role: str) -> Verdict:
    """How to treat an error of the connector.

    :param source_view: the view that the enrichment type reads; QUERY_HISTORY is read by others as well
    :param role: for the GRANT in the message
    """
    number = error.errno or 0
    text = (error.msg or "").upper()
    if error.sqlstate == _INSUFFICIENT_PRIVILEGE or number in _PRIVILEGE_NUMBERS:
        view = _unreadable_view(text, settings, source_view)
        if view is not None:
            grant = view_grant(view, quoted(role), settings.account_usage_database)
            return Verdict(
                ErrorClass.NO_PRIVILEGE,
                "NO_PRIVILEGE",
                f"Role {role} cannot read {settings.account_usage}.{view}. {grant}",
            )
    return ERROR_NUMBERS.get(number, UNLISTED)


def _unreadable_view(text: str, settings: Settings, source_view: str) -> str | None:
    """The view of ACCOUNT_USAGE that an error message is about, if it is about one."""
    qualified = re.search(rf"{re.escape(settings.account_usage)}\.(\w+)", text)
    if qualified:
        return qualified.group(1)
    if re.search(rf"\b{re.escape(settings.account_usage_database)}\b", text) or f"'{source_view}'" in text:
        return source_view  # the whole database or schema is invisible
    return None


_LITERAL = re.compile(r"'(?:[^']|'')*'")
_MAX_MESSAGE = 2000


def safe_text(error: BaseException) -> str:
    """The text of an error for logs and tables: one line, bounded, without the connector's query text.

    Compilation errors quote object names, which are needed; nothing else in a message of Snowflake's holds data,
    but conversion errors quote the value ("Numeric value 'abc' is not recognized"), which is cut out.
    """
    text = getattr(error, "raw_msg", None) or getattr(error, "msg", None) or str(error)
    if getattr(error, "errno", None) in (100035, 100038, 100078, 100132):
        text = _LITERAL.sub("'...'", text)
    return " ".join(str(text).split())[:_MAX_MESSAGE]
