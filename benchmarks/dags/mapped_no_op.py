"""### Mapped no-op

What Airflow itself costs: as many mapped tasks as the conf says (`{"tasks": 60}`), mapped over what a task before them
returned and in the same pool as the enrichment, of an operator on the same base class, which send no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import Context, dag, task


class NoStatementOperator(SQLExecuteQueryOperator):
    """Does nothing.

    :param item: of the list that it is mapped over
    """

    def __init__(self, *, item: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(sql="SELECT 1", do_xcom_push=False, **kwargs)
        self.item = item

    def execute(self, context: Context) -> None:
        """Send nothing."""


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, doc_md=__doc__, tags=["benchmark"])
def mapped_no_op() -> None:
    """Wire it."""

    @task
    def list_items(*, dag_run: Any = None) -> list[dict[str, int]]:
        return [{"number": number} for number in range(dag_run.conf.get("tasks", 1))]

    NoStatementOperator.partial(task_id="do_nothing", conn_id="snowflake_default", pool="snowflake_enrichment").expand(
        item=list_items()
    )


mapped_no_op()
