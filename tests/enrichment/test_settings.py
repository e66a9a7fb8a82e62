"""Settings: Variable, else environment, else default; refused with a clear message when unusable."""

from __future__ import annotations

import json
import traceback

import pytest
from pydantic import ValidationError

from include.enrichment.settings import PREFIX, ConfigurationError, ParseSettings, Settings, of_shell, parse


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_defaults_are_those_of_the_specification() -> None:
    settings = parse({})
    assert settings.results == settings.enrichment == "FLAKEBENCH.TEST_RESULTS"
    assert settings.account_usage == "SNOWFLAKE.ACCOUNT_USAGE"
    assert settings.discover_statuses == ("COMPLETED",)
    assert (settings.look_back_days, settings.batch_size, settings.backfill_batch_size) == (7, 100, 20)
    assert (settings.max_attempts, settings.backoff_minutes) == (3, (5, 15, 45))
    assert (settings.not_ready_minutes, settings.no_privilege_minutes) == (30, 60)
    assert settings.coverage_threshold == 0.99
    assert settings.statement_timeout_seconds == 120
    assert settings.statement_timeout_seconds < ParseSettings().task_timeout_minutes * 60
    assert ParseSettings().pool == "snowflake_enrichment"


def test_a_variable_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "BATCH_SIZE", "7")
    monkeypatch.setenv(PREFIX + "LOOK_BACK_DAYS", "9")
    settings = parse({PREFIX + "BATCH_SIZE": "8"})
    assert (settings.batch_size, settings.look_back_days) == (8, 9)


@pytest.mark.parametrize(("text", "enabled"), [("false", False), ("False", False), ("0", False), ("true", True)])
def test_the_off_switch_reads_usual_words(text: str, enabled: bool) -> None:
    assert parse({PREFIX + "ENABLED": text}).enabled is enabled


def test_lists_are_separated_by_commas() -> None:
    settings = parse(
        {
            PREFIX + "DISCOVER_STATUSES": "COMPLETED, FAILED,",
            PREFIX + "DISABLED_TYPES": "AGGREGATE,HYBRID_CREDITS",
            PREFIX + "BACKOFF_MINUTES": "1, 2",
        }
    )
    assert settings.discover_statuses == ("COMPLETED", "FAILED")
    assert settings.disabled_types == ("AGGREGATE", "HYBRID_CREDITS")
    assert settings.backoff_minutes == (1, 2)


@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        ("RESULTS_DATABASE", 'X"; DROP TABLE Y; --', "not an unquoted Snowflake identifier"),
        ("RESULTS_SCHEMA", "a.b", "not an unquoted Snowflake identifier"),
        ("OWN_SCHEMA", "1ST", "not an unquoted Snowflake identifier"),
        ("ACCOUNT_USAGE_DATABASE", "", "not an unquoted Snowflake identifier"),
        ("WAREHOUSE", "W;", "not an unquoted Snowflake identifier"),
        ("ROLE", "R'", "not an unquoted Snowflake identifier"),
        ("DISABLED_TYPES", "AGGREGATES", "unknown enrichment types"),
        ("OPTIONAL_TYPES", "ACCELERATION", "unknown enrichment types ['ACCELERATION']"),
        ("OPTIONAL_TYPES", "AGGREGATE", "['AGGREGATE'] are not optional, every run has them; optional are ['QUERY_AC"),
        ("BATCH_SIZE", "0", "greater than or equal to 2"),
        ("BATCH_SIZE", "501", "less than or equal to 500"),
        ("COVERAGE_THRESHOLD", "1.1", "less than or equal to 1"),
        ("MAX_ATTEMPTS", "many", "valid integer"),
        ("BACKOFF_MINUTES", "5,soon", "valid integer"),
    ],
)
def test_an_unusable_value_names_the_setting_what_is_wrong_and_where_to_correct_it(
    name: str, value: str, fragment: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse({PREFIX + name: value})
    message = str(raised.value)
    assert PREFIX + name in message
    assert fragment in message
    assert "Correct the Airflow Variable or environment variable" in message


def test_identifiers_are_upper_cased() -> None:
    settings = parse({PREFIX + "RESULTS_DATABASE": "bench", PREFIX + "OWN_SCHEMA": "enrich$1"})
    assert settings.results == "BENCH.TEST_RESULTS"
    assert settings.enrichment == "BENCH.ENRICH$1"


@pytest.mark.parametrize(("attempts", "minutes"), [(0, 5), (1, 5), (2, 15), (3, 45), (4, 45), (100, 45)])
def test_backoff_is_5_15_45_minutes_and_the_last_step_repeats(attempts: int, minutes: int) -> None:
    assert Settings().backoff(attempts) == minutes


@pytest.mark.parametrize(
    ("variables", "off"),
    [
        ({}, {"QUERY_ACCELERATION": "optional, and not named in FLAKEBENCH_ENRICHMENT_OPTIONAL_TYPES"}),
        ({"OPTIONAL_TYPES": "QUERY_ACCELERATION"}, {}),
        (
            {"OPTIONAL_TYPES": "QUERY_ACCELERATION", "DISABLED_TYPES": "AGGREGATE, QUERY_ACCELERATION"},
            dict.fromkeys(("AGGREGATE", "QUERY_ACCELERATION"), "switched off by FLAKEBENCH_ENRICHMENT_DISABLED_TYPES"),
        ),
    ],
    ids=["an optional type is off", "until it is named", "and off again when it is disabled"],
)
def test_what_is_off_says_which_setting_decides(variables: dict[str, str], off: dict[str, str]) -> None:
    assert parse({PREFIX + name: value for name, value in variables.items()}).off_types == off


@pytest.mark.parametrize("lease", ["30", "60"])
def test_the_lease_must_outlive_a_pass(monkeypatch: pytest.MonkeyPatch, lease: str) -> None:
    monkeypatch.setenv(PREFIX + "LEASE_MINUTES", lease)
    with pytest.raises(ValidationError, match=r"LEASE_MINUTES=\d+ must be greater than \S+PASS_TIMEOUT_MINUTES=60"):
        ParseSettings()


def test_a_lease_just_longer_than_a_pass_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "LEASE_MINUTES", "61")
    assert ParseSettings().lease_minutes == 61


@pytest.mark.parametrize("task", ["60", "75"])
def test_a_pass_must_outlive_a_task(monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    monkeypatch.setenv(PREFIX + "TASK_TIMEOUT_MINUTES", task)
    with pytest.raises(ValidationError, match=r"PASS_TIMEOUT_MINUTES=60 must be greater than \S+TASK_TIMEOUT_MINUTES"):
        ParseSettings()


SECRET = "xoxb-the-secret"


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f'[{{"notifier": "a.B", "kwargs": {{"token": "{SECRET}"}}',
        f'[{{"notifier": "a.B", "kwargs": {{"token": "{SECRET}\\q"}}}}]',
        f'[{{"notifier": "a.B", "kwargs": {{"token": "{SECRET}"}}}}] and more',
        json.dumps(SECRET),
        json.dumps({"notifier": "a.B", "kwargs": {"token": SECRET}}),
        json.dumps([{"notifier": "a.B", "kwargs": SECRET}]),
        json.dumps([{"notifier": SECRET}]),
        json.dumps([{"kwargs": {"token": SECRET}}]),
        json.dumps([{"notifier": "a.B", "kwargs": {"token": SECRET}, "level": SECRET}]),
        json.dumps([{"notifier": "a.B", "token": SECRET}]),
    ],
)
@pytest.mark.parametrize("is_variable", [True, False], ids=["Variable", "environment"])
def test_a_secret_in_a_setting_that_cannot_be_used_is_in_no_traceback(
    value: str, is_variable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = PREFIX + "NOTIFIERS"
    if not is_variable:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as raised:
        parse({name: value} if is_variable else {})
    logged = "".join(traceback.format_exception(raised.value))
    assert "ValidationError" in logged
    assert SECRET not in logged


def test_outside_airflow_a_variable_of_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "RESULTS_SCHEMA", "OF_ENVIRONMENT")
    monkeypatch.setenv(PREFIX + "BATCH_SIZE", "7")
    assert of_shell().results_schema == "OF_ENVIRONMENT"
    monkeypatch.setenv(f"AIRFLOW_VAR_{PREFIX}RESULTS_SCHEMA", "OF_VARIABLE")
    assert (of_shell().results_schema, of_shell().batch_size) == ("OF_VARIABLE", 7)
    monkeypatch.setenv(f"AIRFLOW_VAR_{PREFIX}RESULTS_SCHEMA", "no schema")
    with pytest.raises(ConfigurationError, match=PREFIX + "RESULTS_SCHEMA"):
        of_shell()
