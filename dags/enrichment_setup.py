"""
### Setup and doctor

Brings the schema up to date, then checks everything that the package needs. Run it after each deployment, and whenever
a task says that a privilege, a table or a column is missing. It may run at any time: it leaves alone what is in order.

1. **change_schema** applies the migrations that are pending. With `dry_run` it shows their SQL in its log and changes
   nothing. With `rollback_to` it takes back every migration above that number instead, newest first; each table is
   copied to `<table>_ROLLBACK` before it is dropped. Pause the other DAGs of the package before a rollback.
2. **check** is one mapped task per view, table and setting. *Green*: in order, or a warning (in its log and in the
   report). *Red*: its message says what is missing, the current role and user, the statement to run and who may run it.
   The checks do not depend on each other, but when the connection fails only those are made that need no login: each
   of the others would try it again, until Snowflake locks the user.
3. **take_pool_slot** runs in the pool of the enrichments; **check_pool** sees whether it was started.
4. **report** shows every finding in one table, records them in `ENRICHMENT_OPERATIONS` (operation `DOCTOR`; not when
   the connection failed) and makes the DAG run red when a check failed; warnings leave it green.

After a dry run or a rollback the checks are skipped. When `change_schema` is red, its message names the GRANT that the
migration needs, and the checks are made all the same.

From a shell: `make doctor`, `make migrate`, `make rollback TO=2`; in a deployment without make
`python -m include.enrichment.doctor`. They use the connection and the settings of the shell's environment
(`AIRFLOW_VAR_...` first); the doctor prints which schema and connection these are. Only this DAG sees Variables that
are in Airflow's database or a secrets backend, and only it can check the pool.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, TriggerRule, WeightRule, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.enrichment import settings as enrichment_settings
from include.enrichment.dag_defaults import DEFAULT_ARGS

SETTINGS = enrichment_settings.ParseSettings()
PARAMS = {
    "dry_run": Param(
        default=False,
        type="boolean",
        title="Dry run",
        description="Show the SQL in the log of change_schema, change nothing, check nothing.",
        examples=[True, False],
    ),
    "rollback_to": Param(
        default=None,
        type=["null", "integer"],
        minimum=0,
        title="Roll back to",
        description="Instead of migrating, take back every migration above this number; 0 takes back all. Each table "
        "is backed up first. Try it as a dry run before.",
        examples=[2, 0],
    ),
}


@dag(
    dag_id="enrichment_setup",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={**DEFAULT_ARGS, "retries": 0, "execution_timeout": timedelta(minutes=3)},
    params=PARAMS,
    doc_md=__doc__,
    tags=["flakebench", "enrichment"],
)
def enrichment_setup() -> None:
    """Wire setup and doctor."""

    @task(execution_timeout=timedelta(minutes=20))
    def change_schema(*, params: Any = None) -> list[str]:
        from include.enrichment import setup

        return setup.change_schema(SETTINGS.conn_id, enrichment_settings.current(), **params)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def list_checks(*, params: Any = None) -> list[dict[str, str]]:
        from include.enrichment import doctor

        if params["dry_run"] or params["rollback_to"] is not None:
            raise AirflowSkipException("Nothing is checked after a dry run or a rollback; run this DAG without them")
        return [check._asdict() for check in doctor.list_checks(SETTINGS.conn_id, enrichment_settings.current())]

    @task(map_index_template="{{ subject['name'] }} {{ subject['subject'] }}")
    def check(subject: dict[str, str], *, ti: Any = None) -> None:
        from include.enrichment.doctor import Check, run_check

        finding = run_check(SETTINGS.conn_id, enrichment_settings.current(), Check(**subject))
        ti.xcom_push(key="finding", value=finding.as_json())
        if finding.is_failure:
            raise AirflowFailException(finding.text)

    # a leaf would come last, behind every check, when check_pool has given up waiting
    @task(pool=SETTINGS.pool, priority_weight=1000, weight_rule=WeightRule.ABSOLUTE)
    def take_pool_slot() -> None:
        """Started: the pool exists and gave a slot."""

    @task
    def check_pool(*, ti: Any = None) -> None:
        from include.enrichment import pool

        finding = pool.check_pool(SETTINGS.pool, pool.states_of(ti, "take_pool_slot"), pool.running_enrichments(ti))
        ti.xcom_push(key="finding", value=finding.as_json())
        if finding.is_failure:
            pool.give_up("take_pool_slot")

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report(changed: Any, listed: Any, *, ti: Any = None, dag_run: Any = None, params: Any = None) -> dict[str, int]:
        from include.enrichment import doctor
        from include.enrichment.operations import Operation

        if changed is not None and (params["dry_run"] or params["rollback_to"] is not None):
            raise AirflowSkipException("Nothing was checked: this was a dry run or a rollback")
        pushed = ti.xcom_pull(task_ids=["check", "check_pool"], key="finding")
        findings = doctor.collect(listed, pushed, SETTINGS.pool) if listed else []
        started_at = dag_run.start_date.astimezone(UTC).replace(tzinfo=None)
        operation = Operation("doctor", f"{dag_run.dag_id}/{dag_run.run_id}", started_at)
        counts = doctor.report(operation, SETTINGS.conn_id, enrichment_settings.current(), findings)
        if changed is None or not listed:
            raise AirflowFailException("change_schema or list_checks failed; its message says why and what to do")
        return counts

    changed = change_schema()
    listed = list_checks()
    checked = check.expand(subject=listed)
    pool_checked = check_pool()

    changed >> listed >> [take_pool_slot(), pool_checked]
    [checked, pool_checked] >> report(changed, listed)


enrichment_setup()
