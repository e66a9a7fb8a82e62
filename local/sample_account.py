"""The sample account: benchmark runs whose every number is known.

``build_account`` makes runs of different kinds and ages from raw statements and gives their rows in
FlakeBench's tables and in ``SNOWFLAKE.ACCOUNT_USAGE``; ``truth.expected`` says what the product must store
about each; ``load_sample_account`` writes the rows through the Snowflake connector.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.sample import truth
from local.sample.account import Account, build_account, names, run_id
from local.sample.runs import SampleChild, SampleRun
from local.sample.truth import ExpectedRun, ExpectedTask

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

__all__ = [
    "Account",
    "CutOffLoadError",
    "ExpectedRun",
    "ExpectedTask",
    "SampleChild",
    "SampleRun",
    "build_account",
    "load_sample_account",
    "names",
    "run_id",
    "truth",
    "write_account",
]

_RESULTS = "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS"
_QUEUE = "FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_QUEUE"
_AGGREGATE = "SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY"


class CutOffLoadError(Exception):
    """An earlier load wrote a run's rows into the views, but was ended before it wrote the run."""


def load_sample_account(
    connection: SnowflakeConnection,
    now: datetime,
    include: Collection[str] | None = None,
    database: str | None = None,
) -> None:
    """Write the sample runs that are not there yet; does nothing when all are.

    :param connection: with the migrations applied
    :param now: the moment from which the ages of the runs count
    :param include: names of runs or groups; None for the healthy ones
    :param database: that holds both schemas; None for those of the embedded Snowflake
    :raises CutOffLoadError: when the views hold rows of a run that TEST_RESULTS does not have
    """
    from local.load import placed

    cursor = connection.cursor()
    cursor.execute(f"SELECT RUN_ID FROM {placed(_RESULTS, database)} WHERE TEST_ID = RUN_ID")
    present = {row[0] for row in cursor.fetchall()}
    missing = [name for name in names(include) if run_id(name) not in present]
    if not missing:
        return
    account = build_account(now, include=missing)
    cursor.execute(f"SELECT DISTINCT QUERY_TAG FROM {placed(_AGGREGATE, database)}")
    seen = "\n".join(str(row[0]) for row in cursor.fetchall())
    cut_off = [run.name for run in account.runs if any(child.test_id in seen for child in run.children)]
    if cut_off:
        raise CutOffLoadError(
            f"An earlier load of {', '.join(cut_off)} was cut off. "
            "Remove the state of the embedded Snowflake and start again."
        )
    write_account(connection, account, database)


def write_account(connection: SnowflakeConnection, account: Account, database: str | None = None) -> None:
    """Write every row of an account; those of each database in one transaction, the runs themselves last.

    :param connection: with the migrations applied
    :param database: that holds both schemas; None for those of the embedded Snowflake
    """
    from local.load import load_rows, placed

    cursor = connection.cursor()
    tables = account.tables()
    for part in ("SNOWFLAKE", "FLAKEBENCH"):
        cursor.execute("BEGIN")
        try:
            for table, rows in tables.items():
                if not table.startswith(f"{part}."):
                    continue
                if table == _QUEUE:
                    _queue_jobs(connection, placed(_QUEUE, database), rows)
                else:
                    load_rows(connection, table, rows, database)
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")


def _queue_jobs(connection: SnowflakeConnection, queue: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the jobs of a person, as a person would: the queue is not one of FlakeBench's tables."""
    for row in rows:
        values = ", ".join("PARSE_JSON(%s)" if isinstance(value, list) else "%s" for value in row.values())
        binds = tuple(json.dumps(value) if isinstance(value, list) else value for value in row.values())
        connection.cursor().execute(f"INSERT INTO {queue} ({', '.join(row)})\nSELECT {values}", binds)
