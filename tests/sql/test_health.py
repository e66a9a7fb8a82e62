"""Whoever is asked for the health of the deployment gives the same answer: page, API, monitor and doctor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from enrichment_view.health_models import HealthReply
from enrichment_view.rendering import _environment
from include.enrichment import doctor, monitor, slo
from include.enrichment.access import source_views
from include.enrichment.page.health import Health, read_health
from include.enrichment.page.reader import Reader
from include.enrichment.settings import Settings
from include.enrichment.slo import Level
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, Account
from tests.sql.cases import Moment, load_tables

SETTLED = {"JOB_ID": "job-{n}", "RUN_ID": "run-{n}", "CREATED_AT": "-4h", "DUE_AT": "-2h", "COMPLETED_AT": "-85m"}
TROUBLED: list[dict[str, Any]] = [
    {"CREATED_AT": "-7h", "DUE_AT": "-1m", "SNOOZES": 3},
    {"ENRICHMENT_TYPE": "AGGREGATE", "STATUS": "IN_PROGRESS", "LEASE_EXPIRES_AT": "-1m"},
    {**SETTLED, "repeat": 9, "STATUS": "COMPLETED", "ATTEMPTS": 1},
    {**SETTLED, "JOB_ID": "failed", "STATUS": "FAILED", "ATTEMPTS": 3},
    {**SETTLED, "repeat": 9, "ENRICHMENT_TYPE": "AGGREGATE", "STATUS": "FAILED", "PRIORITY": 10},
]


Read = Callable[[Settings], Health]


def page_of(health: Health) -> str:
    template = _environment().get_template("health_body.html")
    return template.render(health=health, now=datetime.now(UTC), root="", airflow_root="")


@pytest.fixture
def read(account: Account) -> Iterator[Read]:
    """What the page of a deployment with these settings shows now."""
    readers: list[Reader] = []

    def ask(settings: Settings) -> Health:
        readers.append(Reader(CONN_ID, settings))
        return read_health(readers[-1])

    yield ask
    for reader in readers:
        reader.close()


@pytest.fixture
def troubled(account: Account) -> Account:
    moment = Moment.current()
    load_tables(account, moment.resolve({"DELAYED_ENRICHMENT_TASKS": TROUBLED}), moment)
    return account


def test_the_page_and_the_monitor_measure_the_same(troubled: Account, settings: Settings, read: Read) -> None:
    buckets = monitor.read_buckets(open_hook(CONN_ID, settings), settings)
    figures = monitor.Figures.of_now(buckets, settings, datetime.now(UTC).replace(tzinfo=None))
    measured = {item.objective.key: item for item in monitor.measure(figures, settings)}
    health = read(settings)
    assert {item.objective.key for item in health.measures} == set(measured) - {"unreadable"}
    for item in health.measures:
        assert item.value == pytest.approx(measured[item.objective.key].value, abs=1.1), item  # minutes that pass
        assert item.level == measured[item.objective.key].level
    assert health.level == max((item.level for item in measured.values()), key=lambda level: level.rank)


def test_what_a_measure_is_about_is_what_was_measured(troubled: Account, settings: Settings, read: Read) -> None:
    about = {item.objective.key: item.detail for item in read(settings).measures}
    assert about["oldest_pending"] == "QUERY_HISTORY"
    assert about["failure_rate"] == "1 of 10 types"


def test_a_measure_between_two_whole_numbers_is_not_shown_as_the_lower(
    troubled: Account, settings: Settings, read: Read
) -> None:
    health = read(settings)
    assert {item.objective.key: item.value for item in health.measures}["average_attempts"] == 1.2
    assert '<p class="big">1.2</p>' in page_of(health)


def test_the_page_and_the_api_have_the_thresholds_of_the_deployment(troubled: Account, read: Read) -> None:
    thresholds: Any = {
        "due_jobs": {"warning": 0, "critical": None},
        "oldest_pending": {"warning": None, "critical": 90},
        "failure_rate": {"warning": None, "critical": None},
    }
    health = read(Settings(thresholds=thresholds))
    found = {item.objective.key: item.level for item in health.measures}
    assert (found["due_jobs"], found["oldest_pending"], found["failure_rate"]) == (
        Level.WARNING,
        Level.CRITICAL,
        Level.OK,
    )
    replied = {item.objective.name: item.objective for item in HealthReply.of(health).measures}
    assert (replied["Jobs that are due"].warning_above, replied["Jobs that are due"].critical_above) == (0, None)
    cards = [re.sub(r"\s+", " ", card) for card in page_of(health).split('<div class="card" ')[1:]]
    for key, text in {
        "due_jobs": "Warning above 0 jobs<",
        "oldest_pending": "Critical above 2 h<",
        "failure_rate": "No threshold<",
    }.items():
        (card,) = [card for card in cards if f'data-measure="{slo.objectives({})[key].name}"' in card]
        assert text in card


def test_the_page_shows_what_make_doctor_found_last_of_each_view(
    account: Account, settings: Settings, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    views = source_views(settings)
    unreadable = {"match": r"FROM SNOWFLAKE\.ACCOUNT_USAGE\.LOCK_WAIT_HISTORY\b", "errno": 2003, "sqlstate": "02000"}
    for faults in ([], [{**unreadable, "message": "Not authorized."}]):
        account.put_faults(faults)
        assert doctor.main() == len(faults)
        printed = capsys.readouterr().out
        found = read(settings).doctor
        assert found is not None
        assert {finding.subject: finding.status for finding in found.views} == {
            view: status for view in views for status in re.findall(rf"^(\w+)\s+view {view}\b", printed, re.MULTILINE)
        }
        assert found.status == ("FAILED" if faults else "SUCCEEDED")
