"""The way to Snowflake: the provider's hook, with a session of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from include.enrichment.templates import split

if TYPE_CHECKING:
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
    from snowflake.connector.cursor import SnowflakeCursor

    from include.enrichment.settings import Settings

AUTOCOMMIT_OF_LOGIN = False
"""``autocommit`` of ``hook.run`` for a session of ours, whose AUTOCOMMIT is switched on when it logs in.

The hook then leaves the session as it is; True would send an ``ALTER SESSION`` for what is so already. Every template
that is a transaction says BEGIN and COMMIT itself.
"""

_WHEN = re.compile(r"\s*--\s*when:\s*(\w+)")
STEP = re.compile(r"\s*(?:--\s*when:\s*\w+\s+)?--\s*step:\s*(\w+)")
_ROWS_AFFECTED = re.compile(r"number of rows (inserted|updated|deleted)")


def hook_params(settings: Settings, *, lock_timeout_seconds: int | None = None) -> dict[str, Any]:
    """Arguments of the hook that make a session of ours.

    All of it travels with the login and takes no statement: AUTOCOMMIT, see :data:`AUTOCOMMIT_OF_LOGIN`; UTC, because
    TIMESTAMP_LTZ columns are shown in the session's zone; input formats that an account may have changed; a QUERY_TAG
    of our own, so that no benchmark run ever matches our statements; timeouts, because the server's default is two
    days.

    The connector's platform detection is switched off in this process, unless the environment says otherwise: with
    every login it would ask the metadata services of three clouds where it runs, for Snowflake's statistics only.

    :param lock_timeout_seconds: other than the setting, for a statement that must not wait
    """
    os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    optional = {"warehouse": settings.warehouse, "role": settings.role}
    return {
        **{name: value for name, value in optional.items() if value},
        "database": settings.results_database,
        "schema": settings.enrichment_schema,
        "session_parameters": {
            "AUTOCOMMIT": True,
            "TIMEZONE": "UTC",
            "TIMESTAMP_INPUT_FORMAT": "AUTO",
            "DATE_INPUT_FORMAT": "AUTO",
            "QUERY_TAG": settings.query_tag,
            "STATEMENT_TIMEOUT_IN_SECONDS": settings.statement_timeout_seconds,
            "LOCK_TIMEOUT": lock_timeout_seconds or settings.lock_timeout_seconds,
        },
        "log_sql": False,
    }


def open_hook(conn_id: str, settings: Settings, *, lock_timeout_seconds: int | None = None) -> SnowflakeHook:
    """The unmodified ``SnowflakeHook`` of a connection, with :func:`hook_params`."""
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    return SnowflakeHook(conn_id, **hook_params(settings, lock_timeout_seconds=lock_timeout_seconds))


def needed_statements(sql: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """The statements of a rendered template for ``hook.run``, without those that would change nothing.

    A statement behind ``-- when: <name>`` is left out when that parameter is false at its turn: the hook takes a
    statement only after the one before has returned and its handler has filled in what it found. It saves the round
    trip, no more: the template sent in whole does the same, because the statement's own WHERE says so too.

    :param parameters: the same mapping that the hook binds
    :raises KeyError: no statement before has set the parameter
    """
    for statement in split(sql):
        condition = _WHEN.match(statement)
        if condition is None or parameters[condition.group(1)]:
            yield statement


def affected_rows(cursor: SnowflakeCursor) -> int:
    """Rows that a DML statement changed, by the names of its result's columns.

    ``cursor.rowcount`` would also add an UPDATE's multi-joined rows. A handler of ``hook.run``.
    """
    row = cursor.fetchone() or ()
    return sum(
        int(value or 0)
        for column, value in zip(cursor.description, row, strict=True)
        if _ROWS_AFFECTED.fullmatch(column.name)
    )


def rows_as_mappings(cursor: SnowflakeCursor) -> list[dict[str, Any]]:
    """The rows that a statement returned, by column name. A handler of ``hook.run``."""
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def step_name(cursor: SnowflakeCursor) -> str | None:
    """The name of a statement that a template marks with ``-- step: <name>``, for handlers that look at some only."""
    match = STEP.match(cursor.query or "")  # at its start only: a bound value may hold any text
    return match.group(1) if match else None
