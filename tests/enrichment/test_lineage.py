"""What a template reads and writes, as OpenLineage is told."""

from __future__ import annotations

import json

import pytest

from include.enrichment import lineage
from include.enrichment import settings as settings_module
from include.enrichment.catalogue import CATALOGUE, EnrichmentType
from include.enrichment.operator import SnowflakeEnrichmentOperator
from include.enrichment.settings import Settings

EVERY_TYPE_READS = {"BENCH.FLAKE.TEST_RESULTS", "BENCH.FLAKE.RUN_STATUS"}
READS_AND_WRITES = {
    "QUERY_HISTORY": (
        {"SHARED.ACCOUNT_USAGE.QUERY_HISTORY", "BENCH.FLAKE.QUERY_EXECUTIONS"},
        {"BENCH.OWN.QUERY_EXECUTION_METRICS", "BENCH.FLAKE.QUERY_EXECUTIONS"},
    ),
    "QUERY_INSIGHTS": (
        {"SHARED.ACCOUNT_USAGE.QUERY_INSIGHTS", "SHARED.ACCOUNT_USAGE.QUERY_HISTORY"},
        {"BENCH.OWN.QUERY_INSIGHTS_CACHE"},
    ),
    "AGGREGATE": (
        {"SHARED.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY", "BENCH.FLAKE.QUERY_EXECUTIONS"},
        {"BENCH.OWN.AGGREGATE_QUERY_METRICS"},
    ),
    "LOCK_CONTENTION": (
        {"SHARED.ACCOUNT_USAGE.LOCK_WAIT_HISTORY", "SHARED.ACCOUNT_USAGE.QUERY_HISTORY"},
        {"BENCH.OWN.LOCK_CONTENTION_EVENTS"},
    ),
    "HYBRID_CREDITS": (
        {"SHARED.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY"},
        {"BENCH.OWN.HYBRID_TABLE_CREDITS"},
    ),
    "QUERY_ACCELERATION": (
        {"SHARED.ACCOUNT_USAGE.QUERY_ACCELERATION_HISTORY"},
        {"BENCH.OWN.QUERY_ACCELERATION_CREDITS"},
    ),
}
"""Type to the views and FlakeBench tables that it reads besides those of every type, and the tables that it fills."""


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_inputs_and_outputs_are_what_the_type_reads_and_fills(entry: EnrichmentType) -> None:
    read, filled = READS_AND_WRITES[entry.name]
    settings = Settings(
        results_database="BENCH", results_schema="FLAKE", own_schema="OWN", account_usage_database="SHARED"
    )
    inputs, outputs = lineage.tables(entry, settings)
    assert set(inputs) == EVERY_TYPE_READS | read
    assert set(outputs) == {"BENCH.OWN.RUN_ENRICHMENT_SUMMARY"} | filled
    assert (len(inputs), len(outputs)) == (len(set(inputs)), len(set(outputs)))


def test_in_one_schema_the_tables_are_the_same(settings: Settings) -> None:
    entry = next(entry for entry in CATALOGUE if entry.name == "QUERY_HISTORY")
    schema = "FLAKEBENCH.TEST_RESULTS"
    inputs, outputs = lineage.tables(entry, settings)
    assert inputs == [
        f"{schema}.QUERY_EXECUTIONS",
        f"{schema}.RUN_STATUS",
        f"{schema}.TEST_RESULTS",
        "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY",
    ]
    assert outputs == [
        f"{schema}.QUERY_EXECUTIONS",
        f"{schema}.QUERY_EXECUTION_METRICS",
        f"{schema}.RUN_ENRICHMENT_SUMMARY",
    ]


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
