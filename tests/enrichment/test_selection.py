"""The conf of enrichment_retry and enrichment_backfill: what it selects, and what is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from include.enrichment.backfill import selection_from_conf
from include.enrichment.retry import RetryRequest
from include.enrichment.selection import RefusedError, RunSelection, fail_for_refused
from include.enrichment.settings import Settings


@pytest.mark.parametrize(
    ("conf", "ended_from", "ended_before"),
    [
        pytest.param({"from": "2026-11-01"}, datetime(2026, 11, 1), None, id="a day begins at midnight"),
        pytest.param({"to": "2026-11-01"}, None, datetime(2026, 11, 2), id="the last day is included whole"),
        pytest.param({"from": "2026-11-01T06:30"}, datetime(2026, 11, 1, 6, 30), None, id="without offset it is UTC"),
        pytest.param({"from": "2026-11-01T06:30:00-08:00"}, datetime(2026, 11, 1, 14, 30), None, id="an offset counts"),
        pytest.param({"to": "2026-11-01T06:30:00Z"}, None, datetime(2026, 11, 1, 6, 30), id="a time is exclusive"),
        pytest.param({"from": None, "to": None}, None, None, id="empty fields of the form"),
    ],
)
def test_times(conf: dict[str, Any], ended_from: datetime | None, ended_before: datetime | None) -> None:
    assert RunSelection.from_conf(conf) == RunSelection((), ended_from, ended_before)


def test_ids_of_both_keys_are_joined_once() -> None:
    assert RunSelection.from_conf({"test_id": "a", "test_ids": ["b", "a"]}).test_ids == ("a", "b")


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        pytest.param({"from": "2026-13-45"}, "from='2026-13-45' is no date or time", id="no such day"),
        pytest.param({"from": "06:30"}, "no date or time", id="no date"),
        pytest.param({"to": "9999-12-31"}, "no date or time within reach", id="no day after it"),
        pytest.param({"from": "2026-11-02", "to": "2026-11-01"}, "is not before", id="inverted"),
    ],
)
def test_times_that_select_nothing_are_refused(conf: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        RunSelection.from_conf(conf)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        pytest.param({}, "Say what to retry", id="nothing"),
        pytest.param({"types": ["AGGREGATE"]}, "Say what to retry", id="types alone"),
        pytest.param({"force": True}, "Say what to retry", id="force alone"),
        pytest.param({"testid": "a"}, "Unknown keys in conf: testid. Known are force, from", id="misspelt key"),
        pytest.param({"test_id": "a", "status": "SKIPPED"}, "add force=true", id="settled without force"),
        pytest.param({"test_id": "a", "types": ["LOCK"]}, "switched off by FLAKEBENCH", id="type switched off"),
    ],
)
def test_a_retry_that_says_too_little_or_too_much_is_refused(conf: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        RetryRequest.from_conf(conf, Settings(disabled_types=("LOCK_CONTENTION",)))


def test_a_retry_takes_what_failed_and_with_force_what_settled(settings: Settings) -> None:
    assert RetryRequest.from_conf({"test_id": "a"}, settings).statuses == ("FAILED", "PENDING")
    forced = RetryRequest.from_conf({"test_id": "a", "force": True, "types": ["CREDITS"]}, settings)
    assert (forced.statuses, forced.types) == (("FAILED", "PENDING", "COMPLETED", "SKIPPED"), ("HYBRID_CREDITS",))


@pytest.mark.parametrize("conf", [{}, {"dry_run": False}, {"from": "2026-11-01", "force": True}])
def test_a_backfill_without_a_range_or_with_an_unknown_key_is_refused(conf: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        selection_from_conf(conf)


def test_refused_runs_fail_with_every_reason() -> None:
    fail_for_refused({}, 0)
    refused = {"a": "Run a is running.", "b": "Run b has nothing."}
    with pytest.raises(RefusedError, match=r"^Run a is running\. Run b has nothing\. The other runs \(3\) were queued"):
        fail_for_refused(refused, 3)
    with pytest.raises(RefusedError, match=r"nothing\.$"):
        fail_for_refused(refused, 0)
