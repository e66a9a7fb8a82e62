"""One look of the monitor; Airflow's Variables and Snowflake's answer are replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.enrichment import monitor, watch
from include.enrichment.monitor import Bucket
from include.enrichment.settings import NotifierSetting, Settings

Look = Callable[..., dict[str, float | None]]


@dataclass
class TaskInstance:
    """As much of one as a look asks for."""

    try_number: int = 3
    max_tries: int = 2


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}

    class Variable:
        @staticmethod
        def get(name: str, *, default: Any, deserialize_json: bool) -> Any:
            assert deserialize_json
            return json.loads(kept[name]) if name in kept else default

        @staticmethod
        def set(name: str, value: Any, *, description: str, serialize_json: bool) -> None:
            assert description
            assert serialize_json
            kept[name] = json.dumps(value)

    monkeypatch.setattr(watch, "Variable", Variable)
    return kept


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> Look:
    monkeypatch.setattr(watch, "open_hook", lambda *_: None)

    def run(answer: list[Bucket] | Exception, *, try_number: int = 3, **settings: Any) -> dict[str, float | None]:
        def read(*_: Any) -> list[Bucket]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(monitor, "read_buckets", read)
        return watch.look("c", Settings(**settings), {"ti": TaskInstance(try_number)})

    return run


def due(jobs: int) -> list[Bucket]:
    moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=2)
    return [Bucket("DUE_JOBS", moment, None, jobs, 0, 0, moment, moment)]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.endswith("notifications")]


def test_an_alert_is_told_by_the_first_of_two_looks_only(look: Look, caplog: pytest.LogCaptureFixture) -> None:
    assert look(due(60))["due_jobs"] == 60
    look(due(61))
    assert [text.partition(":")[0] for text in told(caplog)] == ["FlakeBench enrichment WARNING started"]


def test_a_look_that_finds_nothing_new_writes_nothing(look: Look, variables: dict[str, str]) -> None:
    look([])
    assert variables == {}


def test_no_answer_of_snowflake_is_an_alert_and_ends_no_other(look: Look, variables: dict[str, str]) -> None:
    look(due(60))
    with pytest.raises(OSError, match="unreachable"):
        look(OSError("unreachable"))
    assert set(json.loads(variables[watch.MEMORY])) == {"due_jobs", "unreadable"}


def test_no_answer_to_a_try_that_airflow_repeats_is_no_alert(look: Look, variables: dict[str, str]) -> None:
    with pytest.raises(OSError, match="unreachable"):
        look(OSError("unreachable"), try_number=1)
    assert variables == {}


def test_a_broken_notifier_fails_the_look_once_and_is_not_tried_again_by_the_next(
    look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    broken = (NotifierSetting(notifier="no_such_provider.Notifier"),)
    with pytest.raises(AirflowFailException, match="no_such_provider"):
        look(due(60), notifiers=broken)
    look(due(60), notifiers=broken)
    assert len(told(caplog)) == 1
