"""The sensor's comparison with now, and the asset event."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from include.enrichment.queue import QueueState, SettledJob, claim_parameters
from include.enrichment.settings import Settings

NOW = datetime(2026, 11, 21, 12)
SECOND = timedelta(seconds=1)
LOOK_BACK = timedelta(days=7)
IDLE: dict[str, Any] = {"next_due_at": None, "next_lease_end": None, "newest_unknown_end": None, "stale_jobs": 0}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"next_due_at": NOW}, "a task is due", id="due now"),
        pytest.param({"next_due_at": NOW + SECOND}, None, id="due in a second"),
        pytest.param({"next_lease_end": NOW}, "a lease ended", id="lease ended"),
        pytest.param({"next_lease_end": NOW + SECOND}, None, id="lease still held"),
        pytest.param({"newest_unknown_end": NOW - LOOK_BACK}, "has no job", id="unknown run at the look-back"),
        pytest.param({"newest_unknown_end": NOW - LOOK_BACK - SECOND}, None, id="unknown run beyond the look-back"),
        pytest.param({"newest_unknown_end": NOW + timedelta(hours=1)}, "has no job", id="unknown run ends ahead"),
        pytest.param({"stale_jobs": 1}, "1 jobs", id="stale roll-up"),
    ],
)
def test_due_work(state: dict[str, Any], reason: str | None) -> None:
    reasons = QueueState(**{**IDLE, **state}).due_work(NOW, LOOK_BACK)
    assert len(reasons) == (reason is not None)
    assert all(str(reason) in text for text in reasons)


def test_every_reason_is_given() -> None:
    assert len(QueueState(NOW, NOW, NOW, 2).due_work(NOW, LOOK_BACK)) == 4


def test_the_asset_event_has_the_agreed_extra() -> None:
    job = SettledJob("job", "run-1", "COMPLETED", ["AGGREGATE"], False)
    assert job.event() == {"run_id": "run-1", "status": "COMPLETED", "types": ["AGGREGATE"], "data_complete": False}


def test_the_lease_is_bound_in_seconds_and_a_pass_claims_fresh_tasks() -> None:
    parameters = claim_parameters(Settings(), claim_token="t", claimed_by="d/r", lease_minutes=90)
    assert parameters["lease_seconds"] == 5400
    assert parameters["priority"] == 0
