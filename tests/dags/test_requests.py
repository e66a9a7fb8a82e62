"""enrichment_retry and enrichment_backfill: thin wiring, and Params that refuse a wrong shape."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from include.enrichment import backfill, retry

DAGS = Path(__file__).parents[2] / "dags"
REQUESTS = {"enrichment_retry": "requeue_tasks", "enrichment_backfill": "queue_runs"}


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    return dict(DagBag(dag_folder=str(DAGS)).dags)


@pytest.mark.parametrize(("dag_id", "first"), REQUESTS.items())
def test_the_chain_queues_then_starts_a_pass_and_fails_for_what_was_refused(
    dags: dict[str, DAG], dag_id: str, first: str
) -> None:
    dag = dags[dag_id]
    assert {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks} == {
        first: [],
        "start_pass": [first],
        "fail_for_refused_runs": [first],
    }
    start: Any = dag.get_task("start_pass")
    assert start.trigger_dag_id == "delayed_enrichment"
    assert dag.schedule is None


@pytest.mark.parametrize(("dag_id", "keys"), [("enrichment_retry", retry.KEYS), ("enrichment_backfill", backfill.KEYS)])
def test_the_params_are_the_keys_that_the_code_reads_each_with_a_title(
    dags: dict[str, DAG], dag_id: str, keys: tuple[str, ...]
) -> None:
    params = dags[dag_id].params
    assert set(params) == set(keys)
    for name in params:
        param = params.get_param(name)
        assert param.description, name
        assert param.schema["title"], name


def test_a_backfill_is_a_dry_run_unless_it_is_told_otherwise(dags: dict[str, DAG]) -> None:
    assert dags["enrichment_backfill"].params["dry_run"] is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("test_id", "a" * 37, id="id too long"),
        pytest.param("test_id", 5, id="id no text"),
        pytest.param("test_ids", [], id="no ids"),
        pytest.param("test_ids", ["a", "a"], id="an id twice"),
        pytest.param("from", "2026-11-01 or so", id="no time"),
        pytest.param("from", 20261101, id="a number"),
        pytest.param("types", ["AGGREGATE", "NOPE"], id="unknown type"),
        pytest.param("status", "IN_PROGRESS", id="a status that is never re-queued"),
        pytest.param("force", 1, id="no boolean"),
    ],
)
def test_a_wrong_shape_is_refused(dags: dict[str, DAG], name: str, value: Any) -> None:
    param = deepcopy(dags["enrichment_retry"].params.get_param(name))  # it keeps what it resolves
    with pytest.raises(ParamValidationError):
        param.resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test_id", 'it\'s 100% "ü"'),
        ("from", "2026-11-01"),
        ("to", "2026-11-01T06:00:00.000Z"),
        ("from", "2026-11-01 06:00:00+02:00"),
        ("types", ["LOCK", "AGGREGATE"]),
        ("status", None),
    ],
)
def test_a_right_shape_is_accepted(dags: dict[str, DAG], name: str, value: Any) -> None:
    assert deepcopy(dags["enrichment_retry"].params.get_param(name)).resolve(value) == value
