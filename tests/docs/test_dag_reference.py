"""The DAG reference says what the DAGs are, down to each task and each parameter."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Param, task

from docs import dag_reference

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def chapters() -> dict[str, str]:
    _, *parts = re.split(r"^## (?=\w+$)", dag_reference.document(), flags=re.MULTILINE)
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def test_every_dag_has_a_chapter_with_each_of_its_tasks_and_parameters(chapters: dict[str, str]) -> None:
    dags: dict[str, Any] = DagBag(dag_folder=str(REPOSITORY / "dags")).dags
    assert set(chapters) == set(dags)
    for name, dag in dags.items():
        listed = set(re.findall(r"^\| `(\w+)`", chapters[name], re.MULTILINE))
        assert listed == {*dag.task_ids, *dag.params}, name


def test_it_says_pool_retries_and_timeout_of_a_task_and_type_and_default_of_a_parameter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    params = {"n": Param(3, "How many.", type=["null", "integer"], minimum=1, title="Number")}
    timeout = timedelta(minutes=90)
    with DAG(
        "made", schedule=timedelta(hours=2), dagrun_timeout=timeout, doc_md="### M\n\nCounts:\n", params=params
    ) as dag:

        @task(retries=2, retry_delay=timedelta(seconds=20), pool="narrow", execution_timeout=timedelta(minutes=1))
        def count() -> None: ...

        count()
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "made.py").touch()
    monkeypatch.setattr(dag_reference, "PROJECT", tmp_path)
    monkeypatch.setattr(dag_reference, "_dag", lambda _name: dag)
    text = dag_reference.document()
    for line in (
        "Counts.",
        "| schedule | every 2 h |",
        "| stopped after | 90 min |",
        "| `count` |  | all success | 2, after 20 s | 1 min | `narrow` |",
        "| `n` | integer, optional | `3` | *Number.* How many. At least 1. |",
    ):
        assert line in text.splitlines()
