"""
### Enrichment monitor

Every five minutes, as often as `delayed_enrichment`, one question to Snowflake without a clock: an unchanged queue is
answered from the result cache, so that a monitor with nothing to see costs nothing. What it returns is compared with
now and with the thresholds of `include/enrichment/slo.py`; `FLAKEBENCH_ENRICHMENT_THRESHOLDS` changes them.

* **look** logs every figure, sends each as a gauge through Airflow's metrics, and tells of alerts: once when one starts
  or becomes critical, once when it has ended (two looks in a row below every threshold), and once a day while it lasts.
* It tells the log, and every notifier of `FLAKEBENCH_ENRICHMENT_NOTIFIERS`: `docs/operate.md` has examples for Slack,
  e-mail and PagerDuty. Fields of `alert`: `title`, `text`, `key` (the same for all that is told of one figure),
  `level`, `event`, `value`.
* What was new is a row of ENRICHMENT_OPERATIONS, see `last_alerts` in `docs/queries.md`.
* **Green**: it has looked, whatever it found. **Red**: Snowflake gave no answer, which is an alert of its own; or a
  notifier failed three times: what it was to tell is in the log, and the next look tries that notifier again.

What has been told is in the Variable `flakebench_enrichment_open_alerts`; delete it, and every alert starts anew.
**To stop**, pause this DAG: alerts then neither start nor end. **To look now**, trigger it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import dag, get_current_context, task

from include.enrichment import settings as enrichment_settings
from include.enrichment.dag_defaults import DEFAULT_ARGS

SETTINGS = enrichment_settings.ParseSettings()


@dag(
    dag_id="enrichment_monitor",
    schedule=timedelta(minutes=SETTINGS.monitor_interval),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=SETTINGS.pass_timeout_minutes),
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["flakebench", "enrichment"],
)
def enrichment_monitor() -> None:
    """Wire one look."""

    @task
    def look() -> dict[str, float | None]:
        from include.enrichment import watch

        return watch.look(SETTINGS.conn_id, enrichment_settings.current(), get_current_context())

    look()


enrichment_monitor()
