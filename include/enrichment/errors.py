"""What can go wrong in a try, and what follows from it; the numbers are in :mod:`include.enrichment.error_numbers`."""

from __future__ import annotations

import re
from http.client import HTTPException
from typing import TYPE_CHECKING

from include.enrichment.error_numbers import (
    DATA_NUMBERS,
    UNLISTED,
    UNREACHABLE,
    ErrorClass,
    Verdict,
    verdict_by_number,
)

if TYPE_CHECKING:
    from snowflake.connector.errors import Error as SnowflakeError

    from include.enrichment.settings import Settings


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
    return verdict_by_number(number) or (UNREACHABLE if is_network_error(error) else UNLISTED)


def is_network_error(error: BaseException) -> bool:
    """Whether an error without a number comes from the way to Snowflake, not from Snowflake.

    The connector raises some as its own without a number, and lets some of ``requests`` and ``urllib3`` (its own
    copies) and of the standard library through.
    """
    from snowflake.connector.errors import HttpError, InterfaceError, OperationalError, RequestExceedMaxRetryError
    from snowflake.connector.vendored.urllib3.exceptions import HTTPError

    if isinstance(error, (FileNotFoundError, PermissionError)):
        return False  # of a private key, for instance
    # RequestException, ssl.SSLError, TimeoutError and ConnectionError are OSErrors
    by_connector = (HttpError, InterfaceError, OperationalError, RequestExceedMaxRetryError)
    return isinstance(error, (*by_connector, HTTPError, HTTPException, OSError))


def _unreadable_view(text: str, settings: Settings, source_view: str) -> str | None:
    """The view of ACCOUNT_USAGE that an error message is about, if it is about one."""
    qualified = re.search(rf"{re.escape(settings.account_usage)}\.(\w+)", text)
    if qualified:
        return qualified.group(1)
    if re.search(rf"\b{re.escape(settings.account_usage_database)}\b", text) or f"'{source_view}'" in text:
        return source_view  # the whole database or schema is invisible
    return None


_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"])*\"")
_DATA = re.compile(
    r"(?<=variant value ).*(?= to )"  # Failed to cast variant value <value> to <type>
    r"|(?<=Row Values: ).*"  # Duplicate row detected during DML action Row Values: [<values>]
    r"|(?<=Error parsing JSON: ).*",
    re.DOTALL,
)
_MAX_MESSAGE = 2000


def safe_text(error: BaseException) -> str:
    """The text of an error for logs and tables: one line, bounded, without query text, data or secrets.

    The connector keeps the query beside the message. Inside the message of a statement's error, what is in quotes
    stays when the errors of this number quote names of objects, which are needed; otherwise it may be a value or a
    piece of the query, and is cut out.
    """
    from snowflake.connector.secret_detector import SecretDetector

    text = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
    number = getattr(error, "errno", None) or 0
    verdict = verdict_by_number(number)
    if number in DATA_NUMBERS:
        text = _DATA.sub("...", text)
    if 0 < number < DATA_NUMBERS.stop and not (verdict and verdict.quotes_names):
        text = _QUOTED.sub("'...'", text)
    masked = SecretDetector.mask_secrets(text).masked_text or ""
    return " ".join(masked.split())[:_MAX_MESSAGE]
