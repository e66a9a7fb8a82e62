"""The catalogue agrees with the specification (SPEC §5) and with the templates."""

from __future__ import annotations

import json
from datetime import date

import pytest

from include.enrichment.catalogue import CATALOGUE, OPTIONAL_TYPES, as_bind, enrichment_type
from include.enrichment.templates import SQL_FOLDER

SQL_TYPES = ("STANDARD", "HYBRID", "UNISTORE", "INTERACTIVE", "DYNAMIC")


@pytest.mark.parametrize(
    ("name", "view", "due_minutes", "table_types", "target"),
    [
        ("QUERY_HISTORY", "QUERY_HISTORY", 50, SQL_TYPES, "QUERY_EXECUTION_METRICS"),
        ("QUERY_INSIGHTS", "QUERY_INSIGHTS", 100, SQL_TYPES, "QUERY_INSIGHTS_CACHE"),
        ("AGGREGATE", "AGGREGATE_QUERY_HISTORY", 195, SQL_TYPES, "AGGREGATE_QUERY_METRICS"),
        ("LOCK_CONTENTION", "LOCK_WAIT_HISTORY", 195, ("HYBRID", "UNISTORE"), "LOCK_CONTENTION_EVENTS"),
        ("HYBRID_CREDITS", "HYBRID_TABLE_USAGE_HISTORY", 195, ("HYBRID", "UNISTORE"), "HYBRID_TABLE_CREDITS"),
        ("QUERY_ACCELERATION", "QUERY_ACCELERATION_HISTORY", 255, SQL_TYPES, "QUERY_ACCELERATION_CREDITS"),
    ],
)
def test_a_type_is_as_specified(
    name: str, view: str, due_minutes: int, table_types: tuple[str, ...], target: str
) -> None:
    entry = enrichment_type(name)
    assert entry.source_view == view
    assert entry.due_after.total_seconds() == due_minutes * 60
    assert entry.table_types == table_types
    assert entry.target == target
    assert entry.horizon.total_seconds() == 12 * 3600
    assert (SQL_FOLDER / entry.template).is_file()


def test_the_catalogue_lists_these_types_only() -> None:
    assert [entry.name for entry in CATALOGUE] == [
        "QUERY_HISTORY",
        "QUERY_INSIGHTS",
        "AGGREGATE",
        "LOCK_CONTENTION",
        "HYBRID_CREDITS",
        "QUERY_ACCELERATION",
    ]
    assert OPTIONAL_TYPES == ("QUERY_ACCELERATION",)


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        enrichment_type("LOCK")


def test_no_name_or_alias_stands_for_two_types() -> None:
    names = [name for entry in json.loads(as_bind({})) for name in entry["names"]]
    assert len(names) == len(set(names))
    assert {"LOCK", "CREDITS", "INSIGHTS"} <= set(names)


def test_insights_do_not_exist_for_hybrid_unistore_and_interactive() -> None:
    insights = next(entry for entry in json.loads(as_bind({})) if entry["name"] == "QUERY_INSIGHTS")
    reasons = {item["table_type"]: item["reason"] for item in insights["table_types"]}
    assert {name for name, reason in reasons.items() if reason} == {"HYBRID", "UNISTORE", "INTERACTIVE"}


def test_queries_of_hybrid_tables_are_not_accelerated() -> None:
    acceleration = next(entry for entry in json.loads(as_bind({})) if entry["name"] == "QUERY_ACCELERATION")
    reasons = {item["table_type"]: item["reason"] for item in acceleration["table_types"]}
    assert {name for name, reason in reasons.items() if reason} == {"HYBRID"}


def test_credits_ended_with_march_2026() -> None:
    assert enrichment_type("HYBRID_CREDITS").ended == date(2026, 3, 1)
    assert [entry.name for entry in CATALOGUE if entry.ended] == ["HYBRID_CREDITS"]


@pytest.mark.parametrize(
    ("name", "is_discovered"),
    [
        pytest.param("AGGREGATE", True, id="a usual type gets a task that says so"),
        pytest.param("QUERY_ACCELERATION", False, id="an optional one none"),
    ],
)
def test_a_type_that_is_off_is_marked_in_the_bind(name: str, is_discovered: bool) -> None:
    found = {
        entry["name"]: (entry["off_reason"], entry["is_discovered"]) for entry in json.loads(as_bind({name: "off"}))
    }
    assert found == {entry.name: (None, True) for entry in CATALOGUE} | {name: ("off", is_discovered)}
