"""Which statement of a try is to be held back: the regular expressions of the faults."""

from __future__ import annotations

from hashlib import md5
from typing import Any

from local.sample_account import SampleRun

TAKE_PASS_LOCK = "UPDATE [^;]*ENRICHMENT_PASS_LOCK"


def with_parts(*parts: str) -> str:
    """The statement in which all of these occur, in whatever order."""
    return "^" + "".join(f"(?=.*{part})" for part in parts)


def job_id_of(run: SampleRun) -> str:
    """The job of a run: a person's, or the one that discovery gives it."""
    return run.job.job_id if run.job else md5(run.run_id.encode(), usedforsecurity=False).hexdigest()


def of_task(step: str, run: SampleRun, enrichment_type: str) -> str:
    """The statement that takes a task over or ends it: ``take_over``, ``finish``."""
    return with_parts(rf"step: {step}\b", f"JOB_ID = '{job_id_of(run)}'", f"ENRICHMENT_TYPE = '{enrichment_type}'")


def hold(match: str, when: str = "before", times: int = 1) -> dict[str, Any]:
    """The fault that holds the next statement that matches."""
    return {"match": match, "hold": when, "times": times}
