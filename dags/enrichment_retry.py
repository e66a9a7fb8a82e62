"""
### Retry

Re-queues what failed for one run or for many, due at once, and starts `delayed_enrichment`, so that nobody waits for
the schedule. The tries are counted anew; the history (`DELAYED_ENRICHMENT_ATTEMPTS`) is kept.

    POST /api/v2/dags/enrichment_retry/dagRuns   {"logical_date": null, "conf": {"test_id": "..."}}

| conf | chooses |
|---|---|
| `test_id`, `test_ids` | runs by their id, or by a child's |
| `from`, `to` | runs by the time they ended (UTC) |
| `status` | tasks by status: `FAILED`; `PENDING`: those of which a try failed and that wait for the next |
| `types` | only these enrichment types |
| `force` | also what settled (`COMPLETED`, `SKIPPED`); replaces what is stored, even by less, but not by nothing |

Without `status` and `force`: what is `FAILED`, and what waits after a failed try (a missing privilege, a timeout).
Named runs are claimed at once; what a range or a status chooses waits behind fresh runs, as a backfill does.

**Green**: `requeue_tasks` returns what was re-queued. **Red**: the message says why, and what to do instead: the run
does not exist, nothing of it failed, or it is being enriched now. Of several named runs those that can be are
re-queued; the DAG run is red for the others. Triggering the same again changes nothing more: it is refused, because
nothing is failed any more. What is switched off, or does not exist for the run's table type, is never re-queued.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, task

from include.enrichment import dag_params
from include.enrichment import settings as enrichment_settings
from include.enrichment.dag_defaults import DEFAULT_ARGS

SETTINGS = enrichment_settings.ParseSettings()


@dag(
    dag_id="enrichment_retry",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(minutes=SETTINGS.pass_timeout_minutes),
    default_args=DEFAULT_ARGS,
    params={
        "test_id": dag_params.TEST_ID,
        "test_ids": dag_params.TEST_IDS,
        "status": Param(
            None,
            type=["null", "string"],
            enum=[None, "FAILED", "PENDING", "COMPLETED", "SKIPPED"],
            values_display={"null": "whatever failed"},
            title="Task status",
            description="Only tasks of this status; COMPLETED and SKIPPED need force.",
        ),
        "types": dag_params.TYPES,
        "from": dag_params.FROM,
        "to": dag_params.TO,
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Repeat what settled, too; the result may replace what is stored by less, but not by nothing.",
        ),
    },
    doc_md=__doc__,
    tags=["flakebench", "enrichment"],
)
def enrichment_retry() -> None:
    """Wire a retry."""

    @task
    def requeue_tasks(*, dag_run: Any = None) -> dict[str, Any]:
        from include.enrichment.operations import Operation
        from include.enrichment.retry import RetryRequest, retry
        from include.enrichment.snowflake import open_hook

        settings = enrichment_settings.current()
        operation = Operation("retry", f"{dag_run.dag_id}/{dag_run.run_id}", datetime.now(UTC).replace(tzinfo=None))
        request = RetryRequest.from_conf(dag_run.conf or {}, settings)
        return retry(open_hook(SETTINGS.conn_id, settings), settings, request, operation)

    @task(retries=0)
    def fail_for_refused_runs(answer: Any) -> None:
        from include.enrichment.selection import fail_for_refused

        fail_for_refused(answer["refused"], answer["runs"])

    answer = requeue_tasks()
    start_pass = TriggerDagRunOperator(task_id="start_pass", trigger_dag_id="delayed_enrichment")
    answer >> start_pass
    fail_for_refused_runs(answer)


enrichment_retry()
