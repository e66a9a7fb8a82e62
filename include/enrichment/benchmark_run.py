"""A benchmark run as a try finds it: whether it is finished, its window and its query tags.

Read from FlakeBench's tables when the task runs, never frozen when the run is discovered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.enrichment.error_numbers import ErrorClass
from include.enrichment.errors import EnrichmentError

TERMINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
PROCESSING_PHASE = "PROCESSING"
END_PADDING = timedelta(minutes=5)
"""Added to the end of the window, and how far an end may lie in the future."""


@dataclass(frozen=True)
class RunTag:
    """A query tag of a run, and the child that carries it when only one does."""

    tag: str
    test_id: str | None


@dataclass(frozen=True)
class BenchmarkRun:
    """One run, validated.

    :param window_start: inclusive, floored to the minute (naive UTC)
    :param window_end: exclusive, the run's end plus five minutes (naive UTC)
    :param tags: usable tags, none of them a prefix of another
    :param successful_operations: what the children report, or None
    """

    run_id: str
    table_type: str | None
    started_at: datetime
    ended_at: datetime
    tags: tuple[RunTag, ...]
    child_ids: tuple[str, ...]
    successful_operations: int | None

    @property
    def window_start(self) -> datetime:
        return self.started_at.replace(second=0, microsecond=0)

    @property
    def window_end(self) -> datetime:
        return self.ended_at + END_PADDING


def read_run(
    run_id: str, enrichment_type: str, row: Mapping[str, Any], *, ignore_processing: bool = False
) -> BenchmarkRun | None:
    """Validate the row of the step ``run``.

    :param ignore_processing: take a finished run whose phase is stuck in PROCESSING as it is

    :returns: the run; None when it is not finished, so that it is looked at again later
    :raises EnrichmentError: permanent, with RUN_NOT_FOUND, BAD_WINDOW or NO_QUERY_TAG
    """

    def permanent(reason_code: str, cause: str, action: str) -> EnrichmentError:
        message = f"Run {run_id} {enrichment_type}: {cause}. {action}"
        return EnrichmentError(message, reason_code, ErrorClass.PERMANENT)

    if not row["PARENT_COUNT"]:
        raise permanent(
            "RUN_NOT_FOUND", "TEST_RESULTS has no such run", "It was deleted, or the job names a wrong run."
        )
    is_processing = row["RUN_PHASE"] == PROCESSING_PHASE and not ignore_processing
    if row["RUN_STATUS"] not in TERMINAL_STATUSES or is_processing:
        return None
    started_at, ended_at, now = row["STARTED_AT"], row["ENDED_AT"], row["NOW_AT"]
    repair = "Correct START_TIME and END_TIME of the run's rows in TEST_RESULTS, then retry the run."
    if started_at is None or ended_at is None:
        raise permanent("BAD_WINDOW", "neither its children nor itself say when it ended", repair)
    if ended_at < started_at:
        raise permanent("BAD_WINDOW", f"it ended at {ended_at} before it started at {started_at} (UTC)", repair)
    if ended_at > now + END_PADDING:
        raise permanent("BAD_WINDOW", f"its end {ended_at} lies in the future (UTC now: {now})", repair)
    tags = _without_extensions([RunTag(item["tag"], item.get("test_id")) for item in json.loads(row["TAGS"] or "[]")])
    if not tags:
        cause = (
            "its query tags name neither the run nor a test of it, and other runs carry them too"
            if row["TAG_COUNT"]
            else "none of its rows in TEST_RESULTS has a query tag"
        )
        raise permanent(
            "NO_QUERY_TAG", cause, "Its statements cannot be told from others; run the benchmark with QUERY_TAG set."
        )
    operations = row["SUCCESSFUL_OPERATIONS"]
    return BenchmarkRun(
        run_id=run_id,
        table_type=row["TABLE_TYPE"],
        started_at=started_at,
        ended_at=ended_at,
        tags=tags,
        child_ids=tuple(sorted(json.loads(row["CHILD_IDS"] or "[]"))),
        successful_operations=None if operations is None else int(operations),
    )


def _without_extensions(tags: list[RunTag]) -> tuple[RunTag, ...]:
    """Drop each tag that another one, followed by a colon, begins: the shorter matches its statements too.

    The shorter then names a child only if all that it stands for name the same.
    """
    kept: dict[str, str | None] = {}
    for candidate in sorted(tags, key=lambda item: (len(item.tag), item.tag)):
        shorter = next((tag for tag in kept if f"{candidate.tag}:".startswith(f"{tag}:")), None)
        if shorter is None:
            kept[candidate.tag] = candidate.test_id
        elif kept[shorter] != candidate.test_id:
            kept[shorter] = None
    return tuple(RunTag(tag, test_id) for tag, test_id in kept.items())
