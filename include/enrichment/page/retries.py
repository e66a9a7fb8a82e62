"""Retry from the page: at once, and as the DAG run that a person would have triggered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from include.enrichment.operations import Operation
from include.enrichment.retry import RetryRequest, retry
from include.enrichment.selection import RefusedError

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

DAG_ID = "enrichment_retry"


@dataclass(frozen=True)
class Requeued:
    """What a retry did.

    :param requeued: run id to the types that are due now
    :param refused: run id to the reason, of the runs that cannot be retried
    """

    requeued: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, str]

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """Of what :func:`include.enrichment.retry.retry` returns."""
        requeued = {run_id: tuple(types) for run_id, types in answer["requeued"].items()}
        return cls(requeued, dict(answer["refused"]))


def requeue(reader: Reader, conf: Mapping[str, Any], dag_run_id: str) -> Requeued:
    """Make the tasks due now, in the name of a DAG run of ``enrichment_retry`` that is triggered afterwards.

    The operation is derived from that DAG run: its task ``requeue_tasks`` finds it done and answers the same, so that
    the history of Airflow shows the retry, and who asked for it, although nobody waits for the scheduler.

    :param conf: of the DAG run
    :param dag_run_id: that it is going to have
    :raises RefusedError: nothing was re-queued; the message says why, and what to do instead
    :raises Unavailable: Snowflake gives no answer; triggering again does no harm
    """
    settings = reader.settings
    request = RetryRequest.from_conf(conf, settings)
    operation = Operation("retry", f"{DAG_ID}/{dag_run_id}", datetime.now(UTC).replace(tzinfo=None))
    try:
        answer = retry(reader.hook(), settings, request, operation)
    except RefusedError:
        raise
    except Exception as error:
        raise reader.unavailable(error) from error
    finally:
        reader.forget()
    return Requeued.from_answer(answer)
