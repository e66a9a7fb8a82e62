"""The sensor: one question to Snowflake, without a clock, and a comparison with now in Python."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.sdk.exceptions import AirflowSkipException

from include.enrichment import settings as settings_module
from include.enrichment.queue import QueueState, sensor_parameters
from include.enrichment.snowflake import hook_params

if TYPE_CHECKING:
    from airflow.sdk import Context


log = logging.getLogger(__name__)


class DueWorkSensor(SqlSensor):
    """A ``SqlSensor`` that asks once whether anything is due, and is skipped when nothing is.

    The text of its query changes only with the settings and it calls no clock, so Snowflake answers it from the
    result cache, without a warehouse, for as long as the queue and TEST_RESULTS are unchanged.
    """

    def __init__(self, *, conn_id: str, **kwargs: Any) -> None:
        super().__init__(
            conn_id=conn_id,
            sql="queue/next_due.sql",
            selector=_whole_row,
            success=_is_due,
            timeout=0,  # one question; the next tick asks the next
            **kwargs,
        )

    def poke(self, context: Context) -> bool:
        """Ask with the session and the settings of this moment."""
        settings = settings_module.current()
        self.hook_params = hook_params(settings)
        self.parameters = sensor_parameters(settings)
        if not super().poke(context):
            # not soft_fail, which would turn a timeout of an unreachable Snowflake into a skip as well
            raise AirflowSkipException("Nothing is due")
        return True


def _whole_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row


def _is_due(row: tuple[Any, ...]) -> bool:
    state = QueueState(row[0], row[1], row[2], int(row[3]))
    now = datetime.now(UTC).replace(tzinfo=None)
    reasons = state.due_work(now, timedelta(days=settings_module.current().look_back_days))
    log.info("%s", "; ".join(reasons) or f"Nothing is due; the next task is at {state.next_due_at} UTC")
    return bool(reasons)
