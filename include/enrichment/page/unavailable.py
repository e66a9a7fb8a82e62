"""Why an answer cannot be given now, and what to do: an error of the connector in the words of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from include.enrichment.access import own_objects
from include.enrichment.error_numbers import ROLE_NUMBERS, UNLISTED, ErrorClass, verdict_by_number
from include.enrichment.errors import (
    grant_statement,
    is_network_error,
    is_privilege_error,
    object_grants,
    quoted,
    safe_text,
)

if TYPE_CHECKING:
    from include.enrichment.settings import Settings

_UNKNOWN_ROLE = "<the connection's role>"
_NO_WAREHOUSE = 606
_INVALID_IDENTIFIER = 904
_NAMED_OBJECT = re.compile(r"'([\w$]+(?:\.[\w$]+)+)'")
_LOGIN_NUMBERS = range(390000, 400000)


class Cause(StrEnum):
    """Why Snowflake gives no answer; part of the problem's ``type``."""

    UNREACHABLE = "unreachable"
    LOGIN_REFUSED = "login-refused"
    MISSING_GRANT = "missing-grant"
    NOT_SET_UP = "not-set-up"
    CONFIGURATION = "configuration"
    BUSY = "busy"
    REFUSED = "statement-refused"


_TITLES = {
    Cause.UNREACHABLE: "Snowflake cannot be reached",
    Cause.LOGIN_REFUSED: "Snowflake refuses the login",
    Cause.MISSING_GRANT: "A privilege is missing",
    Cause.NOT_SET_UP: "The tables of the enrichment are not there yet",
    Cause.CONFIGURATION: "A setting has to be corrected",
    Cause.BUSY: "Another pass holds the queue",
    Cause.REFUSED: "Snowflake could not answer",
}


@dataclass(eq=False)  # frozen would break contextlib, which sets __traceback__
class Unavailable(Exception):  # noqa: N818 - a state of the deployment, not a defect
    """No answer now.

    :param detail: what Snowflake or Airflow said, without query text or secrets
    :param next_action: what to do, and who does it
    :param statement: SQL to run, for copying; empty when there is none
    """

    cause: Cause
    detail: str
    next_action: str
    statement: str = ""

    @property
    def title(self) -> str:
        """In one line, for a heading."""
        return _TITLES[self.cause]

    @property
    def is_passing(self) -> bool:
        """Whether it may go away by itself, so that asking again is worth it."""
        return self.cause in {Cause.UNREACHABLE, Cause.BUSY, Cause.REFUSED}

    def __str__(self) -> str:
        return f"{self.title}: {self.detail} {self.next_action}"


def explain(error: BaseException, settings: Settings, *, role: str | None, conn_id: str) -> Unavailable:
    """What an error of the connector, or of looking up the connection, means for somebody who looks at the page.

    :param role: of the session; None: it is not known
    :param conn_id: the Airflow connection, to name it
    """
    number = int(getattr(error, "errno", None) or 0)
    text = safe_text(error).rstrip(".")
    detail = f"{text} (Snowflake error {number:06d})." if number else f"{text}."
    if is_privilege_error(error):
        return _missing(text, detail, settings, role)
    if number == _INVALID_IDENTIFIER:
        return Unavailable(Cause.NOT_SET_UP, detail, "Trigger the DAG enrichment_setup: it applies what is pending.")
    verdict = verdict_by_number(number)
    if number in ROLE_NUMBERS or number in _LOGIN_NUMBERS or (verdict and verdict.reason_code == "LOGIN_REFUSED"):
        action = verdict.next_action if verdict else f"Correct the Airflow connection {conn_id}."
        return Unavailable(Cause.LOGIN_REFUSED, detail, action)
    if verdict is None and is_network_error(error):
        action = (
            f"See that the API server can reach Snowflake, and that the connection {conn_id} names the right account."
        )
        return Unavailable(Cause.UNREACHABLE, detail, action)
    if verdict is None and not number:
        return Unavailable(Cause.CONFIGURATION, detail, f"Correct the Airflow connection {conn_id}.")
    verdict = verdict or UNLISTED
    if verdict.reason_code == "NETWORK":
        return Unavailable(Cause.UNREACHABLE, detail, verdict.next_action)
    if verdict.reason_code == "LOCKED":
        return Unavailable(Cause.BUSY, detail, "Nothing was changed; try again in a minute.")
    is_passing = verdict.error_class is ErrorClass.TRANSIENT and number != _NO_WAREHOUSE
    action = "The page asks again; if it stays so, run the DAG enrichment_setup." if is_passing else verdict.next_action
    return Unavailable(Cause.REFUSED if is_passing else Cause.CONFIGURATION, detail, action)


def is_statement_error(error: BaseException) -> bool:
    """Whether an error is about the statement, so that another session would answer the same."""
    from snowflake.connector.errors import ProgrammingError

    return isinstance(error, ProgrammingError) and (error.errno or 0) not in _LOGIN_NUMBERS


def _missing(text: str, detail: str, settings: Settings, role: str | None) -> Unavailable:
    """An object that "does not exist or not authorized": ours before the set-up, or one that the role may not read."""
    named = _NAMED_OBJECT.search(text)
    name = named.group(1).upper() if named else settings.enrichment
    table = name.rpartition(".")[2]
    grantee = quoted(role) if role else _UNKNOWN_ROLE
    grant = object_grants("SELECT", "TABLE", name, grantee, text) if name.count(".") == 2 else ""
    if table in own_objects(settings):
        action = (
            "Trigger the DAG enrichment_setup: it creates the tables. If it has run, its role owns them; as that role "
            "run the GRANT."
        )
        return Unavailable(Cause.NOT_SET_UP, detail, action, f"{grant};" if grant else "")
    if name.startswith(f"{settings.account_usage}."):
        grant = grant_statement(table, grantee, settings.account_usage_database)
    action = "As the object's owner or as ACCOUNTADMIN run the GRANT, then reload."
    return Unavailable(Cause.MISSING_GRANT, detail, action, f"{grant};" if grant else "")
