"""The DAG ``enrichment_setup``: its chain, its form, and what keeps it short."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import ParamValidationError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dag() -> DAG:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(REPOSITORY / "dags" / "enrichment_setup.py"))
    assert bag.import_errors == {}
    found = bag.dags["enrichment_setup"]
    assert isinstance(found, DAG)
    return found


def test_it_has_no_schedule_and_runs_one_at_a_time(dag: DAG) -> None:
    assert dag.schedule is None
    assert dag.max_active_runs == 1


def test_the_chain_is_change_list_check_report(dag: DAG) -> None:
    upstream = {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks}
    assert upstream == {
        "change_schema": [],
        "list_checks": ["change_schema"],
        "check": ["list_checks"],
        "take_pool_slot": ["list_checks"],
        "check_pool": ["list_checks"],
        "report": ["change_schema", "check", "check_pool", "list_checks"],
    }


def test_a_failed_migration_does_not_keep_the_doctor_from_looking(dag: DAG) -> None:
    assert dag.get_task("list_checks").trigger_rule == TriggerRule.ALL_DONE


def test_the_report_is_made_whatever_the_checks_did_and_decides_how_the_run_ends(dag: DAG) -> None:
    """``take_pool_slot`` is a leaf too, but never fails: it is started, or given up."""
    assert dag.get_task("report").trigger_rule == TriggerRule.ALL_DONE
    assert {task.task_id for task in dag.leaves} == {"report", "take_pool_slot"}


def test_one_mapped_task_per_check_with_a_readable_name(dag: DAG) -> None:
    check: Any = dag.get_task("check")
    assert check.is_mapped
    assert check.partial_kwargs["map_index_template"] == "{{ subject['name'] }} {{ subject['subject'] }}"


def test_only_the_task_that_proves_the_pool_depends_on_it(dag: DAG) -> None:
    """A doctor in a missing pool would never say what is missing."""
    pools = {
        task.task_id: task.partial_kwargs.get("pool") if task.is_mapped else task.pool  # type: ignore[attr-defined]
        for task in dag.tasks
    }
    assert pools.pop("take_pool_slot") == "snowflake_enrichment"
    assert set(pools.values()) <= {"default_pool", None}


def test_the_task_that_proves_the_pool_starts_before_the_checks(dag: DAG) -> None:
    """A leaf has the lowest effective priority; behind slow checks it would start when nobody looks any more."""
    task: Any = dag.get_task("take_pool_slot")
    assert task.weight_rule == "absolute"
    checks = 100  # each mapped task counts as one
    assert task.priority_weight > checks + len(dag.tasks)


def test_a_probe_answers_fast_and_is_not_repeated(dag: DAG) -> None:
    from include.enrichment.pool import WAIT_SECONDS
    from include.enrichment.probes import PROBE_TIMEOUT_SECONDS

    for task in dag.tasks:
        assert task.retries == 0, task.task_id
    timeout: timedelta = dag.get_task("check").partial_kwargs["execution_timeout"]  # type: ignore[union-attr]
    assert timedelta(seconds=2 * PROBE_TIMEOUT_SECONDS) < timeout <= timedelta(minutes=3)
    waiting = dag.get_task("check_pool").execution_timeout
    assert waiting is not None
    assert timedelta(seconds=WAIT_SECONDS) < waiting


def test_the_form_is_documentation(dag: DAG) -> None:
    params = {name: dag.params.get_param(name) for name in dag.params}
    assert set(params) == {"dry_run", "rollback_to"}
    for param in params.values():
        assert param.description
        assert {"type", "title", "examples"} <= set(param.schema)
    assert (dag.params["dry_run"], dag.params["rollback_to"]) == (False, None)


@pytest.mark.parametrize(
    ("name", "value", "is_accepted"),
    [
        ("dry_run", True, True),
        ("dry_run", "yes", False),
        ("dry_run", None, False),
        ("rollback_to", 0, True),
        ("rollback_to", 3, True),
        ("rollback_to", None, True),
        ("rollback_to", -1, False),
        ("rollback_to", "2", False),
        ("rollback_to", 1.5, False),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused(dag: DAG, name: str, value: Any, is_accepted: bool) -> None:
    param = dag.params.get_param(name)
    if is_accepted:
        assert param.resolve(value) == value
    else:
        with pytest.raises(ParamValidationError):
            param.resolve(value)
