"""What a try that wrote nothing leaves behind: the task's next state, its message, its row in the history."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from include.enrichment.error_numbers import ErrorClass
from include.enrichment.errors import EnrichmentError, classify, safe_text
from include.enrichment.snowflake import AUTOCOMMIT_OF_LOGIN
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from snowflake.connector.errors import Error as SnowflakeError

    from include.enrichment.lifecycle import Attempt

log = logging.getLogger(__name__)


_GIVEN_UP = (
    " The second look is given up; the task stays COMPLETED with what is stored. To look again, retry the run with "
    "force=true when the cause is gone."
)


@dataclass(frozen=True)
class AttemptEnd:
    """The next state of a task. A second look has these states as well, but leaves the task's own alone: PENDING means
    that it is due again, FAILED and SKIPPED that it is given up.

    :param status: IN_PROGRESS while Airflow itself tries again under the same claim
    :param due_in_minutes: until the next try; None: the due time stays
    :param is_counted: whether the try counts towards the limit
    :param is_snoozed: the run or the view was not ready
    """

    status: str
    outcome: str
    reason_code: str
    message: str
    error_class: ErrorClass | None = None
    due_in_minutes: int | None = None
    is_counted: bool = True
    is_snoozed: bool = False

    @property
    def is_retried_by_airflow(self) -> bool:
        return self.status == "IN_PROGRESS"

    @classmethod
    def not_finished(cls, attempt: Attempt, message: str) -> Self:
        """The benchmark run still goes on: look again later, without counting the try, until the horizon."""
        if attempt.is_past_horizon:
            text = f"{message}. It was waited for long enough; retry it when the run has finished."
            return cls("SKIPPED", "SKIPPED", "NO_DATA", text, is_counted=False)
        minutes = attempt.settings.not_ready_minutes
        return cls(
            "PENDING", "PENDING", "NOT_READY", message, due_in_minutes=minutes, is_counted=False, is_snoozed=True
        )

    @classmethod
    def failed(
        cls,
        error: EnrichmentError | SnowflakeError,
        attempt: Attempt,
        *,
        attempts: int,
        role: str,
        may_airflow_retry: bool,
    ) -> Self:
        """How an error ends a try.

        :param attempts: tries so far, this one included
        :param role: the session's role, for the GRANT in the message
        :param may_airflow_retry: Airflow has a retry left for this task instance
        """
        settings, subject = attempt.settings, attempt.task.subject
        if isinstance(error, EnrichmentError):
            error_class, reason_code, message = error.error_class, error.reason_code, str(error)
        else:
            verdict = classify(error, settings, attempt.entry.source_view, role)
            error_class, reason_code = verdict.error_class, verdict.reason_code
            query = f", query id {error.sfqid}" if error.sfqid else ""
            message = (
                f"{subject}: {safe_text(error)} (Snowflake error {error.errno or 0:06d}{query}). {verdict.next_action}"
            )
        if error_class is ErrorClass.NO_PRIVILEGE:
            if off_reason := settings.off_types.get(attempt.entry.name):  # nobody will grant it
                message += f" The type is {off_reason}, so it is not tried again."
                return cls("SKIPPED", "SKIPPED", "DISABLED", message, error_class)
            minutes = settings.no_privilege_minutes
            message += f" It is tried again in {minutes} minutes."
            return cls("PENDING", "FAILED", reason_code, message, error_class, minutes, is_counted=False)
        if error_class is ErrorClass.PERMANENT:
            if attempt.task.is_second_look:
                message += _GIVEN_UP
            elif not isinstance(error, EnrichmentError) and "retry the run" not in message:
                message += " Then retry the run."
            return cls("FAILED", "FAILED", reason_code, message, error_class)
        if attempts >= settings.max_attempts:
            message += f" This was try {attempts} of {settings.max_attempts}"
            message += f".{_GIVEN_UP}" if attempt.task.is_second_look else "; retry the run when the cause is gone."
            return cls("FAILED", "FAILED", reason_code, message, error_class)
        if may_airflow_retry:
            return cls("IN_PROGRESS", "FAILED", reason_code, message, error_class)
        minutes = settings.backoff(attempts)
        message += f" Try {attempts} of {settings.max_attempts}; the next is in {minutes} minutes."
        return cls("PENDING", "FAILED", reason_code, message, error_class, minutes)


def end_with_error(
    hook: DbApiHook, attempt: Attempt, error: EnrichmentError | SnowflakeError, *, may_airflow_retry: bool
) -> AttemptEnd:
    """Record how a try failed, and say so.

    When even that fails (Snowflake is unreachable), the lease ends by itself and the task is given back.
    """
    attempts, role = attempt.attempts, "<the connection's role>"
    try:
        state = hook.get_first(render("queue/attempt_state.sql", attempt.settings), parameters=attempt.parameters)
        role, attempts = state[0] or role, int(state[1] or attempts)
        if not attempt.has_taken_over:
            attempts += 1  # the take-over, which counts a try, is what failed
    except Exception as unreachable:
        log.warning("%s: its state cannot be read: %s", attempt.task.subject, safe_text(unreachable))
    end = AttemptEnd.failed(error, attempt, attempts=attempts, role=role, may_airflow_retry=may_airflow_retry)
    record_end(hook, attempt, end)
    return end


def claim_holder(hook: DbApiHook, attempt: Attempt) -> str:
    """Who holds the task of a try that lost its claim, in words."""
    parameters = {name: attempt.parameters[name] for name in ("job_id", "enrichment_type")}
    try:
        row = hook.get_first(render("queue/claim_holder.sql", attempt.settings), parameters=parameters)
    except Exception as unreachable:
        return f"who holds it cannot be read: {safe_text(unreachable)}"
    if row is None:
        return "its job was deleted"
    status, claimed_by, lease_expires_at = row
    if status != "IN_PROGRESS" and lease_expires_at is None:  # a second look leaves the status as it is
        return f"it is {status}, last claimed by {claimed_by}"
    return f"another DAG run, {claimed_by}, holds it until {lease_expires_at} UTC"


def record_end(hook: DbApiHook, attempt: Attempt, end: AttemptEnd) -> None:
    """Write a task's next state and the try's row; fenced by the token, so a lost task is left alone."""
    is_second_look = attempt.task.is_second_look
    parameters = {
        **attempt.parameters,
        "status": end.status,
        "is_held": end.is_retried_by_airflow,
        "outcome": end.outcome,
        "reason_code": end.reason_code,
        "message": end.message,
        "due_in_minutes": end.due_in_minutes,
        "attempts_delta": int(end.is_counted) - int(attempt.has_taken_over),
        "snoozes_delta": 1 if end.is_snoozed else 0,
    }
    try:
        path = "queue/end_second_look.sql" if is_second_look else "queue/end_attempt.sql"
        hook.run(render(path, attempt.settings), autocommit=AUTOCOMMIT_OF_LOGIN, parameters=parameters)
    except Exception as unreachable:
        log.error(
            "%s: the end of this try cannot be recorded: %s. The task is given back when its lease ends.",
            attempt.task.subject,
            safe_text(unreachable),
        )
