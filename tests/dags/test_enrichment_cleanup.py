"""Structure and policy of the daily cleanup."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Param, TriggerRule
from airflow.sdk.exceptions import ParamValidationError

from include.enrichment.cleanup import STEPS

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dag() -> DAG:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(REPOSITORY / "dags" / "enrichment_cleanup.py"))
    assert bag.import_errors == {}
    return bag.dags["enrichment_cleanup"]


def test_it_runs_once_a_day_at_a_quiet_minute_one_at_a_time(dag: DAG) -> None:
    minute, hour, *days = str(dag.schedule).split()
    assert (int(minute) % 5, int(hour) < 6, days) == (2, True, ["*", "*", "*"])  # never together with a pass
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_one_task_per_step_one_after_the_other_and_the_record_last(dag: DAG) -> None:
    steps = list(STEPS)
    upstream = {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks}
    assert upstream == {
        steps[0]: [],
        **{later: [earlier] for earlier, later in pairwise(steps)},
        "record_cleanup": sorted(steps),
    }
    assert steps == [
        "delete_settled_jobs",
        "delete_orphaned_rows",
        "delete_expired_insights",
        "delete_old_operations",
        "repair_mirror",
    ]


def test_a_step_that_fails_stops_no_other_and_the_only_leaf_decides(dag: DAG) -> None:
    assert {task.trigger_rule for task in dag.tasks} == {TriggerRule.ALL_DONE}
    assert [task.task_id for task in dag.leaves] == ["record_cleanup"]


def test_steps_write_from_the_pool_and_are_tried_again(dag: DAG) -> None:
    for name in STEPS:
        step: Any = dag.get_task(name)
        assert step.pool == "snowflake_enrichment"
        assert step.retries == 2


def test_the_trigger_form_explains_the_dry_run_and_refuses_anything_but_a_boolean(dag: DAG) -> None:
    param = dag.params.get_param("dry_run")
    assert isinstance(param, Param)
    assert param.resolve() is False
    assert param.schema["title"]
    assert param.description
    with pytest.raises(ParamValidationError):
        param.resolve("perhaps")


def test_the_manual_names_every_task(dag: DAG) -> None:
    assert dag.doc_md
    assert [name for name in dag.task_ids if name not in dag.doc_md] == []
