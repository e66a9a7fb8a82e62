"""The rows of sample runs, as what identifies each: those that should be stored, and those that are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from local.sample.truth import ExpectedRun
from tests.e2e.ground_truth import KEYED_TABLES, Rows

Key = tuple[Any, ...]


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
