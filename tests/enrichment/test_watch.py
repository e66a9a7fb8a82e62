"""One look of the monitor; Airflow's Variables and Snowflake's answer are replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from include.enrichment import monitor, watch
from include.enrichment.monitor import Bucket
from include.enrichment.settings import NotifierSetting, Settings

Look = Callable[..., dict[str, float | None]]


@dataclass
class TaskInstance:
    """As much of one as a look asks for."""

    try_number: int = 3
    max_tries: int = 2
    dag_id: str = "enrichment_monitor"
    run_id: str = "manual"


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

    def run(answer: list[Bucket] | BaseException, *, try_number: int = 3, **settings: Any) -> dict[str, float | None]:
        def read(*_: Any) -> list[Bucket]:
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(monitor, "read_buckets", read)
        return watch.look("c", Settings(**settings), {"ti": TaskInstance(try_number)})

    return run


def due(jobs: int) -> list[Bucket]:
    moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=2)
    return [Bucket("DUE_JOBS", moment, None, jobs, 0, 0, moment, moment)]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    texts = [record.getMessage() for record in caplog.records if record.name.endswith("notifications")]
    return [text for text in texts if not text.startswith("Not told")]


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


class Notifier:
    """Tells of an alert, unless its channel is broken."""

    template_fields = ()
    broken: ClassVar[set[str]] = set()
    told: ClassVar[list[str]] = []

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def render_template_fields(self, _context: dict[str, Any]) -> None:
        """It has none."""

    def notify(self, context: dict[str, Any]) -> None:
        if self.channel in self.broken:
            raise TypeError("no channel")
        if self.channel == "hangs":
            raise AirflowTaskTimeout("Timeout")
        self.told.append(f"{self.channel} {context['alert'].event}")


def to(*channels: str) -> tuple[NotifierSetting, ...]:
    return tuple(NotifierSetting(notifier=f"{__name__}.Notifier", kwargs={"channel": channel}) for channel in channels)


@pytest.fixture
def notified() -> Iterator[list[str]]:
    yield Notifier.told
    Notifier.told.clear()
    Notifier.broken.clear()


def test_a_notifier_that_failed_is_tried_again_by_the_next_look_and_the_others_are_not(
    look: Look, notified: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    Notifier.broken.add("#b")
    for _ in range(3):
        with pytest.raises(AirflowFailException, match=r"no channel.*The next look tries again"):
            look(due(60), notifiers=to("#a", "#b"))
    assert notified == ["#a started"]
    Notifier.broken.clear()
    look(due(60), notifiers=to("#a", "#b"))
    look(due(60), notifiers=to("#a", "#b"))
    assert notified == ["#a started", "#b started"]
    assert len(told(caplog)) == 1


def test_a_notifier_that_was_mended_by_the_setting_is_told(look: Look, notified: list[str]) -> None:
    Notifier.broken.add("#typo")
    with pytest.raises(AirflowFailException):
        look(due(60), notifiers=to("#typo"))
    look(due(60), notifiers=to("#a"))
    assert notified == ["#a started"]


def test_the_end_is_told_to_a_notifier_that_failed_when_it_came(
    look: Look, notified: list[str], variables: dict[str, str]
) -> None:
    look(due(60), notifiers=to("#a", "#b"))
    look([], notifiers=to("#a", "#b"))
    Notifier.broken.add("#b")
    with pytest.raises(AirflowFailException):
        look([], notifiers=to("#a", "#b"))
    Notifier.broken.clear()
    look([], notifiers=to("#a", "#b"))
    assert notified == ["#a started", "#b started", "#a ended", "#b ended"]
    assert json.loads(variables[watch.MEMORY]) == {}


def test_the_end_waits_for_no_notifier_that_is_gone(look: Look, notified: list[str], variables: dict[str, str]) -> None:
    look(due(60), notifiers=to("#a"))
    look([], notifiers=to("#a"))
    Notifier.broken.add("#a")
    with pytest.raises(AirflowFailException):
        look([], notifiers=to("#a"))
    look([])
    assert json.loads(variables[watch.MEMORY]) == {}


def test_a_look_that_is_stopped_while_it_tells_is_told_by_the_next(look: Look, notified: list[str]) -> None:
    with pytest.raises(AirflowTaskTimeout):
        look(due(60), notifiers=to("#a", "hangs", "#b"))
    look(due(60), notifiers=to("#a", "#b"))
    assert notified == ["#a started", "#b started"]


def test_a_question_without_an_answer_until_the_timeout_is_an_alert(look: Look, variables: dict[str, str]) -> None:
    with pytest.raises(AirflowTaskTimeout):
        look(AirflowTaskTimeout("Timeout"))
    assert set(json.loads(variables[watch.MEMORY])) == {"unreadable"}
