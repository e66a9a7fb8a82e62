"""The operator of the mapped tasks: one template per (job, enrichment type), on one connection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from include.enrichment import lineage, metrics
from include.enrichment import settings as settings_module
from include.enrichment.catalogue import enrichment_type
from include.enrichment.error_numbers import UNREACHABLE, ErrorClass
from include.enrichment.errors import ClaimLostError, EnrichmentError, is_network_error, safe_text
from include.enrichment.failures import AttemptEnd, claim_holder, end_with_error, record_end
from include.enrichment.lifecycle import Attempt, ClaimedTask, NotFinishedError
from include.enrichment.snowflake import AUTOCOMMIT_OF_LOGIN, hook_params, needed_statements

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context


class SnowflakeEnrichmentOperator(SQLExecuteQueryOperator):
    """Runs the template of one claimed task.

    In Airflow the task instance is *skipped* when the view was not ready or another DAG run holds the task, and
    *failed* with a message that names run, type, cause and next action otherwise.

    :param claimed: a :class:`~include.enrichment.lifecycle.ClaimedTask` as a mapping
    :param lease_minutes: how long a take-over holds the task
    """

    template_fields: Sequence[str] = ("sql", "conn_id")

    def __init__(self, *, claimed: Mapping[str, Any], lease_minutes: int, **kwargs: Any) -> None:
        self.claimed = ClaimedTask(**claimed)
        super().__init__(
            sql=enrichment_type(self.claimed.enrichment_type).template,
            do_xcom_push=False,
            **kwargs,
        )
        self.lease_minutes = lease_minutes

    @property
    def label(self) -> str:
        """For ``map_index_template``."""
        return self.claimed.label

    def execute(self, context: Context) -> None:
        """Run one try; see :mod:`include.enrichment.lifecycle`.

        :raises AirflowSkipException: snoozed, or the claim was lost
        :raises AirflowFailException: failed, and Airflow need not try again
        """
        from snowflake.connector.errors import Error as SnowflakeError

        settings = settings_module.current()
        ti = context["ti"]
        attempt = Attempt(
            self.claimed,
            settings,
            try_number=ti.try_number,
            claimed_by=f"{ti.dag_id}/{ti.run_id}",
            lease_minutes=self.lease_minutes,
        )
        self.hook_params = hook_params(settings)
        hook = self.get_db_hook()
        started = time.monotonic()

        def count(outcome: str, reason_code: str | None, rows_written: int = 0) -> None:
            duration = timedelta(seconds=time.monotonic() - started)
            metrics.ended(self.claimed.enrichment_type, outcome, reason_code, duration, rows_written)

        try:
            hook.run(
                needed_statements(str(self.sql), attempt.parameters),
                autocommit=AUTOCOMMIT_OF_LOGIN,
                parameters=attempt.parameters,
                handler=attempt.observe,
                return_last=False,
            )
        except ClaimLostError as error:
            count("lost", None)
            raise AirflowSkipException(f"{error}; {claim_holder(hook, attempt)}") from None
        except NotFinishedError as error:
            end = AttemptEnd.not_finished(attempt, str(error))
            record_end(hook, attempt, end)
            count("snoozed" if end.is_snoozed else "skipped", end.reason_code)
            raise AirflowSkipException(f"{end.message}; {end.reason_code}") from None
        except (Exception, AirflowTaskTimeout) as error:  # the timeout is no Exception
            known = error if isinstance(error, (EnrichmentError, SnowflakeError)) else unexpected(attempt, error)
            has_retry = ti.try_number <= (ti.max_tries or 0)
            end = end_with_error(hook, attempt, known, may_airflow_retry=has_retry)
            if end.status == "SKIPPED":
                count("skipped", end.reason_code)
                raise AirflowSkipException(f"{end.message}; {end.reason_code}") from None
            count("failed", end.reason_code)
            if end.is_retried_by_airflow:
                raise EnrichmentError(end.message, end.reason_code, ErrorClass.TRANSIENT) from None
            raise AirflowFailException(end.message) from None
        self.log.info(attempt.summary())
        decision = attempt.decision
        if decision is not None:
            outcome = "snoozed" if decision.is_snoozed else decision.status.lower()
            count(outcome, decision.reason_code, attempt.parameters["rows_written"] if decision.replace else 0)
        if decision is not None and decision.is_snoozed:
            raise AirflowSkipException(f"{attempt.summary()}; looked at again at {attempt.next_look_at} UTC")

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any] | None:
        """The view that it reads and the tables that it writes.

        Not by parsing all of the template, as its base does: what it names besides is the queue's bookkeeping.
        """
        return lineage.of_type(enrichment_type(self.claimed.enrichment_type), self.get_db_hook())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """The same: what is read and written does not depend on how the try ended."""
        return self.get_openlineage_facets_on_start()


def unexpected(attempt: Attempt, error: BaseException) -> EnrichmentError:
    """An error that is none of Snowflake's and none of ours, as a transient one that says what to do.

    The connector lets some errors of the network through as they are.
    """
    subject = attempt.task.subject
    if isinstance(error, AirflowTaskTimeout):
        message = (
            f"{subject}: it ran into the task's execution timeout. It is tried again by itself; if it stays so, look "
            "whether Snowflake can be reached, or raise FLAKEBENCH_ENRICHMENT_TASK_TIMEOUT_MINUTES."
        )
        return EnrichmentError(message, "TASK_TIMEOUT", ErrorClass.TRANSIENT)
    if is_network_error(error):
        message = f"{subject}: {type(error).__name__}: {safe_text(error)}. {UNREACHABLE.next_action}"
        return EnrichmentError(message, UNREACHABLE.reason_code, UNREACHABLE.error_class)
    message = (
        f"{subject}: {type(error).__name__}: {safe_text(error)}. It is tried again by itself; if it stays so, report "
        "it with the task's log."
    )
    return EnrichmentError(message, "UNEXPECTED", ErrorClass.TRANSIENT)
