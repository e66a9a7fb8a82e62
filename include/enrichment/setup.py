"""Applying and taking back the migrations, for the DAG ``enrichment_setup`` and for the shell."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from include.enrichment import migrations
from include.enrichment.error_numbers import ERROR_NUMBERS, UNLISTED
from include.enrichment.errors import is_privilege_error, object_grants
from include.enrichment.probes import Identity, Probe, describe
from include.enrichment.settings import PREFIX
from include.enrichment.snowflake import open_hook

if TYPE_CHECKING:
    from snowflake.connector.errors import Error as SnowflakeError

    from include.enrichment.migrations import PlannedStep
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

_NO_SCHEMA = re.compile(r"\b(schema|database)\b.*does not exist|not have a current database", re.IGNORECASE)
_RECORD_USED = re.compile(r"\b(INSERT INTO|FROM) \S+\.ENRICHMENT_MIGRATIONS\b")
_OWNED = re.compile(r"\s*(?:ALTER|DROP) (TABLE|VIEW) (?:IF EXISTS )?([\w$.]+)")
"""Statements that Snowflake leaves to the owner of a table or view: no other privilege allows them."""

_REMEDIES = {
    "CANCELED": "Somebody canceled the statement; see QUERY_HISTORY.",
    "LOCKED": "Another transaction holds the table: wait until no benchmark runs, and pause the package's other DAGs.",
    "TIMEOUT": f"Raise {PREFIX}STATEMENT_TIMEOUT_SECONDS meanwhile, or use a larger warehouse.",
    "NO_WAREHOUSE": f"Set a warehouse in the Airflow connection or in {PREFIX}WAREHOUSE.",
    "NETWORK": "Check the network between Airflow and Snowflake.",
    "BAD_CONNECTION": "Correct the account in the Airflow connection.",
    "LOGIN_REFUSED": "Correct the credentials in the Airflow connection.",
    "INVALID_IDENTIFIER": "A table lacks a column that the migration uses: compare it with include/sql/schema.",
    "SYNTAX": "This is a defect of the package: report it with the query id.",
    "UNKNOWN_FUNCTION": "This is a defect of the package: report it with the query id.",
}
"""Reason code to what removes the cause; the verdicts of ``errors`` speak of enriching a run."""

_UNKNOWN_CAUSE = "Look whether Snowflake and the warehouse are well; report it if the message stays the same."
_NO_SESSION = frozenset({"NETWORK", "BAD_CONNECTION", "LOGIN_REFUSED"})


class SetupError(Exception):
    """The schema could not be changed. The message says why, the role and user, and what to run as whom."""


def change_schema(
    conn_id: str, settings: Settings, *, dry_run: bool, rollback_to: int | None, **unknown: Any
) -> list[str]:
    """:func:`rollback` when there is a number to roll back to, else :func:`migrate`.

    :param unknown: further keys of a DAG run's conf, which Airflow lets through
    :raises SetupError: there are some
    """
    if unknown:
        raise SetupError(f"Unknown in conf: {', '.join(sorted(unknown))}; known are dry_run and rollback_to")
    if rollback_to is None:
        return migrate(conn_id, settings, dry_run=dry_run)
    return rollback(conn_id, settings, rollback_to, dry_run=dry_run)


def migrate(conn_id: str, settings: Settings, *, dry_run: bool = False) -> list[str]:
    """Apply the migrations that are pending; logs each statement in a dry run.

    :returns: names of the steps that were applied, or in a dry run would be
    :raises SetupError: Snowflake refused a statement
    :raises include.enrichment.migrations.MigrationError: a table of another making is in the way
    """
    hook = open_hook(conn_id, settings)
    with _explained(conn_id, settings, "the migration"):
        if dry_run:
            return _logged(migrations.plan_migration(hook, settings))
        applied = migrations.migrate(hook, settings)
    log.info("Applied in %s: %s", settings.enrichment, ", ".join(applied) or "nothing, every migration is in force")
    return applied


def rollback(conn_id: str, settings: Settings, to: int, *, dry_run: bool = False) -> list[str]:
    """Take back every migration above a number; logs what it drops and, in a dry run, each statement.

    :param to: the number that stays the newest in force; 0 takes back all
    :returns: names of the steps that were taken back, or in a dry run would be
    :raises SetupError: Snowflake refused a statement
    :raises include.enrichment.migrations.MigrationError: a backup is in the way, there is no such number, or a step
        above it is unknown to this version of the package
    """
    hook = open_hook(conn_id, settings)
    with _explained(conn_id, settings, f"the rollback to {to}"):
        if dry_run:
            return _logged(migrations.plan_rollback(hook, settings, to))
        return migrations.rollback(hook, settings, to)


def _logged(plan: list[PlannedStep]) -> list[str]:
    for step in plan:
        for dropped in step.drops:
            log.info("%s would drop %s", step.name, dropped)
        log.info("%s would run:\n%s", step.name, "\n\n".join(f"{statement};" for statement in step.statements))
    log.info("Dry run: %s; nothing was changed", f"{len(plan)} steps" if plan else "nothing to do")
    return [step.name for step in plan]


@contextmanager
def _explained(conn_id: str, settings: Settings, work: str) -> Iterator[None]:
    """Adds to an error of Snowflake's who was refused and what removes the cause.

    :param work: what is to be run again, for people
    :raises SetupError: instead of it; what the migrations say themselves stays in front
    """
    from snowflake.connector.errors import Error as SnowflakeError

    try:
        yield
    except SnowflakeError as error:
        said = f"{settings.enrichment}: {describe(error)}. Remove the cause and run {work} again."
        raise SetupError(f"{said} {_explanation(conn_id, settings, error)}") from error
    except migrations.MigrationError as error:
        if not isinstance(error.__cause__, SnowflakeError):
            raise
        raise SetupError(f"{error} {_explanation(conn_id, settings, error.__cause__)}") from error


def _explanation(conn_id: str, settings: Settings, error: SnowflakeError) -> str:
    reason_code = ERROR_NUMBERS.get(error.errno or 0, UNLISTED).reason_code
    if reason_code in _NO_SESSION:
        return f"Airflow connection {conn_id}. {_REMEDIES[reason_code]}"
    who = Identity()
    try:
        with Probe(conn_id, settings, "migrations", settings.enrichment).session() as session:
            who = session.identity()
    except Exception:
        log.debug("who asks is unknown", exc_info=True)
    return f"Current {who}. {_remedy(settings, error, reason_code, who.grantee)}"


def _remedy(settings: Settings, error: SnowflakeError, reason_code: str, role: str) -> str:
    schema, query = settings.enrichment, error.query or ""
    if _NO_SCHEMA.search(error.msg or ""):
        return _schema_grants(settings, role)
    if not is_privilege_error(error):
        return _REMEDIES.get(reason_code, _UNKNOWN_CAUSE)
    if owned := _OWNED.match(query):
        kind, name = owned.groups()
        return (
            f"Only its owner may change or drop {name} (OWNERSHIP; SHOW GRANTS ON {kind} {name}; says who). Use the "
            f"owner's role, or run as ACCOUNTADMIN: GRANT ROLE <the owner of {name}> TO ROLE {role}; If it is "
            f"FlakeBench's and does not exist, correct {PREFIX}RESULTS_DATABASE and {PREFIX}RESULTS_SCHEMA."
        )
    if _RECORD_USED.search(query):
        grants = object_grants("SELECT, INSERT", "TABLE", f"{schema}.ENRICHMENT_MIGRATIONS", role)
        return f"As its owner or as ACCOUNTADMIN run: {grants};"
    grants = object_grants("USAGE, CREATE TABLE, CREATE VIEW", "SCHEMA", schema, role)
    database = f"GRANT USAGE ON DATABASE {settings.results_database} TO ROLE {role}"
    return (
        f"As the schema's owner or as ACCOUNTADMIN run: {database}; {grants}; If another role owns a view that "
        f"is replaced: GRANT ROLE <the owner of the view> TO ROLE {role};"
    )


def _schema_grants(settings: Settings, role: str) -> str:
    """What to run when the schema, or its database, is not there or not shown to the role."""
    database, schema = settings.results_database, settings.enrichment
    grants = (
        f"GRANT USAGE ON DATABASE {database} TO ROLE {role}; "
        f"{object_grants('USAGE, CREATE TABLE, CREATE VIEW', 'SCHEMA', schema, role)};"
    )
    flakebench = f"{PREFIX}RESULTS_DATABASE and {PREFIX}RESULTS_SCHEMA must name FlakeBench's schema."
    if not settings.own_schema:
        return f"{schema} does not exist, or the role may not use it: {flakebench} As ACCOUNTADMIN run: {grants}"
    return (
        f"{schema} does not exist, or the role may not use it. As the owner of the database {database} or as "
        f"ACCOUNTADMIN run: CREATE SCHEMA IF NOT EXISTS {schema}; {grants} To let the role create it itself: "
        f"GRANT CREATE SCHEMA ON DATABASE {database} TO ROLE {role}; {flakebench}"
    )
