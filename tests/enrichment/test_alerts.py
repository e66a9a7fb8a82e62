"""When somebody is told, and by whom."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from include.enrichment import slo
from include.enrichment.alerts import Alert, Event, after_telling, evaluate
from include.enrichment.monitor import Measurement
from include.enrichment.notifications import NotificationError, Telling, tell, write_to_log
from include.enrichment.settings import ConfigurationError, NotifierSetting, parse
from include.enrichment.slo import Level

START = datetime(2026, 3, 2, 12, 0)
STEP = timedelta(minutes=5)


def told(*values: float | None, step: timedelta = STEP) -> list[tuple[int, Event, Level]]:
    """What is told of the depth, look by look; what is remembered goes through JSON as it does in a Variable."""
    memory: dict[str, dict[str, Any]] = {}
    events = []
    for number, value in enumerate(values):
        measured = Measurement(slo.DUE_JOBS, value)
        alerts, kept = evaluate([measured], memory, START + number * step, reminder=timedelta(hours=24))
        memory = json.loads(json.dumps(after_telling(kept, alerts, {})))
        events += [(number, alert.event, alert.level) for alert in alerts]
    return events


def test_an_alert_is_told_once_when_it_starts_and_once_when_it_has_ended() -> None:
    assert told(10, 60, 70, 60, 10, 10, 10) == [(1, Event.STARTED, Level.WARNING), (5, Event.ENDED, Level.WARNING)]


def test_a_value_on_the_border_does_not_call_each_time() -> None:
    assert told(60, 40, 60, 40, 60, 40, 60) == [(0, Event.STARTED, Level.WARNING)]


def test_it_is_told_again_when_it_gets_worse_but_not_when_it_goes_to_and_fro() -> None:
    assert told(60, 300, 60, 300, 60) == [(0, Event.STARTED, Level.WARNING), (1, Event.WORSE, Level.CRITICAL)]


def test_what_has_become_a_warning_again_is_told_when_it_is_critical_anew() -> None:
    assert told(300, 60, 60, 60, 300) == [(0, Event.STARTED, Level.CRITICAL), (4, Event.WORSE, Level.CRITICAL)]


def test_a_reminder_has_the_level_of_now_and_the_end_the_worst() -> None:
    events = told(300, *[60] * 24, 10, 10, step=timedelta(hours=1))
    assert events[1:] == [(24, Event.REMINDER, Level.WARNING), (26, Event.ENDED, Level.CRITICAL)]


def test_while_it_lasts_it_is_told_once_a_day() -> None:
    events = told(*[60] * 50, step=timedelta(hours=1))
    assert events == [(0, Event.STARTED, Level.WARNING)] + [(at, Event.REMINDER, Level.WARNING) for at in (24, 48)]


def test_nothing_left_to_measure_ends_an_alert_and_starts_none() -> None:
    assert told(None, 60, None, None) == [(1, Event.STARTED, Level.WARNING), (3, Event.ENDED, Level.WARNING)]


def test_what_another_version_has_remembered_starts_anew() -> None:
    memory = {"due_jobs": {"level": "WARNING", "since": START.isoformat(), "calm_looks": 0}}
    (alert,), _ = evaluate([Measurement(slo.DUE_JOBS, 60)], memory, START, reminder=timedelta(hours=24))
    assert alert.event is Event.STARTED


def test_a_message_says_figure_threshold_since_when_and_where_to_read_on() -> None:
    measured = Measurement(slo.DUE_JOBS, 201, since=START - timedelta(hours=1))
    (alert,), _ = evaluate([measured], {}, START, reminder=timedelta(hours=24))
    assert alert.text == (
        "FlakeBench enrichment CRITICAL started: Jobs that are due. Now 201 jobs (critical above 200), since "
        "2026-03-02 11:00 UTC. What to do: docs/operate.md#due-jobs"
    )


@pytest.mark.parametrize(("value", "text"), [(34.2857, "Now 34.3 "), (395_583.94, "Now 395,584 "), (0.0, "Now 0 ")])
def test_a_figure_is_written_as_people_do(value: float, text: str) -> None:
    assert text in Alert(slo.FAILURE_RATE, Event.STARTED, Level.WARNING, value, START).text


SENT: list[str] = []


class KeepingNotifier:
    """As much of a notifier as is asked for."""

    template_fields = ("text",)

    def __init__(self, text: str = "", *, fault: str = "", hangs: bool = False) -> None:
        self.text, self.fault, self.hangs = text, fault, hangs

    def render_template_fields(self, context: dict[str, Any]) -> None:
        self.text = f"{self.text}{context['alert'].key}"

    def notify(self, _context: dict[str, Any]) -> None:
        if self.hangs:
            raise AirflowTaskTimeout("Timeout")
        if self.fault:
            raise TypeError(self.fault)
        SENT.append(self.text)


def chosen(level: Any = "WARNING", **kwargs: Any) -> NotifierSetting:
    return NotifierSetting(notifier=f"{__name__}.KeepingNotifier", kwargs=kwargs, level=level)


@pytest.fixture
def alert() -> Alert:
    SENT.clear()
    return Alert(slo.DUE_JOBS, Event.STARTED, Level.WARNING, 60, START)


def test_the_log_is_told_without_any_setting(alert: Alert, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        write_to_log([alert])
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", alert.text)]


def told_by(alert: Alert, *notifiers: NotifierSetting) -> Telling:
    telling = Telling()
    tell([replace(alert, listeners=notifiers)], {}, telling)
    return telling


def test_a_notifier_that_is_broken_is_named_and_does_not_silence_the_others(
    alert: Alert, caplog: pytest.LogCaptureFixture
) -> None:
    broken, works = chosen(fault="no channel"), chosen(text="key ")
    telling = told_by(alert, broken, works)
    assert SENT == ["key flakebench_enrichment.due_jobs"]
    assert telling.heard == {"due_jobs": [works.key]}
    assert telling.problems == [f"{__name__}.KeepingNotifier: TypeError: no channel"]
    assert "no channel" in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        "POST https://hooks.example.com/T0/secret failed",
        "HTTPS://hooks.example.com/T0/secret: 404",
        "HTTPSConnectionPool(host='chat.example.com', port=443): Max retries exceeded with url: /api/webhooks/1/secret "
        "(Caused by NameResolutionError)",
    ],
)
def test_the_address_of_a_webhook_which_is_its_password_is_not_in_the_log(
    alert: Alert, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    (problem,) = told_by(alert, chosen(fault=fault)).problems
    assert "<address>" in problem
    assert "secret" not in problem + caplog.text


def test_the_timeout_of_the_task_stops_a_notifier_too(alert: Alert) -> None:
    with pytest.raises(AirflowTaskTimeout):
        told_by(alert, chosen(hangs=True))


def test_a_notifier_gets_only_the_levels_that_it_wants() -> None:
    pager, chat = chosen("CRITICAL"), chosen()
    assert listeners(60, notifiers=(pager, chat)) == [chat]
    assert listeners(300, notifiers=(pager, chat)) == [pager, chat]


def listeners(value: float, notifiers: tuple[NotifierSetting, ...]) -> list[NotifierSetting]:
    (alert,), _ = evaluate(
        [Measurement(slo.DUE_JOBS, value)], {}, START, reminder=timedelta(hours=24), notifiers=notifiers
    )
    return list(alert.listeners)


def test_a_provider_that_is_not_installed_is_said_when_it_is_needed(alert: Alert) -> None:
    telling = told_by(alert, NotifierSetting(notifier="no_such_provider.Notifier"))
    with pytest.raises(NotificationError, match=r"no_such_provider.*Install the provider"):
        raise NotificationError(telling.problems)


def test_two_notifiers_of_a_class_are_two_and_their_kwargs_are_not_shown() -> None:
    first, second = chosen(text="token-1"), chosen(text="token-2")
    assert first.key != second.key
    assert "token" not in first.key


def test_notifiers_come_from_json_and_an_unknown_key_is_refused() -> None:
    name = "FLAKEBENCH_ENRICHMENT_NOTIFIERS"
    (found,) = parse({name: '[{"notifier": "a.b.C", "kwargs": {"text": "x"}, "level": "CRITICAL"}]'}).notifiers
    assert (found.notifier, found.kwargs, found.level) == ("a.b.C", {"text": "x"}, "CRITICAL")
    with pytest.raises(ConfigurationError, match=name):
        parse({name: '[{"notifier": "a.b.C", "args": {}}]'})


def test_settings_with_notifiers_and_thresholds_can_still_be_the_key_of_a_cache() -> None:
    values = {
        "FLAKEBENCH_ENRICHMENT_NOTIFIERS": '[{"notifier": "a.b.C", "kwargs": {"text": "x"}}]',
        "FLAKEBENCH_ENRICHMENT_THRESHOLDS": '{"due_jobs": {"warning": 1}}',
    }
    assert len({parse(values), parse(values), parse()}) == 2
