"""What the doctor asks for is what the package uses: its lists are held against the templates and the migrations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlglot import exp

from include.enrichment.access import FLAKEBENCH_COLUMNS, mirror_columns, own_columns, own_objects, source_views
from include.enrichment.catalogue import CATALOGUE, OPTIONAL_TYPES
from include.enrichment.probes import statements as probes
from include.enrichment.settings import Settings
from include.enrichment.templates import paths
from tests.sql_gate.known_schema import Schema, qualified, table_of
from tests.sql_gate.resolver import migrated
from tests.sql_gate.show import is_documented_show
from tests.sql_gate.template_statements import SAME_SCHEMA, fill, parse, statements
from tests.sql_gate.used_columns import used_columns

VIEWS = source_views(SAME_SCHEMA.model_copy(update={"optional_types": OPTIONAL_TYPES}))
MIGRATING = ("doctor/", "schema/0", "schema/record")
"""Templates that a pass does not run: what they need is asked for when they run."""


@pytest.fixture(scope="module")
def ours() -> Schema:
    """What the migrations add to the documented account."""
    schema, documented = migrated(SAME_SCHEMA)[0], Schema.documented(SAME_SCHEMA)
    return Schema({name: table for name, table in schema.tables.items() if name not in documented.tables})


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_asked_for_exactly_the_columns_that_the_templates_use(view: str) -> None:
    tree = parse(fill(probes("doctor/views.sql", SAME_SCHEMA)[view]))
    asked = {item.name for item in tree.expressions}
    assert [table.name for table in tree.find_all(exp.Table)] == [view]
    assert asked == used_columns(f"{SAME_SCHEMA.account_usage}.{view}")


def test_every_view_of_the_catalogue_has_a_probe() -> None:
    assert set(probes("doctor/views.sql", SAME_SCHEMA)) == set(VIEWS) == {entry.source_view for entry in CATALOGUE}


def test_the_columns_of_flakebench_are_exactly_those_that_the_templates_use() -> None:
    tables = [name for name in Schema.documented(SAME_SCHEMA).tables if name.startswith(SAME_SCHEMA.results)]
    used = {name.rpartition(".")[2]: used_columns(name) for name in tables}
    mirrored: dict[str, set[str]] = {name: set() for name in used}
    for name in mirror_columns():
        table, column = name.split(".")
        mirrored[table].add(column)
    own = {name: columns - mirrored[name] for name, columns in used.items() if columns}
    assert {name: set(columns) for name, columns in FLAKEBENCH_COLUMNS.items()} == own


def test_the_columns_of_the_mirror_are_those_that_the_migrations_add() -> None:
    schema, documented = migrated(SAME_SCHEMA)[0], Schema.documented(SAME_SCHEMA)
    added = {
        f"{name.rpartition('.')[2]}.{column.name}"
        for name, table in documented.tables.items()
        for column in schema.tables[name].columns
        if column not in table.columns
    }
    assert mirror_columns() == added


def test_every_object_of_the_migrations_is_checked_and_no_other(ours: Schema) -> None:
    assert own_objects(SAME_SCHEMA) == {name.rpartition(".")[2]: table.kind for name, table in ours.tables.items()}


def test_the_columns_of_each_table_are_those_that_the_migrations_create(ours: Schema) -> None:
    tables = [table for table in ours.tables.values() if table.kind == "TABLE"]
    assert {name: set(columns) for name, columns in own_columns(Settings()).items()} == {
        table.name.rpartition(".")[2]: {column.name for column in table.columns} for table in tables
    }


def needed(path: str) -> Iterator[tuple[str, str]]:
    """Table and privilege of what a template does; the privileges of a MERGE are those of its branches."""
    for part in statements(path):
        tree, target = part.tree, None
        if isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            target = table_of(tree.this)
            branches = [str(when.args["then"].key) for when in tree.find_all(exp.When)] or [tree.key]
            yield from ((qualified(target), branch.upper()) for branch in branches)
        yield from ((qualified(table), "SELECT") for table in tree.find_all(exp.Table) if table is not target)


def needed_by_the_templates(schema: str) -> dict[str, set[str]]:
    """Bare name of each object of a schema to the privileges that a pass, the cleanup or a person's query needs."""
    found: dict[str, set[str]] = {}
    for path in paths():
        for name, privilege in () if path.startswith(MIGRATING) else needed(path):
            if name.startswith(f"{schema}."):
                found.setdefault(name.rpartition(".")[2], set()).add(privilege)
    return found


@pytest.mark.parametrize("table", [name for name, kind in own_objects(SAME_SCHEMA).items() if kind == "TABLE"])
def test_exactly_the_privileges_that_the_templates_need_are_asked_for_and_nothing_is_written(table: str) -> None:
    asked = {name: text for name, text in probes("doctor/own_tables.sql", SAME_SCHEMA).items() if table in name.split()}
    assert {name.split()[1] for name in asked} == needed_by_the_templates(SAME_SCHEMA.enrichment)[table]
    for name, text in asked.items():
        assert parse(text).key.upper() == name.split()[1]
        assert text.endswith("WHERE FALSE")


def test_the_privileges_on_flakebench_s_tables_are_those_that_the_templates_need() -> None:
    asked: dict[str, set[str]] = {}
    for name in probes("doctor/flakebench_tables.sql", SAME_SCHEMA):
        table, privilege = name.split()
        asked.setdefault(table, set()).add(privilege)
    found = needed_by_the_templates(SAME_SCHEMA.results)
    assert asked == {table: found[table] for table in FLAKEBENCH_COLUMNS}


def test_only_the_mirror_and_query_history_change_flakebench_s_tables() -> None:
    """Without the mirror TEST_RESULTS is only read; QUERY_EXECUTIONS only without the type QUERY_HISTORY.

    The hashes are of queries that QUERY_HISTORY wrote: without it ``mirror_hashes.sql`` has nothing to copy.
    """
    changed = {
        (name.rpartition(".")[2], path)
        for path in paths()
        if not path.startswith(MIGRATING)
        for name, privilege in needed(path)
        if privilege != "SELECT" and name.rpartition(".")[2] in FLAKEBENCH_COLUMNS
    }
    assert changed == {
        ("TEST_RESULTS", "queue/mirror_runs.sql"),
        ("QUERY_EXECUTIONS", "queue/mirror_hashes.sql"),
        ("QUERY_EXECUTIONS", "enrich/query_history.sql"),
    }


def test_a_column_that_only_one_template_uses_counts_as_used() -> None:
    """The measure itself: it sees reads, writes, and names that would mean an outer query's column instead."""
    assert "SF_PCT_SCANNED_FROM_CACHE" in used_columns(f"{SAME_SCHEMA.results}.QUERY_EXECUTIONS")
    assert "TRANSACTION_BLOCKED_TIME" in used_columns(f"{SAME_SCHEMA.account_usage}.QUERY_HISTORY")
    assert "RUN_ID" in used_columns(f"{SAME_SCHEMA.results}.RUN_STATUS")
    assert "QUERY_TEXT" not in used_columns(f"{SAME_SCHEMA.account_usage}.QUERY_HISTORY")


@pytest.mark.parametrize(
    ("sql", "is_allowed"),
    [
        ("SHOW PARAMETERS LIKE 'TIMEZONE' IN SESSION", True),
        ("SHOW PARAMETERS LIKE 'TIMEZONE' IN WAREHOUSE", True),
        ("SHOW WAREHOUSES LIKE 'ENRICHMENT_WH'", True),
        ("SHOW PARAMETERS IN ACCOUNT", False),
        ("SHOW WAREHOUSES", False),
        ("SHOW GRANTS TO ROLE R", False),
        ("SELECT 1 AS X", False),
    ],
)
def test_only_the_documented_forms_of_show_pass(sql: str, is_allowed: bool) -> None:
    assert is_documented_show(parse(sql)) is is_allowed


def test_a_type_that_is_switched_off_needs_no_view() -> None:
    settings = without("HYBRID_CREDITS")
    assert "HYBRID_TABLE_USAGE_HISTORY" not in source_views(settings)
    assert "QUERY_HISTORY" in source_views(without("QUERY_HISTORY"))  # others are joined through it
    assert set(VIEWS) - set(source_views(SAME_SCHEMA)) == {"QUERY_ACCELERATION_HISTORY"}


def without(*names: str) -> Settings:
    return SAME_SCHEMA.model_copy(update={"disabled_types": names})
