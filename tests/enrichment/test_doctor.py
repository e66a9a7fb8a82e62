"""The doctor's judgements, without a Snowflake."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from include.enrichment import deployment, doctor, pool
from include.enrichment.findings import Finding, Status, counts, table
from include.enrichment.operations import Operation
from include.enrichment.probes import Identity, Probe
from include.enrichment.settings import Settings

WHO = Identity("ENRICHER", "ENRICHMENT_ROLE", "WH", "FLAKEBENCH", "TEST_RESULTS")
NOW = datetime(2026, 11, 21, 12)


@pytest.fixture
def probe(settings: Settings) -> Probe:
    return Probe("snowflake_default", settings, "check", "subject")


# What is checked


def test_every_kind_of_check_has_a_probe_and_each_check_is_there_once(settings: Settings) -> None:
    found = doctor.checks("snowflake_default", settings)
    assert {check.name for check in found} == set(doctor.PROBES)
    assert len(set(found)) == len(found)
    assert found[0] == ("connection", "snowflake_default")


def test_without_the_mirror_its_columns_are_not_checked(settings: Settings) -> None:
    found = doctor.checks("c", settings.model_copy(update={"mirror": False}))
    assert "mirror" not in {check.name for check in found}


def test_an_error_of_a_probe_is_its_finding(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def broken(probe: Probe) -> Finding:
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(doctor.PROBES, "clock", broken)
    finding = doctor.run_check("c", settings, doctor.Check("clock", "UTC"))
    assert finding.status is Status.FAILED
    assert "ZeroDivisionError: oh" in finding.message
    assert finding.next_action


# Warehouse


@pytest.mark.parametrize(
    ("row", "status", "action"),
    [
        ({"state": "STARTED", "auto_suspend": 60}, Status.OK, ""),
        ({"state": "SUSPENDED", "auto_suspend": "60"}, Status.OK, ""),
        ({"state": "STARTED", "auto_suspend": 61}, Status.WARNING, "ALTER WAREHOUSE WH SET AUTO_SUSPEND = 60;"),
        ({"state": "STARTED", "auto_suspend": 0}, Status.WARNING, "ALTER WAREHOUSE WH SET AUTO_SUSPEND = 60;"),
        ({"state": "STARTED", "auto_suspend": None}, Status.WARNING, "ALTER WAREHOUSE WH SET AUTO_SUSPEND = 60;"),
        (
            {"state": "SUSPENDED", "auto_suspend": 60, "auto_resume": "false"},
            Status.FAILED,
            "ALTER WAREHOUSE WH SET AUTO_RESUME = TRUE;",
        ),
        (
            {"state": "STARTED", "auto_suspend": 60, "auto_resume": "false"},
            Status.WARNING,
            "ALTER WAREHOUSE WH SET AUTO_RESUME = TRUE;",
        ),
    ],
)
def test_a_warehouse_wakes_up_and_goes_to_sleep_by_itself(
    probe: Probe, row: dict[str, Any], status: Status, action: str
) -> None:
    finding = deployment.judge_warehouse(probe, {"name": "WH", "auto_resume": "true", **row}, WHO)
    assert finding.status is status
    assert action in finding.next_action
    assert bool(finding.next_action) is (status is not Status.OK)


def test_a_warehouse_that_the_role_may_not_use_is_named_with_its_grant(probe: Probe) -> None:
    finding = deployment.judge_no_warehouse(probe, "WH", WHO)
    assert finding.status is Status.FAILED
    assert finding.next_action == (
        "As its owner or as ACCOUNTADMIN run: GRANT USAGE ON WAREHOUSE WH TO ROLE ENRICHMENT_ROLE;"
    )
    assert "Set the warehouse" in deployment.judge_no_warehouse(probe, None, WHO).next_action


# Session


@pytest.mark.parametrize(("zone", "status"), [("UTC", "OK"), ("Etc/UTC", "OK"), ("America/Los_Angeles", "FAILED")])
def test_the_session_is_in_utc(probe: Probe, zone: str, status: str) -> None:
    finding = deployment.judge_time_zone(probe, zone, WHO)
    assert finding.status == status
    assert zone in finding.message


@pytest.mark.parametrize(
    ("session", "warehouse", "status", "action"),
    [
        (120, 172800, Status.OK, ""),
        (120, None, Status.OK, ""),
        (120, 0, Status.OK, ""),
        (120, 60, Status.WARNING, "ALTER WAREHOUSE WH SET STATEMENT_TIMEOUT_IN_SECONDS = 120;"),
        (172800, 172800, Status.FAILED, "FLAKEBENCH_ENRICHMENT_STATEMENT_TIMEOUT_SECONDS=172800"),
    ],
)
def test_the_lower_statement_timeout_is_in_force(
    probe: Probe, session: int, warehouse: int | None, status: Status, action: str
) -> None:
    finding = deployment.judge_statement_timeout(probe, session, warehouse, WHO)
    assert finding.status is status
    assert action in finding.next_action


def test_a_statement_that_outlives_its_task_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAKEBENCH_ENRICHMENT_TASK_TIMEOUT_MINUTES", "2")
    settings = Settings(statement_timeout_seconds=120)
    finding = deployment.judge_statement_timeout(
        Probe("snowflake_default", settings, "check", "subject"), 120, 120, WHO
    )
    assert finding.status is Status.WARNING
    assert "FLAKEBENCH_ENRICHMENT_STATEMENT_TIMEOUT_SECONDS below" in finding.next_action


# Clock


@pytest.mark.parametrize(
    ("ahead", "status"),
    [(0, "OK"), (60, "OK"), (61, "WARNING"), (-61, "WARNING"), (300, "WARNING"), (301, "FAILED"), (-301, "FAILED")],
)
def test_clocks_may_differ_by_a_minute_and_must_not_by_five(probe: Probe, ahead: int, status: str) -> None:
    finding = deployment.judge_clock(probe, NOW, NOW + timedelta(seconds=ahead), NOW, WHO)
    assert finding.status == status
    if ahead > 60:
        assert f"{ahead} s behind Snowflake's" in finding.message
    if ahead < -60:
        assert f"{-ahead} s ahead of Snowflake's" in finding.message


def test_half_of_the_round_trip_does_not_count(probe: Probe) -> None:
    """Answered in 130 s, half-way: no difference; without the correction it would be 65 s."""
    finding = deployment.judge_clock(probe, NOW, NOW + timedelta(seconds=65), NOW + timedelta(seconds=130), WHO)
    assert finding.status is Status.OK


# Versions


def test_the_pinned_versions_are_among_the_tested() -> None:
    lines = (Path(__file__).parents[2] / "requirements.txt").read_text().splitlines()
    pins = {
        item.name: str(item.specifier).removeprefix("==")
        for item in (Requirement(line) for line in lines if re.match(r"\w", line))
    }
    pinned = {name: pins[name] for name in deployment.TESTED_VERSIONS if name in pins}
    assert set(deployment.TESTED_VERSIONS) - set(pinned) == {"apache-airflow-core"}  # comes with the image
    assert all(SpecifierSet(deployment.TESTED_VERSIONS[name]).contains(version) for name, version in pinned.items())


def test_the_installed_versions_are_among_the_tested(probe: Probe) -> None:
    assert deployment.check_versions(probe).status is Status.OK


@pytest.mark.parametrize("version", ["5.2.0", None])
def test_another_version_is_a_warning_with_the_tested_one(probe: Probe, version: str | None) -> None:
    installed = {name: tested.split(",")[0].removeprefix(">=") for name, tested in deployment.TESTED_VERSIONS.items()}
    finding = deployment.judge_versions(probe, {**installed, "snowflake-connector-python": version})
    assert finding.status is Status.WARNING
    assert "snowflake-connector-python>=4.8.1,<5" in finding.next_action
    assert "providers" not in finding.next_action


# Report


OK = Finding("view", "A", Status.OK, "fine")
WARNING = Finding("view", "B", Status.WARNING, "odd", "Look.")
POOL = Finding("pool", "enrichers", Status.OK, "a task got a slot")
FAILED = Finding("view", "C", Status.FAILED, "missing", "GRANT it;")


def test_a_finding_survives_xcom() -> None:
    assert Finding.from_json(FAILED.as_json()) == FAILED


def test_the_table_has_a_line_per_finding_and_one_per_next_action() -> None:
    lines = table([OK, WARNING, FAILED]).splitlines()
    assert [line.split()[0] for line in lines] == ["OK", "WARNING", "->", "FAILED", "->"]
    assert lines[-1].endswith("-> GRANT it;")


def test_a_check_that_ended_without_an_answer_has_failed() -> None:
    listed = [{"name": "view", "subject": name} for name in "ABC"]
    found = doctor.collect(listed, [OK.as_json(), None, FAILED.as_json(), POOL.as_json()], POOL.subject)
    assert counts(found) == {"OK": 2, "WARNING": 0, "FAILED": 2}
    assert [item.subject for item in found if "without an answer" in item.message] == ["B"]


def test_a_check_of_the_pool_that_crashed_has_failed() -> None:
    (found,) = doctor.collect([], [None], "enrichers")
    assert (found.check, found.subject, found.status) == ("pool", "enrichers", Status.FAILED)
    assert doctor.collect([], [POOL.as_json()], POOL.subject) == [POOL]


def test_without_a_connection_nothing_is_recorded(operation: Recorded, settings: Settings) -> None:
    doctor.record(operation, "c", settings, [Finding("connection", "c", Status.FAILED, "refused"), OK])
    assert operation.written == []


class Recorded(Operation):
    """Remembers instead of writing."""

    written: list[tuple[str, Any]]

    def record(self, hook: Any, settings: Settings, status: str, details: Any) -> None:
        self.written.append((status, details))


@pytest.fixture
def operation(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    monkeypatch.setattr(doctor, "open_hook", lambda conn_id, settings: None)
    Recorded.written = []
    return Recorded("doctor", "enrichment_setup/run", NOW)


def test_a_failure_fails_the_report_and_repeats_what_to_do(operation: Recorded, settings: Settings) -> None:
    with pytest.raises(AirflowFailException, match=r"1 checks failed:\nview C: missing GRANT it;"):
        doctor.report(operation, "c", settings, [OK, WARNING, FAILED])
    ((status, details),) = operation.written
    assert status == "FAILED"
    assert details["counts"] == {"OK": 1, "WARNING": 1, "FAILED": 1}
    assert details["findings"][2]["next_action"] == "GRANT it;"


def test_a_warning_leaves_the_report_green(operation: Recorded, settings: Settings) -> None:
    assert doctor.report(operation, "c", settings, [OK, WARNING]) == {"OK": 1, "WARNING": 1, "FAILED": 0}
    assert operation.written[0][0] == "SUCCEEDED"


# Pool


@pytest.mark.parametrize(
    ("state", "running", "is_waiting", "status"),
    [
        ("success", 0, True, Status.OK),
        ("running", 0, True, Status.OK),
        ("scheduled", 0, True, None),
        (None, 0, True, None),
        ("scheduled", 8, False, Status.OK),
        ("scheduled", 0, False, Status.FAILED),
        (None, 0, False, Status.FAILED),
    ],
)
def test_a_task_that_is_never_started_tells_of_the_pool(
    state: str | None, running: int, is_waiting: bool, status: Status | None
) -> None:
    finding = pool.judge_pool("enrichers", state, running, is_waiting=is_waiting)
    assert (finding.status if finding else None) is status
    if status is Status.FAILED:
        assert finding is not None
        assert "airflow pools set enrichers 8" in finding.next_action


def test_the_pool_is_asked_again_until_its_task_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool.time, "sleep", lambda seconds: None)
    states = iter([None, "scheduled", "queued", "running"])
    assert pool.check_pool("p", lambda: next(states), lambda: 0).status is Status.OK
    assert next(states, "all were asked") == "all were asked"


def test_the_task_that_waits_for_a_missing_pool_is_given_up() -> None:
    with pytest.raises(DownstreamTasksSkipped) as given_up:
        pool.give_up("take_pool_slot")
    assert given_up.value.tasks == ["take_pool_slot"]
