"""What the tasks of our DAGs answered (their XComs): which runs a DAG run worked on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from enrichment_view.security import PASS_DAG_ID, RETRY_DAG_ID

ANSWERING_TASKS = {PASS_DAG_ID: "claim_due_tasks", RETRY_DAG_ID: "requeue_tasks"}
"""DAG id to the task whose answer names the runs."""


def answers(dag_id: str, dag_run_ids: Collection[str]) -> dict[str, Any]:
    """DAG run to the answer that names its runs; one without an answer, or whose XCom was cleaned up, is missing."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    task_id = ANSWERING_TASKS.get(dag_id)
    if task_id is None or not dag_run_ids:
        return {}
    query = select(XComModel).where(
        XComModel.dag_id == dag_id,
        XComModel.task_id == task_id,
        XComModel.key == "return_value",
        XComModel.run_id.in_(dag_run_ids),
    )
    with create_session(scoped=False) as session:
        return {row.run_id: XComModel.deserialize_value(row) for row in session.scalars(query)}
