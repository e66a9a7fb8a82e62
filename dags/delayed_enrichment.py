"""
### Delayed enrichment

Every five minutes: is anything due? If so, one pass:

1. **wait_for_due_work** asks Snowflake one question without a clock. Nothing due: the pass ends here, skipped, and
   costs nothing (Snowflake answers from its result cache).
2. **claim_due_tasks** gives finished runs a job, gives back what lost its worker, and claims a bounded batch.
3. **enrich** is one mapped task per (run, enrichment type). It takes its task over, reads the view, judges whether the
   data is complete, and writes it in one transaction.
   *Green*: written. *Skipped*: the view was not ready (looked at again later) or another DAG run holds the task.
   *Red*: the message says run, type, cause and next action; the other types and runs go on.
4. **roll_up_jobs** brings the jobs in line with their tasks, copies the summary to FlakeBench's tables and emits an
   event per settled job on the asset `flakebench_run_enriched`. It runs whatever the mapped tasks did.
5. **fail_when_a_task_failed** makes the DAG run red when a mapped task is.

A task that settled incomplete is looked at once more a day later (*second look* in its name): it stays COMPLETED
throughout, its values are replaced if the view holds as much or more, and the run is announced again only if one
changed.

**To repeat one enrichment**, clear its mapped task: it replaces the run's rows and doubles nothing.
**To stop**, pause this DAG, or set the Variable `FLAKEBENCH_ENRICHMENT_ENABLED` to `false`.
A pass that takes `FLAKEBENCH_ENRICHMENT_DEADLINE_MINUTES` (45) longer than ten earlier ones is reported like an
alert, see `enrichment_monitor`; by the notifiers, and with their connections, of the environment: Airflow 3.3 gives the
callback of a deadline no Variables.
A pass that leaves due tasks starts the next at once; otherwise the schedule does. *Claimed at least once, written
effectively once.*
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, AssetAlias, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.enrichment import settings as enrichment_settings
from include.enrichment.dag_defaults import DEFAULT_ARGS
from include.enrichment.deadline import pass_deadline
from include.enrichment.operator import SnowflakeEnrichmentOperator
from include.enrichment.sensor import DueWorkSensor
from include.enrichment.templates import SQL_FOLDER, jinja_options, macros

SETTINGS = enrichment_settings.ParseSettings()
RUN_ENRICHED = Asset("flakebench_run_enriched")
SETTLED_JOBS = AssetAlias("flakebench_settled_jobs")
TASKS_LEFT = "tasks_left"


def skip_unless_tasks_are_left(context: Any) -> None:
    """``pre_execute`` of trigger_next_pass: the batch was full, or backfill had its share of it."""
    if not context["ti"].xcom_pull(task_ids="claim_due_tasks", key=TASKS_LEFT):
        raise AirflowSkipException("No task that is due was left: the schedule starts the next pass")


@dag(
    dag_id="delayed_enrichment",
    schedule=timedelta(minutes=SETTINGS.schedule_minutes),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=SETTINGS.pass_timeout_minutes),
    deadline=pass_deadline(SETTINGS),
    default_args=DEFAULT_ARGS,
    template_searchpath=[str(SQL_FOLDER)],
    user_defined_macros=macros(),
    jinja_environment_kwargs=jinja_options(),
    doc_md=__doc__,
    tags=["flakebench", "enrichment"],
)
def delayed_enrichment() -> None:
    """Wire one pass."""
    wait_for_due_work = DueWorkSensor(task_id="wait_for_due_work", conn_id=SETTINGS.conn_id)

    @task(do_xcom_push=True)
    def claim_due_tasks(*, dag_run: Any = None, dag: Any = None, ti: Any = None) -> list[dict[str, Any]]:
        from include.enrichment import metrics
        from include.enrichment.queue import claim_due_tasks as claim_tasks
        from include.enrichment.snowflake import open_hook

        settings = enrichment_settings.current()
        if not settings.enabled:
            raise AirflowSkipException("FLAKEBENCH_ENRICHMENT_ENABLED is false: nothing is claimed")
        claim = claim_tasks(
            open_hook(SETTINGS.conn_id, settings),
            settings,
            claimed_by=f"{dag.dag_id}/{dag_run.run_id}",
            lease_minutes=SETTINGS.lease_minutes,
            is_retry=ti.try_number > 1,
        )
        metrics.claimed(len(claim.tasks), claim.tasks_left)
        ti.xcom_push(key=TASKS_LEFT, value=claim.tasks_left)
        return claim.tasks

    @task(trigger_rule=TriggerRule.ALL_DONE, outlets=[SETTLED_JOBS])
    def roll_up_jobs(claimed: Any, *, outlet_events: Any = None) -> list[str]:
        from include.enrichment.queue import answer_next_tick, mirror, settle_jobs
        from include.enrichment.snowflake import open_hook

        if claimed is None:
            raise AirflowSkipException("Nothing was claimed in this pass")
        settings = enrichment_settings.current()
        hook = open_hook(SETTINGS.conn_id, settings)
        settled = settle_jobs(hook, settings)
        mirror(SETTINGS.conn_id, settings, claimed[0]["claim_token"] if claimed else None)
        for job in settled:
            outlet_events[SETTLED_JOBS].add(RUN_ENRICHED, extra=job.event())
        if not settled:  # else record_events is the last to write
            answer_next_tick(hook, settings)
        return [job.job_id for job in settled]

    @task
    def record_events(job_ids: Any) -> None:
        from include.enrichment.queue import record_events as record
        from include.enrichment.snowflake import open_hook

        if not job_ids:
            raise AirflowSkipException("No job settled in this pass")
        settings = enrichment_settings.current()
        record(open_hook(SETTINGS.conn_id, settings), settings, job_ids)

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def fail_when_a_task_failed() -> None:
        raise AirflowFailException("A task of this pass failed; its log says run, type, cause and next action")

    claimed = claim_due_tasks()
    enrich = SnowflakeEnrichmentOperator.partial(
        task_id="enrich",
        conn_id=SETTINGS.conn_id,
        pool=SETTINGS.pool,
        lease_minutes=SETTINGS.lease_minutes,
        retries=1,
        retry_delay=timedelta(seconds=SETTINGS.retry_delay_seconds),
        map_index_template="{{ task.label }}",
    ).expand(claimed=claimed)
    settled = roll_up_jobs(claimed)
    trigger_next_pass = TriggerDagRunOperator(
        task_id="trigger_next_pass",
        trigger_dag_id="delayed_enrichment",
        pre_execute=skip_unless_tasks_are_left,
    )

    wait_for_due_work >> claimed >> enrich >> settled
    settled >> [trigger_next_pass, record_events(settled)]
    enrich >> fail_when_a_task_failed()


delayed_enrichment()
