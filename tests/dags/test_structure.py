"""Structure and policy of every DAG of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule

REPOSITORY = Path(__file__).parents[2]
DAG_FILES = {
    "delayed_enrichment",
    "enrichment_backfill",
    "enrichment_cleanup",
    "enrichment_monitor",
    "enrichment_retry",
    "enrichment_setup",
}
MAX_LINES = 150


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(REPOSITORY / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_every_dag_file_is_known_and_holds_the_dag_of_its_name(dags: dict[str, DAG]) -> None:
    assert {path.stem for path in (REPOSITORY / "dags").glob("*.py")} == DAG_FILES
    assert set(dags) == DAG_FILES


@pytest.mark.parametrize("name", sorted(DAG_FILES))
def test_dag_files_hold_wiring_only(name: str) -> None:
    text = (REPOSITORY / "dags" / f"{name}.py").read_text()
    assert len(text.splitlines()) <= MAX_LINES
    heavy = {"snowflake", "pandas", "httpx", "requests"}
    imported = {
        (node.module or "").split(".")[0] for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)
    } | {alias.name for node in ast.parse(text).body if isinstance(node, ast.Import) for alias in node.names}
    assert not imported & heavy


def test_every_dag_is_documented_tagged_and_never_catches_up(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert dag.doc_md
        assert {"flakebench", "enrichment"} <= set(dag.tags)
        assert dag.catchup is False
        assert dag.dagrun_timeout is not None


def test_every_task_has_an_owner_a_timeout_and_no_more_than_two_retries(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            assert task.owner == "flakebench", task.task_id
            assert task.execution_timeout is not None, task.task_id
            assert (task.retries or 0) <= 2, task.task_id


@pytest.mark.parametrize("name", sorted(DAG_FILES))
def test_parsing_a_dag_imports_no_connector(name: str) -> None:
    script = (
        f"import sys; sys.path.insert(0, '.'); import runpy; runpy.run_path('dags/{name}.py');"
        "print('snowflake.connector' in sys.modules, 'pandas' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.split() == ["False", "False"]


class TestDelayedEnrichment:
    """The chain of a pass."""

    @pytest.fixture
    def dag(self, dags: dict[str, DAG]) -> DAG:
        return dags["delayed_enrichment"]

    def test_it_runs_every_five_minutes_one_at_a_time(self, dag: DAG) -> None:
        assert dag.schedule == timedelta(minutes=5)
        assert dag.max_active_runs == 1

    def test_the_chain_is_sensor_claim_mapped_tasks_roll_up(self, dag: DAG) -> None:
        upstream = {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks}
        assert upstream == {
            "wait_for_due_work": [],
            "claim_due_tasks": ["wait_for_due_work"],
            "enrich": ["claim_due_tasks"],
            "roll_up_jobs": ["claim_due_tasks", "enrich"],
            "record_events": ["roll_up_jobs"],
            "trigger_next_pass": ["roll_up_jobs"],
            "fail_when_a_task_failed": ["enrich"],
        }

    def test_the_sensor_asks_once_and_is_skipped_when_nothing_is_due(self, dag: DAG) -> None:
        sensor: Any = dag.get_task("wait_for_due_work")
        assert (sensor.timeout, sensor.soft_fail, sensor.mode) == (0, False, "poke")

    def test_a_pass_that_hangs_is_told_of_before_its_timeout_stops_it(self, dag: DAG) -> None:
        (deadline,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
        assert deadline.interval < dag.dagrun_timeout
        assert deadline.callback.path == "include.enrichment.deadline.tell_of_hanging_pass"

    def test_mapped_tasks_have_a_pool_one_quick_retry_and_a_readable_name(self, dag: DAG) -> None:
        enrich: Any = dag.get_task("enrich")
        assert enrich.is_mapped
        assert enrich.partial_kwargs["pool"] == "snowflake_enrichment"
        assert enrich.partial_kwargs["retries"] == 1
        assert enrich.partial_kwargs["retry_delay"] <= timedelta(seconds=30)
        assert enrich.partial_kwargs["map_index_template"] == "{{ task.label }}"

    def test_roll_up_runs_whatever_the_mapped_tasks_did_and_a_leaf_of_its_own_fails_the_run(self, dag: DAG) -> None:
        assert dag.get_task("roll_up_jobs").trigger_rule == TriggerRule.ALL_DONE
        assert dag.get_task("fail_when_a_task_failed").trigger_rule == TriggerRule.ONE_FAILED
        assert "fail_when_a_task_failed" in {task.task_id for task in dag.leaves}


def test_the_monitor_looks_every_five_minutes_one_at_a_time_in_one_task(dags: dict[str, DAG]) -> None:
    dag = dags["enrichment_monitor"]
    assert (dag.schedule, dag.max_active_runs) == (timedelta(minutes=5), 1)
    assert [task.task_id for task in dag.tasks] == ["look"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LEASE_MINUTES", "60", "FLAKEBENCH_ENRICHMENT_LEASE_MINUTES=60 must be greater than"),
        ("DEADLINE_MINUTES", "60", "FLAKEBENCH_ENRICHMENT_DEADLINE_MINUTES=60 must be less than"),
        ("TASK_TIMEOUT_MINUTES", "60", "FLAKEBENCH_ENRICHMENT_PASS_TIMEOUT_MINUTES=60 must be greater than"),
    ],
)
def test_a_timeout_that_outlives_what_holds_it_is_an_import_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """In a process of its own: the settings are read when the modules of the package are imported."""
    script = (
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag(dag_folder='dags/delayed_enrichment.py')\n"
        "print('DAGS', len(bag.dags), *bag.import_errors.values())"
    )
    monkeypatch.setenv(f"FLAKEBENCH_ENRICHMENT_{name}", value)
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    _, _, found = ended.stdout.partition("DAGS ")  # behind what Airflow logs
    assert found.startswith("0 ")
    assert message in found


def test_every_template_is_found_by_airflow_and_uses_no_date_of_the_run(dags: dict[str, DAG]) -> None:
    import jinja2.meta

    from include.enrichment.catalogue import CATALOGUE
    from include.enrichment.templates import SQL_FOLDER

    environment = dags["delayed_enrichment"].get_template_env()
    for entry in CATALOGUE:
        assert environment.get_template(entry.template)
    for path in SQL_FOLDER.rglob("*.sql"):
        names = jinja2.meta.find_undeclared_variables(jinja2.Environment().parse(path.read_text()))
        assert not names & {"ds", "ts", "logical_date", "data_interval_start", "data_interval_end"}, path
