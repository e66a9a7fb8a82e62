"""The bind parameters that Python passes with each template, and from which statement on it knows them."""

from __future__ import annotations

from datetime import datetime

from include.enrichment.backfill import backfill_parameters
from include.enrichment.lifecycle import Attempt, ClaimedTask
from include.enrichment.monitor import monitor_parameters
from include.enrichment.operations import Operation
from include.enrichment.page.runs import RunFilter
from include.enrichment.queue import claim_parameters, sensor_parameters
from include.enrichment.retry import RetryRequest
from include.enrichment.selection import RunSelection
from tests.sql_gate.template_statements import SAME_SCHEMA, Statement

_TASK = ClaimedTask(job_id="J", run_id="R", run_name="N", enrichment_type="AGGREGATE", claim_token="T")

CLAIM = frozenset(claim_parameters(SAME_SCHEMA, claim_token="T", claimed_by="D", lease_minutes=1))
ATTEMPT = frozenset(Attempt(_TASK, SAME_SCHEMA, try_number=1, claimed_by="D", lease_minutes=1).parameters)
"""Known when a try begins."""

_AFTER_RUN = "window_start window_end usage_start newest_before tags child_ids successful_operations"
_AFTER_READING = """
replace status reason_code message due_at attempts_delta snoozes_delta expected_count found_count coverage
data_complete data_available_until rows_written outcome recheck_at changes is_changed
"""
AFTER_STEP = {
    "run": frozenset(_AFTER_RUN.split()),
    "reading": frozenset(_AFTER_READING.split()),
}
"""What ``Attempt.observe`` adds after a step of ``enrich/_lifecycle.sql``."""

_OPERATION = Operation("cleanup", "D", datetime(2026, 1, 1))
OPERATION = frozenset(_OPERATION.parameters("SUCCEEDED", {}))
RETRY = OPERATION | frozenset(RetryRequest(RunSelection(), (), (), force=False).parameters(_OPERATION))
BACKFILL = OPERATION | frozenset(backfill_parameters(SAME_SCHEMA, RunSelection(), _OPERATION))
_CLAIM_TEMPLATES = """
claim_pass hold_pass_lock queue_jobs skip_duplicate_jobs create_tasks queue_tasks record_lost_attempts claim_tasks
claimed_tasks
"""
PASSED = {
    "queue/next_due.sql": frozenset(sensor_parameters(SAME_SCHEMA)),
    "queue/record_events.sql": frozenset({"job_ids"}),
    "queue/written_children.sql": frozenset({"claim_token"}),
    "queue/mirror_hashes.sql": frozenset({"run_ids", "child_ids"}),
    "queue/attempt_state.sql": ATTEMPT,
    "queue/claim_holder.sql": ATTEMPT,
    "queue/end_attempt.sql": ATTEMPT
    | {"status", "outcome", "reason_code", "message", "due_in_minutes", "attempts_delta", "snoozes_delta"},
    "queue/end_second_look.sql": ATTEMPT
    | {"status", "outcome", "reason_code", "message", "due_in_minutes", "attempts_delta", "snoozes_delta", "is_held"},
    "queue/record_operation.sql": OPERATION,
    "cleanup/count_settled_jobs.sql": frozenset({"retention_days"}),
    "cleanup/delete_settled_jobs.sql": frozenset({"retention_days", "batch_size"}),
    "cleanup/delete_orphaned_rows.sql": frozenset({"batch_size"}),
    "cleanup/delete_expired_insights.sql": frozenset({"batch_size"}),
    "cleanup/count_old_operations.sql": frozenset({"retention_days"}),
    "cleanup/delete_old_operations.sql": frozenset({"retention_days", "batch_size"}),
    "cleanup/mirror_columns.sql": frozenset({"child_ids"}),
    "cleanup/stale_hashes.sql": frozenset({"run_ids", "child_ids"}),
    "schema/existing_columns.sql": frozenset({"results_schema", "enrichment_schema"}),
    "queue/backfill.sql": BACKFILL,
    "queue/backfill_dry_run.sql": BACKFILL,
    "queue/backfill_jobs.sql": BACKFILL,
    "queue/backfilled_tasks.sql": BACKFILL,
    "queue/operation_details.sql": frozenset({"operation_id"}),
    "queue/requested_runs.sql": RETRY,
    "queue/requeue_tasks.sql": RETRY,
    "queue/requeued_tasks.sql": RETRY,
    "queue/restore_jobs.sql": RETRY,
    "queue/retry.sql": RETRY,
    "doctor/views.sql": frozenset({"window_start", "window_end"}),
    "doctor/flakebench_tables.sql": frozenset({"nobody"}),
    "doctor/warehouse.sql": frozenset({"warehouse"}),
    "schema/record_step.sql": frozenset({"version", "name", "checksum", "state"}),
    "monitor/status_of_run.sql": frozenset({"run_id"}),
    "monitor/reconciliation.sql": frozenset({"window_start", "window_end", "usage_start"}),
    "monitor/figures.sql": frozenset(monitor_parameters(SAME_SCHEMA)),
    "monitor/enrichment_effectiveness.sql": frozenset({"run_id"}),
    "monitor/server_metrics_of_run.sql": frozenset({"run_id"}),
    "monitor/lock_contention_of_run.sql": frozenset({"run_id"}),
    "monitor/credits_of_run.sql": frozenset({"run_id"}),
    "page/runs.sql": frozenset(RunFilter().binds()) | {"page_size", "page_offset"},
    "page/run_header.sql": frozenset({"run_id"}),
    "page/compare.sql": frozenset({"run_ids"}),
    "page/own_cost.sql": frozenset({"query_tag", "window_start", "window_end"}),
} | {f"queue/{name}.sql": CLAIM for name in _CLAIM_TEMPLATES.split()}
"""Templates outside ``enrich``; one that is missing here is sent without parameters."""

_RUN_SECTIONS = "server_metrics lock_contention credits query_acceleration insights partitions history"
PASSED |= {f"page/{name}.sql": frozenset({"run_id", "page_size", "page_offset"}) for name in _RUN_SECTIONS.split()}


def unknown_binds(path: str, parts: tuple[Statement, ...]) -> list[str]:
    """Placeholders that Python does not fill, or not yet when the statement is sent."""
    known = ATTEMPT if path.startswith("enrich/") else PASSED.get(path, frozenset())
    problems = []
    for part in parts:
        problems += [f"{part.label}: nothing fills %({name})s" for name in sorted(part.binds - known)]
        if path.startswith("enrich/") and part.step in AFTER_STEP:
            known |= AFTER_STEP[part.step]
    return problems
