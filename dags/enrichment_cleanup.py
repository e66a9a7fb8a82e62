"""
### Enrichment cleanup

Once a day, in bounded batches. Each batch is a transaction of its own: a step that is interrupted keeps what it did,
and the next try goes on. A step that fails does not stop the others.

1. **delete_settled_jobs**: queue rows and the history of tries (`DELAYED_ENRICHMENT_ATTEMPTS`) of jobs that settled
   more than `FLAKEBENCH_ENRICHMENT_QUEUE_RETENTION_DAYS` (30) ago. Task rows and run summaries live as long as the
   run, so that nothing is enriched twice. The queue row of a POSTGRES run stays: it is the only record of the run.
2. **delete_orphaned_rows**: every row of a run that FlakeBench has deleted. A run of which the parent's or a child's
   row is left still exists. With an empty `TEST_RESULTS` the step refuses and fails: the table is being created again,
   or the settings point elsewhere.
3. **delete_expired_insights**: cached insights past `EXPIRES_AT`.
4. **delete_old_operations**: records in `ENRICHMENT_OPERATIONS` that are older than a year.
5. **repair_mirror**: adds the columns that FlakeBench's `CREATE OR ALTER TABLE` dropped and copies every value again
   that differs, whatever the cause. Skipped when `FLAKEBENCH_ENRICHMENT_MIRROR` is `false`.
6. **record_cleanup** writes the counts of all steps to `ENRICHMENT_OPERATIONS`, and makes the DAG run red when a step
   failed. `include/sql/monitor/last_cleanups.sql` shows the last thirty.

**While the schema is rolled back** or a migration is pending, every step fails and changes nothing: run
`enrichment_setup`, then clear the steps; or pause this DAG.

**Never deleted**: what is pending, in progress, or settled but not yet rolled up and announced.

**To look first**, trigger with `dry_run`: it returns and records what would be deleted, and changes nothing else.
**To repeat a step**, clear its task with its downstream, which records the outcome anew; a second cleanup finds nothing
to do. **To stop**, pause this DAG.
Counts are those of a task's last try; every batch is in its log. A batch is
`FLAKEBENCH_ENRICHMENT_CLEANUP_BATCH_SIZE` (10,000) rows, in step 1 that many jobs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, TriggerRule, chain, dag, task
from airflow.sdk.exceptions import AirflowFailException

from include.enrichment import settings as enrichment_settings
from include.enrichment.cleanup import STEPS
from include.enrichment.dag_defaults import DEFAULT_ARGS

SETTINGS = enrichment_settings.ParseSettings()


@dag(
    dag_id="enrichment_cleanup",
    schedule="17 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args=DEFAULT_ARGS,
    params={
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Count what would be deleted, and delete and repair nothing. The counts are in the XCom of "
            "each step and in ENRICHMENT_OPERATIONS.",
        )
    },
    doc_md=__doc__,
    tags=["flakebench", "enrichment"],
)
def enrichment_cleanup() -> None:
    """Wire one cleanup."""

    @task(pool=SETTINGS.pool, trigger_rule=TriggerRule.ALL_DONE)
    def run_step(name: str, *, params: Any = None) -> dict[str, int]:
        from include.enrichment import cleanup

        return cleanup.run_step(name, SETTINGS.conn_id, enrichment_settings.current(), dry_run=params["dry_run"])

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def record_cleanup(results: dict[str, Any], *, ti: Any = None, dag_run: Any = None, params: Any = None) -> None:
        from include.enrichment import cleanup
        from include.enrichment.operations import Operation
        from include.enrichment.snowflake import open_hook

        settings = enrichment_settings.current()
        # a cleared step clears this task as well
        operation = Operation.of_try("cleanup", ti, dag_run.start_date.astimezone(UTC).replace(tzinfo=None))
        hook = open_hook(SETTINGS.conn_id, settings)
        if failed := cleanup.record_cleanup(operation, hook, settings, results, dry_run=params["dry_run"]):
            raise AirflowFailException(f"{', '.join(failed)} failed; the log of each says cause and next action")

    steps = {name: run_step.override(task_id=name)(name) for name in STEPS}
    # one after the other, because they delete from the same tables
    chain(*steps.values(), record_cleanup(steps))


enrichment_cleanup()
