"""
### Backfill

Queues finished runs that have no job: those that ended before the look-back of `delayed_enrichment`, or before this
package was there. **Dry run by default**: `queue_runs` returns and logs what would be queued, by enrichment type, with
the statements that it would send to Snowflake; trigger again with `dry_run` off to queue it.

    POST /api/v2/dags/enrichment_backfill/dagRuns
    {"logical_date": null, "conf": {"from": "2026-10-01", "to": "2026-10-31", "dry_run": false}}

Backfill has lower priority: a pass takes fresh runs first, then at most `FLAKEBENCH_ENRICHMENT_BACKFILL_BATCH_SIZE`
tasks of backfill, but a tenth of the batch when any wait, so that neither starves the other. Passes follow each other
until all are done. A run that is older than a view's retention (365 days) becomes `SKIPPED` / `RETENTION` for that
type.

**Green**: the answer of `queue_runs` says what was queued; nothing to queue is green as well, so that repeating a
backfill is harmless. **Red**: an id that is no run or not finished (the others are queued), or a conf without a range.
A run that has a job is left alone; to repeat it use `enrichment_retry`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from include.enrichment import dag_params
from include.enrichment import settings as enrichment_settings
from include.enrichment.dag_defaults import DEFAULT_ARGS

SETTINGS = enrichment_settings.ParseSettings()


def skip_unless_something_was_queued(context: Any) -> None:
    """``pre_execute`` of start_pass."""
    answer = context["ti"].xcom_pull(task_ids="queue_runs")
    if context["params"]["dry_run"] or not answer["tasks"]:
        raise AirflowSkipException("Nothing was queued")


@dag(
    dag_id="enrichment_backfill",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=SETTINGS.pass_timeout_minutes),
    default_args=DEFAULT_ARGS,
    params={
        "from": dag_params.FROM,
        "to": dag_params.TO,
        "test_ids": dag_params.TEST_IDS,
        "dry_run": Param(
            True, type="boolean", title="Dry run", description="Only list what would be queued; queue nothing."
        ),
    },
    doc_md=__doc__,
    tags=["flakebench", "enrichment"],
)
def enrichment_backfill() -> None:
    """Wire a backfill."""

    @task
    def queue_runs(*, dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        from include.enrichment.backfill import backfill, selection_from_conf
        from include.enrichment.operations import Operation
        from include.enrichment.snowflake import open_hook

        settings = enrichment_settings.current()
        operation = Operation("backfill", f"{dag_run.dag_id}/{dag_run.run_id}", datetime.now(UTC).replace(tzinfo=None))
        selection = selection_from_conf(dag_run.conf or {})
        hook = open_hook(SETTINGS.conn_id, settings)
        return backfill(hook, settings, selection, operation, dry_run=params["dry_run"])

    @task(retries=0)
    def fail_for_refused_runs(answer: Any, *, params: Any = None) -> None:
        from include.enrichment.selection import fail_for_refused

        fail_for_refused(answer["refused"], 0 if params["dry_run"] else answer["runs"])

    answer = queue_runs()
    start_pass = TriggerDagRunOperator(
        task_id="start_pass", trigger_dag_id="delayed_enrichment", pre_execute=skip_unless_something_was_queued
    )
    answer >> start_pass
    fail_for_refused_runs(answer)


enrichment_backfill()
