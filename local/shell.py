"""``make doctor``, ``make migrate``, ``make rollback``: the DAG ``enrichment_setup`` without an Airflow that runs.

The Snowflake is that of the connection in the environment or in ``.env``, else the embedded one when it runs. The
settings are those of the environment, ``AIRFLOW_VAR_...`` first; Variables in Airflow's database are not seen.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import requests
from dotenv import load_dotenv

from local.connection import DEFAULT_FILE, LocalConnection
from local.environment import PROJECT, QUIET, STATE, conn_id, connection_variable, embedded_environment

_HEALTH_SECONDS = 5


class NoSnowflakeError(Exception):
    """There is no Snowflake to ask."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    :returns: 0; 1 when a check failed or the schema could not be changed
    """
    options = _parser().parse_args(arguments)
    load_dotenv(PROJECT / ".env")
    try:
        _prepare_environment(options.connection_file)
    except NoSnowflakeError as error:
        print(error, file=sys.stderr)
        return 1
    if options.command == "doctor":
        from include.enrichment import doctor

        return doctor.main()
    return _change_schema(rollback_to=getattr(options, "to", None), dry_run=options.dry_run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.shell", description=__doc__)
    parser.add_argument(
        "--connection-file", type=Path, default=PROJECT / DEFAULT_FILE, help="of the embedded Snowflake"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="check every view, table and setting")
    migrate = commands.add_parser("migrate", help="apply the migrations that are pending")
    rollback = commands.add_parser("rollback", help="take migrations back")
    rollback.add_argument("--to", type=int, required=True, help="the newest migration that stays; 0 takes back all")
    for command in (migrate, rollback):
        command.add_argument("--dry-run", action="store_true", help="show the SQL, change nothing")
    return parser


def _prepare_environment(connection_file: Path) -> None:
    """Before this process imports Airflow.

    :raises NoSnowflakeError: no connection is set, and the embedded Snowflake does not answer
    """
    if not os.environ.get(connection_variable()):
        os.environ.update(embedded_environment(_embedded(connection_file)))
    os.environ.setdefault("AIRFLOW_HOME", str(STATE / "airflow"))
    os.environ.update(QUIET)


def _embedded(file: Path) -> LocalConnection:
    try:
        connection = LocalConnection.read(file)
        requests.get(f"{connection.url}/health", verify=connection.ca_file, timeout=_HEALTH_SECONDS).raise_for_status()
    except (OSError, ValueError) as error:  # no file, half a file, or nobody answers
        raise NoSnowflakeError(
            f"There is no Snowflake: {connection_variable()} is not set, and the embedded one does not answer "
            f"({type(error).__name__}).\nStart it with make run or make snowflake, or set the connection in .env."
        ) from error
    return connection


def _change_schema(*, rollback_to: int | None, dry_run: bool) -> int:
    from snowflake.connector.errors import Error as SnowflakeError

    from include.enrichment import setup
    from include.enrichment.migrations import MigrationError
    from include.enrichment.settings import ConfigurationError, of_shell

    _show_progress()
    try:
        steps = setup.change_schema(conn_id(), of_shell(), dry_run=dry_run, rollback_to=rollback_to)
    except (setup.SetupError, MigrationError, ConfigurationError, SnowflakeError) as error:
        print(error, file=sys.stderr)
        return 1
    verb = "migrate" if rollback_to is None else "roll back"
    done = {"migrate": "Migrated", "roll back": "Rolled back"}[verb]
    print(f"{f'Would {verb}' if dry_run else done}: {', '.join(steps) or 'nothing'}")
    return 0


def _show_progress() -> None:
    """What the package says about itself goes to the terminal; Airflow and the connector stay quiet."""
    progress = logging.getLogger("include.enrichment")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    progress.addHandler(handler)
    progress.setLevel(logging.INFO)
    progress.propagate = False


if __name__ == "__main__":
    sys.exit(main())
