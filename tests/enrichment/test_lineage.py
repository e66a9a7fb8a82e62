"""What a template reads and writes, as OpenLineage is told."""

from __future__ import annotations

import json

import pytest

from include.enrichment import lineage
from include.enrichment import settings as settings_module
from include.enrichment.catalogue import CATALOGUE, EnrichmentType
from include.enrichment.operator import SnowflakeEnrichmentOperator
from include.enrichment.settings import Settings


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_view_of_the_catalogue_is_an_input_and_its_target_an_output(entry: EnrichmentType) -> None:
    inputs, outputs = lineage.tables(entry, Settings(own_schema="OWN", account_usage_database="SHARED"))
    assert f"SHARED.ACCOUNT_USAGE.{entry.source_view}" in inputs
    assert outputs == [f"FLAKEBENCH.OWN.{entry.target}", "FLAKEBENCH.OWN.RUN_ENRICHMENT_SUMMARY"]


def test_types_that_are_joined_through_query_history_read_it_as_well() -> None:
    entry = next(entry for entry in CATALOGUE if entry.name == "QUERY_INSIGHTS")
    inputs, _ = lineage.tables(entry, Settings())
    assert "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY" in inputs


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_openlineage_takes_it_from_the_operator_when_a_try_starts_and_however_it_ends(
    entry: EnrichmentType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the extractor of Airflow's own provider."""
    base = pytest.importorskip("airflow.providers.openlineage.extractors.base", reason="of the dev requirements")
    extra = {"account": "org-account", "database": "FLAKEBENCH", "schema": "TEST_RESULTS"}
    connection = {"conn_type": "snowflake", "login": "USER", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
    monkeypatch.setattr(settings_module, "current", Settings)
    claimed = {"job_id": "j", "run_id": "r", "run_name": "n", "enrichment_type": entry.name, "claim_token": "t"}
    operator = SnowflakeEnrichmentOperator(
        task_id="enrich", claimed=claimed, lease_minutes=90, conn_id="snowflake_default"
    )
    extractor = base.DefaultExtractor(operator)

    inputs, outputs = lineage.tables(entry, Settings())
    for found in (extractor.extract(), extractor.extract_on_complete(None), extractor.extract_on_failure(None)):
        assert [item.name for item in found.inputs] == inputs
        assert [item.name for item in found.outputs] == outputs
        assert {item.namespace for item in (*found.inputs, *found.outputs)} == {"snowflake://org-account"}
