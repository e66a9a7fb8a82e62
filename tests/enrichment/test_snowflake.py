"""Sessions of ours: UTC, a tag that matches no run, timeouts; and templates that can be rendered."""

from __future__ import annotations

import os

import jinja2
import pytest

from include.enrichment.catalogue import CATALOGUE
from include.enrichment.settings import Settings
from include.enrichment.snowflake import hook_params, needed_statements
from include.enrichment.templates import paths, render


def test_a_session_is_in_utc_with_our_tag_and_timeouts() -> None:
    parameters = hook_params(Settings())
    ours = {
        "TIMEZONE": "UTC",
        "TIMESTAMP_INPUT_FORMAT": "AUTO",
        "DATE_INPUT_FORMAT": "AUTO",
        "QUERY_TAG": "flakebench_enrichment",
        "STATEMENT_TIMEOUT_IN_SECONDS": 120,
        "LOCK_TIMEOUT": 60,
    }
    assert ours.items() <= parameters["session_parameters"].items()
    assert "warehouse" not in parameters
    assert "role" not in parameters


def test_warehouse_role_and_a_shorter_lock_timeout_can_be_set() -> None:
    parameters = hook_params(Settings(warehouse="w", role="r"), lock_timeout_seconds=5)
    assert (parameters["warehouse"], parameters["role"]) == ("W", "R")
    assert parameters["session_parameters"]["LOCK_TIMEOUT"] == 5


def test_autocommit_travels_with_the_login_so_that_no_alter_session_is_sent() -> None:
    assert hook_params(Settings())["session_parameters"]["AUTOCOMMIT"] is True


def test_a_statement_is_left_out_when_its_parameter_is_false_at_its_turn() -> None:
    template = "SELECT 1;\n\n-- when: found\n-- step: write\nSELECT 2;\n\n-- when: stored\nSELECT 3;\n"
    parameters = {"found": False, "stored": False}
    sent = []
    for text in needed_statements(template, parameters):
        sent.append(text.strip().splitlines()[-1])
        parameters["stored"] = True  # what a handler found
    assert sent == ["SELECT 1;", "SELECT 3;"]


def test_a_statement_whose_parameter_nobody_has_set_is_an_error() -> None:
    with pytest.raises(KeyError, match="found"):
        list(needed_statements("-- when: found\nSELECT 1;", {}))


def test_our_tag_is_no_extension_of_a_control_plane_tag() -> None:
    settings = Settings()
    assert not [tag for tag in settings.control_plane_tags if f"{settings.query_tag}:".startswith(f"{tag}:")]


@pytest.mark.parametrize("path", paths())
def test_a_template_renders_with_the_configured_names_and_ends_with_its_last_statement(path: str) -> None:
    settings = Settings(results_database="BENCH", results_schema="RES", own_schema="OWN", account_usage_database="COPY")
    text = render(path, settings)
    assert "{{" not in text
    assert "{%" not in text
    assert "FLAKEBENCH." not in text
    assert "SNOWFLAKE." not in text
    assert text.rstrip().endswith(";")


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_a_type_s_template_reads_its_view_and_writes_its_target(entry: object) -> None:
    from include.enrichment.catalogue import EnrichmentType

    assert isinstance(entry, EnrichmentType)
    text = render(entry.template, Settings())
    assert f"FROM SNOWFLAKE.ACCOUNT_USAGE.{entry.source_view} " in text
    assert f"INSERT INTO FLAKEBENCH.TEST_RESULTS.{entry.target} " in text
    assert text.count("BEGIN;") == text.count("COMMIT;") == 1


def test_a_missing_template_is_an_error() -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        render("enrich/nothing.sql", Settings())


@pytest.mark.parametrize(("chosen", "expected"), [(None, "true"), ("false", "false")])
def test_no_cloud_is_asked_where_a_task_runs_unless_the_environment_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, chosen: str | None, expected: str
) -> None:
    monkeypatch.delenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", raising=False)
    if chosen is not None:
        monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", chosen)
    hook_params(settings)
    assert os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] == expected
