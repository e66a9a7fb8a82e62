"""Sample runs that a test lets end, and what must be stored of them in the end: every row once, every number right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from local.deployment import Deployment
from local.sample.differences import KEYED_TABLES, Rows, differences
from local.sample_account import Account, ExpectedRun, SampleRun, build_account, truth
from tests.faults.matrix import Matrix

Key = tuple[Any, ...]


def ended_runs(deployment: Deployment, seed: int, *names: str) -> Account:
    """Let sample runs end, with all that the views hold of them.

    :param seed: runs of the same name need different ones
    """
    account = build_account(datetime.now(UTC), seed=seed, include=names)
    deployment.write(account)
    return account


def truth_of(deployment: Deployment, account: Account, run: SampleRun) -> ExpectedRun:
    """What must be stored of a run after everything due was looked at once."""
    (row,) = deployment.rows(
        "SELECT MIN(CREATED_AT) AS QUEUED_AT FROM DELAYED_ENRICHMENT_TASKS WHERE RUN_ID = %(run_id)s", run_id=run.run_id
    )
    return truth.expected(run, account.now, row["QUEUED_AT"])


def check_whole(matrix: Matrix, fault: str, recovered: str, deployment: Deployment, *accounts: Account) -> None:
    """Enter a line of the matrix for the runs of these accounts, and hold every number against the ground truth."""
    truths = [(run, truth_of(deployment, account, run)) for account in accounts for run in account.runs]
    matrix.check(
        fault,
        recovered,
        expected=[key for run, expected in truths for key in expected_rows(run.run_id, expected)],
        stored=list(stored_rows(deployment.rows, [run.run_id for run, _ in truths])),
    )
    for run, expected in truths:
        found = list(differences(deployment.rows, run.run_id, expected))
        assert not found, f"{fault}: {run.name} {run.run_id}: {found[:5]}"


def expected_rows(run_id: str, expected: ExpectedRun) -> Iterator[Key]:
    """What the ground truth says about a run: its rows, its summary, its job, its tasks."""
    for attribute, table, _ in KEYED_TABLES:
        for item in getattr(expected, attribute):
            yield (table, run_id, *(item if isinstance(item, tuple) else (item,)))
    if any(task.rows_written is not None for task in expected.tasks.values()):
        yield ("RUN_ENRICHMENT_SUMMARY", run_id)
    if expected.job_status is not None:
        yield ("DELAYED_ENRICHMENT_QUEUE", run_id, expected.job_status)
    for name, task in expected.tasks.items():
        yield ("DELAYED_ENRICHMENT_TASKS", run_id, name, task.status)


def stored_rows(rows: Rows, run_ids: Iterable[str]) -> Iterator[Key]:
    """What is in the tables about these runs; a row that is there twice comes twice."""
    keyed = [(table, key) for _, table, key in KEYED_TABLES]
    keyed += [
        ("RUN_ENRICHMENT_SUMMARY", ()),
        ("DELAYED_ENRICHMENT_QUEUE", ("STATUS",)),
        ("DELAYED_ENRICHMENT_TASKS", ("ENRICHMENT_TYPE", "STATUS")),
    ]
    ids = list(run_ids)
    for table, key in keyed:
        columns = ", ".join(("RUN_ID", *key))
        for row in rows(f"SELECT {columns} FROM {table} WHERE RUN_ID IN (%(ids)s)", ids=ids):
            yield (table, *row.values())
