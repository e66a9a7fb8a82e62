"""Snowflake's error numbers: what each means for a try, and where the number comes from.

The numbers (https://github.com/snowflakedb/snowflake-jdbc, ``ErrorCode.java``): below 100000 the SQL compiler and the
services, 100000 to 199999 the execution of a statement (their messages quote *data*), 200000 to 299999 the client,
300000 and above the services again.

Four things can happen to a try, three of which are here. The fourth, *not ready* (looked at again later, not
counted), follows from a look at the view and not from an error: no number leads to it. See
:mod:`include.enrichment.readiness`.
``docs/errors.md`` is generated from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ErrorClass(Enum):
    """What the queue does with a failed try."""

    TRANSIENT = "tried again, by Airflow within 30 seconds, then by the queue"
    NO_PRIVILEGE = "tried again in an hour, without counting the try"
    PERMANENT = "failed at once"


@dataclass(frozen=True)
class Verdict:
    """How an error is treated.

    :param meaning: what Snowflake or the connector says with the number
    :param source: of the number: a page, a file of a Snowflake client, or Snowflake's own message
    :param quotes_names: what the message has in quotes are names of objects, needed to act; anything else may be data
    """

    error_class: ErrorClass
    reason_code: str
    next_action: str
    meaning: str = ""
    source: str = ""
    quotes_names: bool = False


_DOCS = "https://docs.snowflake.com/en/"
_CLI = "snowflake-cli `api/errno.py`: "
_GO = "gosnowflake `internal/errors/errors.go`: "
_JDBC = "snowflake-jdbc `SnowflakeUtil.java`: "
_CODE = "snowflake-connector-python `errorcode.py`: "
_NETWORK = "snowflake-connector-python `network.py`: "
_TERRAFORM = "terraform-provider-snowflake `pkg/testacc`: "
_MESSAGE = "Snowflake's message: "

_RETRIED = "It is tried again by itself."
_SETUP = "Run the DAG enrichment_setup, then retry the run."
_REPORT = "This is a defect of the package or a changed view: report it with the query id."
_CREDENTIALS = "Correct the credentials in the Airflow connection."
_KEY_PAIR = "Correct the key pair in the Airflow connection."
_TOKEN = "Give the Airflow connection a new token."
_ROLE = "Grant the Airflow connection's role to its user."
_CONNECTION = "Correct the Airflow connection."
_REACHABLE = "If it stays so, check that the workers reach Snowflake (proxy, firewall, account name). " + _RETRIED


def _transient(reason_code: str, next_action: str, meaning: str, source: str, **more: bool) -> Verdict:
    return Verdict(ErrorClass.TRANSIENT, reason_code, next_action, meaning, source, **more)


def _permanent(reason_code: str, next_action: str, meaning: str, source: str, **more: bool) -> Verdict:
    return Verdict(ErrorClass.PERMANENT, reason_code, next_action, meaning, source, **more)


_STATEMENT: dict[int, Verdict] = {
    603: _transient(
        "SNOWFLAKE_INTERNAL",
        _RETRIED + " If it stays so, give Snowflake's support the query id.",
        "SQL execution internal error",
        _MESSAGE + "000603 (XX000): Processing aborted by error 300002; " + _DOCS + "user-guide/query-troubleshooting",
    ),
    604: _transient(
        "CANCELED",
        "The statement was canceled. " + _RETRIED,
        "SQL execution canceled",
        "snowflake-connector-python `test/integ/test_query_cancelling.py`",
    ),
    606: _permanent(
        "NO_WAREHOUSE",
        "Set a warehouse in the connection, and grant its role USAGE on it, then retry the run.",
        "No active warehouse selected in the current session",
        _CLI + "NO_WAREHOUSE_SELECTED_IN_SESSION",
        quotes_names=True,
    ),
    608: _transient(
        "WAREHOUSE_SUSPENDED",
        "Resume the warehouse, or set its AUTO_RESUME to TRUE. " + _RETRIED,
        "Warehouse '...' is suspended",
        _MESSAGE + "000608 (57P03); " + _DOCS + "user-guide/warehouses-overview#auto-suspension-and-auto-resumption",
        quotes_names=True,
    ),
    625: _transient(
        "LOCKED",
        "Another transaction holds the table, or too many statements wait for it. " + _RETRIED,
        "Waited for a lock, or more than 20 statements wait for one",
        _MESSAGE + "000625 (57014): ... exceeds the 20 statements limit; " + _DOCS + "sql-reference/transactions",
        quotes_names=True,
    ),
    630: _transient(
        "TIMEOUT",
        _RETRIED + " If it stays so, raise FLAKEBENCH_ENRICHMENT_STATEMENT_TIMEOUT_SECONDS or the warehouse's size.",
        "Statement reached its statement or warehouse timeout",
        _TERRAFORM + "000630 (57014); " + _DOCS + "sql-reference/parameters#statement-timeout-in-seconds",
    ),
    90073: _transient(
        "QUOTA_EXCEEDED",
        "Raise the quota of the resource monitor, or use another warehouse. " + _RETRIED,
        "Warehouse '...' cannot be resumed because resource monitor '...' has exceeded its quota",
        _MESSAGE + "090073 (22000); " + _DOCS + "user-guide/resource-monitors",
        quotes_names=True,
    ),
    90105: _permanent(
        # the role lacks USAGE on it, or it does not exist
        "NO_DATABASE",
        "Do what the doctor's check connection says (make doctor).",
        "This session does not have a current database",
        _TERRAFORM + "090105 (22000)",
        quotes_names=True,
    ),
}

_COMPILATION: dict[int, Verdict] = {
    904: _permanent(
        "INVALID_IDENTIFIER", _SETUP, "Invalid identifier: a column that is not there",
        _MESSAGE + "000904 (42000): invalid identifier; " + _DOCS + "sql-reference/identifiers",
        quotes_names=True,
    ),
    1003: _permanent("SYNTAX", _REPORT, "Syntax error", _CLI + "SQL_COMPILATION_ERROR"),
    2003: _permanent(
        "MISSING_OBJECT", _SETUP, "Object does not exist or not authorized",
        _CLI + "DOES_NOT_EXIST_OR_NOT_AUTHORIZED", quotes_names=True,
    ),
    2037: _permanent(
        "MISSING_OBJECT", _SETUP, "Failure during expansion of a view", _CLI + "VIEW_EXPANSION_FAILED",
        quotes_names=True,
    ),
    2043: _permanent(
        "MISSING_OBJECT", _SETUP, "Object does not exist or operation cannot be performed",
        _CLI + "DOES_NOT_EXIST_OR_CANNOT_BE_PERFORMED", quotes_names=True,
    ),
    2140: _permanent(
        "UNKNOWN_FUNCTION", _REPORT, "Unknown function",
        "snowflake-connector-python `test/integ/test_dbapi.py`", quotes_names=True,
    ),
    3001: _permanent(
        "NO_PRIVILEGE", "Grant the role the privilege, then retry the run.", "Insufficient privileges",
        _CLI + "INSUFFICIENT_PRIVILEGES", quotes_names=True,
    ),
    3013: _permanent("NO_PRIVILEGE", _ROLE, "Role is not assigned", _CLI + "ROLE_NOT_ASSIGNED", quotes_names=True),
}  # fmt: skip

_EXECUTION: dict[int, Verdict] = {
    100035: _permanent(
        "BAD_VALUE", _REPORT, "Timestamp '...' is not recognized", _MESSAGE + "100035 (22007)"
    ),
    100038: _permanent(
        "BAD_VALUE", _REPORT, "Numeric value '...' is not recognized", _DOCS + "sql-reference/functions/bitand_agg"
    ),
    100071: _permanent(
        "BAD_VALUE", _REPORT, "Failed to cast variant value ... to a type", _MESSAGE + "100071 (22000)"
    ),
    100072: _permanent(
        "BAD_VALUE", _REPORT, "NULL result in a non-nullable column", "snowflake-connector-python `cursor.py`"
    ),
    100078: _permanent(
        "BAD_VALUE", _REPORT, "String '...' is too long and would be truncated",
        _DOCS + "sql-reference/data-type-conversion",
    ),
    100090: _permanent(
        "DUPLICATE_ROWS", _REPORT, "Duplicate row detected during DML action", _DOCS + "sql-reference/sql/merge"
    ),
    100132: _permanent("BAD_VALUE", _REPORT, "Execution error inside a function", _CLI + "ERR_JAVASCRIPT_EXECUTION"),
}  # fmt: skip

_CLIENT: dict[int, Verdict] = {
    250001: _transient("NETWORK", _REACHABLE, "Failed to connect", _CODE + "ER_FAILED_TO_CONNECT_TO_DB"),
    250002: _transient("NETWORK", _RETRIED, "Connection is closed", _CODE + "ER_CONNECTION_IS_CLOSED"),
    250003: _transient("NETWORK", _REACHABLE, "Failed to execute request", _CODE + "ER_FAILED_TO_REQUEST"),
    250005: _transient("NETWORK", _REACHABLE, "Failed at the server", _CODE + "ER_FAILED_TO_SERVER"),
    250006: _transient("NETWORK", _REACHABLE, "Identity provider not reached", _CODE + "ER_IDP_CONNECTION_ERROR"),
    251001: _permanent("BAD_CONNECTION", _CONNECTION, "No account name", _CODE + "ER_NO_ACCOUNT_NAME"),
    251005: _permanent("BAD_CONNECTION", _CONNECTION, "No user", _CODE + "ER_NO_USER"),
    251006: _permanent("BAD_CONNECTION", _CONNECTION, "No password", _CODE + "ER_NO_PASSWORD"),
    251007: _permanent("BAD_CONNECTION", _CONNECTION, "Invalid value of a parameter", _CODE + "ER_INVALID_VALUE"),
    251008: _permanent("BAD_CONNECTION", _KEY_PAIR, "Invalid private key", _CODE + "ER_INVALID_PRIVATE_KEY"),
    251009: _permanent("BAD_CONNECTION", _CONNECTION, "No host name", _CODE + "ER_NO_HOSTNAME_FOUND"),
    251010: _transient("NETWORK", _RETRIED, "Time for a login with a key pair is up", _CODE + "ER_JWT_RETRY_EXPIRED"),
    251011: _transient("NETWORK", _REACHABLE, "Connection timeout", _CODE + "ER_CONNECTION_TIMEOUT"),
    251012: _transient("NETWORK", _REACHABLE, "A request that may be repeated", _CODE + "ER_RETRYABLE_CODE"),
    252006: _transient("NETWORK", _RETRIED, "Cursor is closed", _CODE + "ER_CURSOR_IS_CLOSED"),
    252007: _transient(
        "SESSION_EXPIRED", _RETRIED, "Failed to renew the session", _CODE + "ER_FAILED_TO_RENEW_SESSION"
    ),
    252010: _transient("NETWORK", _RETRIED, "A part of a result was not fetched", _CODE + "ER_CHUNK_DOWNLOAD_FAILED"),
    252013: _transient("NETWORK", _RETRIED, "A part of a result is incomplete", _CODE + "ER_INCOMPLETE_RESULT_CHUNK"),
    255005: _transient("NETWORK", _RETRIED, "A result cannot be read", _CODE + "ER_FAILED_TO_READ_ARROW_STREAM"),
}

_LOGIN: dict[int, Verdict] = {
    370001: _transient("SNOWFLAKE_INTERNAL", _RETRIED, "Internal error at login", _MESSAGE + "370001 (08001)"),
    390100: _permanent(
        "LOGIN_REFUSED", _CREDENTIALS, "Incorrect username or password", _NETWORK + "AUTHORIZATION_FAILURE"
    ),
    390110: _transient("SESSION_EXPIRED", _RETRIED, "Id token expired", _NETWORK + "ID_TOKEN_EXPIRED_GS_CODE"),
    390111: _transient("SESSION_EXPIRED", _RETRIED, "Session is gone", _GO + "ErrSessionGone"),
    390112: _transient("SESSION_EXPIRED", _RETRIED, "Session expired", _NETWORK + "SESSION_EXPIRED_GS_CODE"),
    390113: _transient(
        "SESSION_EXPIRED", _RETRIED, "Master token not found", _NETWORK + "MASTER_TOKEN_NOTFOUND_GS_CODE"
    ),
    390114: _transient("SESSION_EXPIRED", _RETRIED, "Master token expired", _NETWORK + "MASTER_TOKEN_EXPIRED_GS_CODE"),
    390115: _transient("SESSION_EXPIRED", _RETRIED, "Master token invalid", _NETWORK + "MASTER_TOKEN_INVALD_GS_CODE"),
    390144: _permanent(
        "LOGIN_REFUSED", _KEY_PAIR, "JWT token is invalid", _DOCS + "user-guide/key-pair-auth-troubleshooting"
    ),
    390186: _permanent(
        "LOGIN_REFUSED", _ROLE, "Role '...' specified in the connect string is not granted to this user",
        _MESSAGE + "390186 (08001)", quotes_names=True,
    ),
    390189: _permanent(
        "LOGIN_REFUSED", _ROLE, "Role '...' does not exist or not authorized", _GO + "ErrRoleNotExist",
        quotes_names=True,
    ),
    390195: _permanent(
        "LOGIN_REFUSED", _TOKEN, "Id token is invalid", _JDBC + "ID_TOKEN_INVALID_LOGIN_REQUEST_GS_CODE"
    ),
    390201: _permanent(
        "LOGIN_REFUSED", _CONNECTION, "Database, schema or warehouse of the login does not exist or not authorized",
        _GO + "ErrObjectNotExistOrAuthorized", quotes_names=True,
    ),
    390303: _permanent(
        "LOGIN_REFUSED", _TOKEN, "OAuth access token is invalid", _NETWORK + "OAUTH_ACCESS_TOKEN_INVALID_GS_CODE"
    ),
    390318: _permanent(
        "LOGIN_REFUSED", _TOKEN, "OAuth access token expired", _NETWORK + "OAUTH_ACCESS_TOKEN_EXPIRED_GS_CODE"
    ),
    390422: _permanent(
        "LOGIN_REFUSED", "Add the workers' addresses to the account's network policy.",
        "Incoming request with IP/Token ... is not allowed to access Snowflake",
        _MESSAGE + "390422 (08004); " + _DOCS + "user-guide/network-policies",
    ),
    **{
        number: _permanent("LOGIN_REFUSED", _KEY_PAIR, meaning, _NETWORK + "CREDENTIAL_REJECTION_GS_CODES")
        for number, meaning in {
            394300: "JWT token is invalid",
            394301: "JWT token expired",
            394302: "JWT token is not yet valid",
            394303: "JWT token lives too long",
            394304: "JWT token was made with another key",
        }.items()
    },
}  # fmt: skip

ERROR_NUMBERS: dict[int, Verdict] = {**_STATEMENT, **_COMPILATION, **_EXECUTION, **_CLIENT, **_LOGIN}
"""Snowflake error number to verdict; a number that is not listed is transient, so that nothing is given up rashly."""

ERROR_RANGES: dict[range, Verdict] = {
    range(254000, 255000): _transient(
        "NETWORK", "If it stays so, let the workers reach the servers that certificates are checked with. " + _RETRIED,
        "A certificate could not be checked", _CODE + "ER_OCSP_...",
    ),
    range(290000, 291000): _transient(
        "NETWORK", _REACHABLE, "HTTP status 290000 less, after the connector's own retries",
        _CODE + "ER_HTTP_GENERAL_ERROR",
    ),
}  # fmt: skip
"""Numbers that the connector makes by addition."""

UNLISTED = Verdict(ErrorClass.TRANSIENT, "SNOWFLAKE_ERROR", _RETRIED)
UNREACHABLE = Verdict(ErrorClass.TRANSIENT, "NETWORK", _REACHABLE)
"""Of an error without a number, of the connector or below it, that comes from the network."""

ROLE_NUMBERS = frozenset({390186, 390189})
"""Of the role that a login asks for: it does not exist, or the user does not have it."""

DATA_NUMBERS = range(100_000, 200_000)
"""Errors of a statement's execution: their messages quote data."""


def verdict_by_number(number: int) -> Verdict | None:
    """What the table says of a number; None: it is not listed."""
    if number in ERROR_NUMBERS:
        return ERROR_NUMBERS[number]
    return next((verdict for numbers, verdict in ERROR_RANGES.items() if number in numbers), None)
