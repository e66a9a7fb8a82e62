"""The bind parameters that Python passes with each template, and from which statement on it knows them."""

from __future__ import annotations

from datetime import datetime

from include.enrichment.lifecycle import Attempt, ClaimedTask
from include.enrichment.operations import Operation
from include.enrichment.queue import claim_parameters
from tests.sql_gate.template_statements import SAME_SCHEMA, Statement

_TASK = ClaimedTask(job_id="J", run_id="R", run_name="N", enrichment_type="AGGREGATE", claim_token="T")

CLAIM = frozenset(claim_parameters(SAME_SCHEMA, claim_token="T", claimed_by="D", lease_minutes=1))
ATTEMPT = frozenset(Attempt(_TASK, SAME_SCHEMA, try_number=1, claimed_by="D", lease_minutes=1).parameters)
"""Known when a try begins."""

_AFTER_RUN = "window_start window_end usage_start newest_before tags child_ids successful_operations"
_AFTER_READING = """
replace status reason_code message due_at attempts_delta snoozes_delta expected_count found_count coverage
data_complete data_available_until rows_written
"""
AFTER_STEP = {"run": frozenset(_AFTER_RUN.split()), "reading": frozenset(_AFTER_READING.split())}
"""What ``Attempt.observe`` adds after a step of ``enrich/_lifecycle.sql``."""

OPERATION = frozenset(Operation("cleanup", "D", datetime(2026, 1, 1)).parameters("SUCCEEDED", {}))
_CLAIM_TEMPLATES = """
claim_pass hold_pass_lock discover_jobs skip_duplicate_jobs create_tasks record_lost_attempts rescue_tasks claim_tasks
claimed_tasks
"""
PASSED = {
    "queue/next_due.sql": frozenset({"statuses"}),
    "queue/record_events.sql": frozenset({"job_ids"}),
    "queue/written_children.sql": frozenset({"claim_token"}),
    "queue/mirror_hashes.sql": frozenset({"run_ids", "child_ids"}),
    "queue/attempt_state.sql": ATTEMPT,
    "queue/claim_holder.sql": ATTEMPT,
    "queue/end_attempt.sql": ATTEMPT
    | {"status", "outcome", "reason_code", "message", "due_in_minutes", "attempts_delta", "snoozes_delta"},
    "queue/record_operation.sql": OPERATION,
    "schema/record_step.sql": frozenset({"version", "name", "checksum", "state"}),
} | {f"queue/{name}.sql": CLAIM for name in _CLAIM_TEMPLATES.split()}
"""Templates outside ``enrich``; one that is missing here is sent without parameters."""


def unknown_binds(path: str, parts: tuple[Statement, ...]) -> list[str]:
    """Placeholders that Python does not fill, or not yet when the statement is sent."""
    known = ATTEMPT if path.startswith("enrich/") else PASSED.get(path, frozenset())
    problems = []
    for part in parts:
        problems += [f"{part.label}: nothing fills %({name})s" for name in sorted(part.binds - known)]
        if path.startswith("enrich/") and part.step in AFTER_STEP:
            known |= AFTER_STEP[part.step]
    return problems
