"""A pass that hangs is told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

from include.enrichment import settings as settings_module
from include.enrichment.deadline import pass_deadline, tell_of_hanging_pass
from include.enrichment.notifications import NotificationError
from include.enrichment.settings import ParseSettings, Settings


def test_what_airflow_calls_at_the_deadline_can_be_imported_and_takes_what_it_is_given() -> None:
    callback = pass_deadline(ParseSettings()).callback
    module, _, name = callback.path.rpartition(".")
    assert getattr(import_module(module), name) is tell_of_hanging_pass
    assert callback.kwargs == {"deadline_minutes": 45}


@pytest.mark.parametrize("pass_timeout_minutes", [11, 30, 85])
def test_it_follows_the_timeout_of_a_pass_unless_it_is_set(pass_timeout_minutes: int) -> None:
    followed = pass_deadline(ParseSettings(pass_timeout_minutes=pass_timeout_minutes))
    assert timedelta(minutes=pass_timeout_minutes / 2) < followed.interval < timedelta(minutes=pass_timeout_minutes)
    assert pass_deadline(ParseSettings(deadline_minutes=5)).interval == timedelta(minutes=5)


def test_the_message_names_the_run_and_since_when(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings_module, "current", Settings)
    queued_at = datetime.now(UTC) - timedelta(minutes=46)
    dag_run = {
        "dag_run_id": "scheduled__1",
        "queued_at": queued_at.isoformat().replace("+00:00", "Z"),
        "state": "running",
    }
    tell_of_hanging_pass(deadline_minutes=45, context={"dag_run": dag_run})
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "Pass scheduled__1 takes too long. Now 46 minutes (critical above 45), since" in record.getMessage()
    assert f"{queued_at:%Y-%m-%d %H:%M} UTC" in record.getMessage()


@pytest.mark.parametrize(
    ("queued_ago", "ended_ago", "is_told"),
    [
        pytest.param(50, 40, False, id="it failed after ten minutes"),
        pytest.param(10, None, False, id="it was cleared and began anew"),
        pytest.param(10, 40, False, id="it was cleared and has not begun yet"),
        pytest.param(65, 5, True, id="its timeout was first"),
    ],
)
def test_airflow_calls_for_a_pass_that_failed_in_time_as_well_and_nobody_is_told(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    queued_ago: int,
    ended_ago: int | None,
    is_told: bool,
) -> None:
    monkeypatch.setattr(settings_module, "current", Settings)
    now = datetime.now(UTC)
    dag_run = {
        "queued_at": now - timedelta(minutes=queued_ago),
        "end_date": None if ended_ago is None else now - timedelta(minutes=ended_ago),
    }
    tell_of_hanging_pass(deadline_minutes=45, context={"dag_run": dag_run})
    assert [record.levelname for record in caplog.records] == (["ERROR"] if is_told else [])


def test_where_airflow_refuses_the_variables_the_notifiers_of_the_environment_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> Settings:
        raise RuntimeError("Token type 'workload' not allowed for this endpoint")

    monkeypatch.setattr(settings_module, "current", refused)
    monkeypatch.setenv("FLAKEBENCH_ENRICHMENT_NOTIFIERS", '[{"notifier": "of_the.environment"}]')
    with pytest.raises(NotificationError, match=r"of_the\.environment"):
        tell_of_hanging_pass(deadline_minutes=45)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "ERROR"]


def test_it_is_told_as_well_without_a_context(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings_module, "current", Settings)
    tell_of_hanging_pass(deadline_minutes=45)
    assert len(caplog.records) == 1
