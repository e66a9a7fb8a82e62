"""Applying and taking back the migrations, for the DAG ``enrichment_setup`` and for the shell."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from include.enrichment import migrations
from include.enrichment.errors import is_privilege_error, object_grants
from include.enrichment.probes import Identity, Probe, describe
from include.enrichment.snowflake import open_hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.enrichment.migrations import PlannedStep
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

Steps = TypeVar("Steps")


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
    """
    hook = open_hook(conn_id, settings)
    if not dry_run:
        applied = _explained(conn_id, settings, lambda: migrations.migrate(hook, settings))
        log.info("Applied in %s: %s", settings.enrichment, ", ".join(applied) or "nothing, every migration is in force")
        return applied
    plan = _explained(conn_id, settings, lambda: migrations.plan_migration(hook, settings))
    _log_plan(plan)
    return [step.name for step in plan]


def rollback(conn_id: str, settings: Settings, to: int, *, dry_run: bool = False) -> list[str]:
    """Take back every migration above a number; logs what it drops and, in a dry run, each statement.

    :param to: the number that stays the newest in force; 0 takes back all
    :returns: names of the steps that were taken back, or in a dry run would be
    :raises SetupError: Snowflake refused a statement
    :raises include.enrichment.migrations.MigrationError: a backup is in the way, or there is no such number
    """
    hook = open_hook(conn_id, settings)
    if not dry_run:
        return _explained(conn_id, settings, lambda: migrations.rollback(hook, settings, to))
    plan = _explained(conn_id, settings, lambda: migrations.plan_rollback(hook, settings, to))
    _log_plan(plan)
    return [step.name for step in plan]


def _log_plan(plan: list[PlannedStep]) -> None:
    for step in plan:
        for dropped in step.drops:
            log.info("%s would drop %s", step.name, dropped)
        log.info("%s would run:\n%s", step.name, "\n\n".join(f"{statement};" for statement in step.statements))
    log.info("Dry run: %s; nothing was changed", f"{len(plan)} steps" if plan else "nothing to do")


def _explained(conn_id: str, settings: Settings, change: Callable[[], Steps]) -> Steps:
    from snowflake.connector.errors import Error as SnowflakeError

    try:
        return change()
    except (SnowflakeError, migrations.MigrationError) as error:
        cause = error if isinstance(error, SnowflakeError) else error.__cause__
        if not isinstance(cause, SnowflakeError):
            raise
        raise SetupError(explain(conn_id, settings, cause)) from error


def explain(conn_id: str, settings: Settings, error: BaseException) -> str:
    """Why Snowflake refused a statement of a migration, and what to do."""
    probe = Probe(conn_id, settings, "migrations", settings.enrichment)
    if not is_privilege_error(error):
        return f"{probe.unanswered(error).text} A migration that stopped goes on where it was when it is run again."
    who = Identity()
    try:
        with probe.session() as session:
            who = session.identity()
    except Exception:
        log.debug("who asks is unknown", exc_info=True)
    return f"Migrations of {settings.enrichment}: {describe(error)}. Current {who}. {_grants(settings, who.grantee)}"


def _grants(settings: Settings, role: str) -> str:
    database, schema = settings.results_database, settings.enrichment
    owned = f"{settings.results}.TEST_RESULTS and {settings.results}.QUERY_EXECUTIONS"
    return (
        "As the schema's owner or as ACCOUNTADMIN run: "
        f"GRANT USAGE ON DATABASE {database} TO ROLE {role}; "
        f"{object_grants('USAGE, CREATE TABLE, CREATE VIEW', 'SCHEMA', schema, role)}; "
        f"Columns can be added to {owned} by their owner only: use FlakeBench's role for this DAG run, or run as "
        f"ACCOUNTADMIN: GRANT ROLE <the owner of {settings.results}.TEST_RESULTS> TO ROLE {role}; "
        "Then run it again: it goes on where it stopped."
    )
