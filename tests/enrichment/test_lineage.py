"""What a template reads and writes, as OpenLineage is told."""

from __future__ import annotations

import pytest

from include.enrichment import lineage
from include.enrichment.catalogue import CATALOGUE, EnrichmentType
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
