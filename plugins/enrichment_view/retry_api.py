"""``POST`` of a retry, of one run or of many: what failed is due at once, and a DAG run carries it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Body, Depends, status
from pydantic import BaseModel, ConfigDict, Field

from enrichment_view.api import RUN_ID_PATTERN, PageReader, RunId
from enrichment_view.models import BadgeModel, Reply
from enrichment_view.problems import NOT_FOUND_RESPONSE, READ_RESPONSES, RETRY_RESPONSES, NotFoundError
from enrichment_view.security import User, comes_from_our_page, may_retry
from include.enrichment.catalogue import CATALOGUE
from include.enrichment.page.reader import Reader
from include.enrichment.page.retries import DAG_ID, Requeued, requeue
from include.enrichment.page.runs import RunFilter, find_run, list_runs
from include.enrichment.selection import RefusedError

log = logging.getLogger(__name__)

router = APIRouter(
    dependencies=[Depends(may_retry), Depends(comes_from_our_page)],
    responses=READ_RESPONSES | RETRY_RESPONSES,
    tags=["retry"],
)

MAX_RUNS = 200
TypeName = Literal[
    "QUERY_HISTORY", "QUERY_INSIGHTS", "AGGREGATE", "LOCK_CONTENTION", "HYBRID_CREDITS", "QUERY_ACCELERATION"
]


class RetryRequestBody(BaseModel):
    """What of a run to retry."""

    model_config = ConfigDict(extra="forbid", strict=True)

    types: list[TypeName] | None = Field(None, min_length=1, max_length=len(CATALOGUE), description="All when null")
    force: bool = Field(False, description="Also what settled; replaces what is stored, but not by nothing")

    def conf(self, run_ids: list[str]) -> dict[str, Any]:
        """The ``conf`` of the DAG run."""
        types = {"types": list(dict.fromkeys(self.types))} if self.types else {}
        return {"test_ids": run_ids, **types, **({"force": True} if self.force else {})}


class BulkRetryRequestBody(RetryRequestBody):
    """Which runs to retry."""

    run_ids: list[Annotated[str, Field(pattern=RUN_ID_PATTERN)]] = Field(min_length=1, max_length=MAX_RUNS)


class RetriedRun(BaseModel):
    """A run after its retry was asked for."""

    run_id: str
    requeued_types: list[str]
    refused: str | None = Field(description="Why it was not re-queued, and what to do instead")
    badge: BadgeModel | None = Field(description="Null: there is no such run")


class RetryReply(Reply):
    """What a retry did."""

    dag_id: str
    dag_run_id: str | None = Field(description="The DAG run that carries it; null: see `message`")
    message: str
    runs: list[RetriedRun]


@router.post("/runs/{run_id}/retry", status_code=status.HTTP_202_ACCEPTED, responses=NOT_FOUND_RESPONSE)
def retry_run(run_id: RunId, reader: PageReader, user: User, body: Annotated[RetryRequestBody, Body()]) -> RetryReply:
    """Retry what failed of one run; refused with the reason when nothing did."""
    try:
        return _retry(reader, user, [run_id], body)
    except RefusedError:
        if find_run(reader, run_id) is None:
            raise NotFoundError("run", run_id) from None
        raise


@router.post("/retries", status_code=status.HTTP_202_ACCEPTED)
def retry_runs(reader: PageReader, user: User, body: Annotated[BulkRetryRequestBody, Body()]) -> RetryReply:
    """Retry what failed of several runs; refused only when nothing of any of them did."""
    return _retry(reader, user, list(dict.fromkeys(body.run_ids)), body)


def _retry(reader: Reader, user: Any, run_ids: list[str], body: RetryRequestBody) -> RetryReply:
    conf = body.conf(run_ids)
    dag_run_id = f"page__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}+00:00_{uuid4().hex[:8]}"
    done = requeue(reader, conf, dag_run_id)
    message = _trigger(dag_run_id, conf, user.get_name())
    named = tuple(dict.fromkeys((*done.requeued, *done.refused)))
    found = list_runs(reader, RunFilter(run_ids=named), limit=MAX_RUNS, fresh=True)
    badges = {run.run_id: BadgeModel.model_validate(run.badge) for run in found.runs}
    return RetryReply(
        data_complete=found.data_complete,
        data_available_until=found.data_available_until,
        dag_id=DAG_ID,
        dag_run_id=None if message else dag_run_id,
        message=message or _said(done),
        runs=[
            RetriedRun(
                run_id=run_id,
                requeued_types=list(done.requeued.get(run_id, ())),
                refused=done.refused.get(run_id),
                badge=badges.get(run_id),
            )
            for run_id in named
        ],
    )


def _trigger(dag_run_id: str, conf: dict[str, Any], user_name: str) -> str:
    """Trigger the DAG run of a retry that is done already; returns what to say when it cannot be."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    try:
        trigger_dag(
            DAG_ID,
            run_id=dag_run_id,
            conf=conf,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=user_name,
            note=f"Retry from the page Enrichment, by {user_name}",
        )
    except Exception:  # the tasks are due: what is lost is the record in Airflow, and some minutes
        log.exception("The DAG run %s/%s of a retry cannot be triggered", DAG_ID, dag_run_id)
        return (
            "Re-queued, but no DAG run could be triggered: the next scheduled pass takes the tasks. The API server's "
            f"log says why {DAG_ID} could not be started."
        )
    return ""


def _said(done: Requeued) -> str:
    tasks = sum(len(types) for types in done.requeued.values())
    runs = len(done.requeued)
    text = f"{tasks} {'type' if tasks == 1 else 'types'} of {runs} {'run' if runs == 1 else 'runs'} due now."
    return f"{text} {len(done.refused)} not retried." if done.refused else text
