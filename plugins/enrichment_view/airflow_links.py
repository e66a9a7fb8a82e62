"""From a DAG run or a task instance of Airflow to the benchmark runs that it worked on."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from enrichment_view.answers import ANSWERING_TASKS, answers
from enrichment_view.api import Fresh, PageReader
from enrichment_view.rendering import page, root
from enrichment_view.security import MayRetry
from include.enrichment.page.runs import MAX_PAGE_SIZE, RunFilter, list_runs

router = APIRouter()

_MAPPED_TASK = "enrich"


@router.get(
    "/dag-runs/{dag_id}/{dag_run_id:path}", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))]
)
def runs_of_dag_run(
    request: Request,
    reader: PageReader,
    fresh: Fresh,
    may_retry: MayRetry,
    dag_id: Annotated[str, Path(max_length=250)],
    dag_run_id: Annotated[str, Path(max_length=250)],
    task_id: Annotated[str | None, Query(max_length=250)] = None,
    map_index: Annotated[str | None, Query(pattern=r"^-?\d{0,6}$")] = None,
) -> Response:
    """The runs that a DAG run worked on; the run's own page when it is one."""
    named = _named_runs(answers(dag_id, [dag_run_id]).get(dag_run_id), task_id, int(map_index) if map_index else -1)
    if len(named) == 1:
        return RedirectResponse(f"{root(request)}/runs/{named[0]}", status_code=303)
    chosen = RunFilter(run_ids=named[:MAX_PAGE_SIZE])
    found = list_runs(reader, chosen, limit=MAX_PAGE_SIZE, fresh=fresh) if named else None
    return page(
        request, "dag_run.html", dag_id=dag_id, dag_run_id=dag_run_id, found=found, may_retry=may_retry,
        is_ours=dag_id in ANSWERING_TASKS,
    )  # fmt: skip


def _named_runs(answer: Any, task_id: str | None, map_index: int) -> tuple[str, ...]:
    """Ids in the order in which they are named; of a mapped task instance its own."""
    if isinstance(answer, dict):
        return tuple(answer.get("requeued") or ())
    claimed = [item["run_id"] for item in answer or ()]
    if task_id == _MAPPED_TASK and 0 <= map_index < len(claimed):
        return (claimed[map_index],)
    return tuple(dict.fromkeys(claimed))
