"""Every statement of every template is Snowflake's SQL and reads what exists: SPEC §9, and STYLE.md "SQL"."""

from __future__ import annotations

import re
from functools import cache

import jinja2
import pytest
from jinja2 import meta
from sqlglot import exp

from include.enrichment.settings import Settings
from include.enrichment.templates import SQL_FOLDER, paths, render
from tests.sql_gate import functions, house_rules, style
from tests.sql_gate.known_schema import Schema
from tests.sql_gate.passed_binds import unknown_binds
from tests.sql_gate.resolver import Resolution, migrated, resolve, resolve_all, schema_before
from tests.sql_gate.show import is_documented_show
from tests.sql_gate.template_statements import OWN_SCHEMA, SAME_SCHEMA, Statement, statements

PATHS = paths()
STATEMENTS = [part for path in PATHS for part in statements(path)]
SOURCES = sorted(str(path.relative_to(SQL_FOLDER)) for path in SQL_FOLDER.rglob("*.sql"))
LONGEST_LINE = 140
CONFIGURED = {"results", "enrichment", "account_usage"}
SET_ELSEWHERE = {"target", "summary_columns", "joined_view", "joined_time", "times", "priority_bind", "chosen"}
"""What a template sets for those it extends or includes, and the name under which it imports the macros."""

every_template = pytest.mark.parametrize("path", PATHS)
every_source = pytest.mark.parametrize("path", SOURCES)
every_statement = pytest.mark.parametrize("part", STATEMENTS, ids=lambda part: part.label)
both_configurations = pytest.mark.parametrize("settings", [SAME_SCHEMA, OWN_SCHEMA], ids=["same schema", "own schema"])


@pytest.fixture(scope="module")
def schema() -> Schema:
    """The account after all migrations, and the temporary table of whatever template is looked at."""
    return migrated(SAME_SCHEMA)[0]


@cache
def resolution(part: Statement) -> Resolution:
    """A statement in its place: after those before it in its template."""
    known = schema_before(part.path, SAME_SCHEMA)
    earlier = statements(part.path)[: part.number - 1]
    resolve_all([item for item in earlier if isinstance(item.tree, exp.Create)], known)
    return resolve(part.tree, known)


def source_of(path: str) -> str:
    return (SQL_FOLDER / path).read_text()


# Two parsers


@every_statement
def test_sqlglot_parses_the_statement_and_knows_its_kind(part: Statement) -> None:
    assert is_documented_show(part.tree) or not list(part.tree.find_all(exp.Command))


@every_statement
def test_sqlfluff_parses_the_statement(part: Statement) -> None:
    assert [violation for violation in style.violations(part) if violation.is_parse_error] == []


# Names


@both_configurations
@every_template
def test_every_table_column_and_key_exists(path: str, settings: Settings) -> None:
    assert resolve_all(statements(path, settings), schema_before(path, settings)) == []


@both_configurations
def test_migrations_apply_in_order_to_what_flakebench_has(settings: Settings) -> None:
    assert migrated(settings)[1] == []


@both_configurations
def test_rollbacks_apply_in_reverse_order(settings: Settings) -> None:
    schema, _ = migrated(settings)
    rollbacks = sorted((path for path in PATHS if path.endswith(".rollback.sql")), reverse=True)
    problems = [item for path in rollbacks for item in resolve_all(statements(path, settings), schema)]
    assert rollbacks
    assert problems == []
    ours = [name for name in schema.tables if name.startswith(settings.enrichment) and "DELAYED" in name]
    assert all(name.endswith("_ROLLBACK") for name in ours)


@every_statement
def test_every_function_is_one_of_snowflakes(part: Statement) -> None:
    assert functions.unknown(part.sql) == set()


@every_statement
def test_now_is_sysdate(part: Statement) -> None:
    assert [clock.sql() for clock in functions.clocks(part.tree) if not functions.is_sysdate(clock)] == []


@every_template
def test_python_fills_every_bind_before_it_is_needed(path: str) -> None:
    assert unknown_binds(path, statements(path)) == []


@every_statement
def test_a_percent_sign_is_a_bind(part: Statement) -> None:
    assert house_rules.stray_percent_signs(part.text) == []


@every_statement
def test_no_name_is_a_reserved_word(part: Statement) -> None:
    assert house_rules.reserved_identifiers(part.tree) == []


@every_source
def test_jinja_stands_for_configured_identifiers_only(path: str) -> None:
    """No ``ds``, ``ts`` or ``logical_date``: they are absent in a run that REST triggered."""
    used = meta.find_undeclared_variables(jinja2.Environment().parse(source_of(path)))
    assert used - CONFIGURED - SET_ELSEWHERE == set()


# Reading


@every_statement
def test_no_star_is_selected_from_a_view_of_account_usage(part: Statement, schema: Schema) -> None:
    assert house_rules.stars_of_account_usage(part.tree, schema) == []


@every_statement
def test_every_read_of_account_usage_bounds_its_time_column_on_both_sides_with_binds(
    part: Statement, schema: Schema
) -> None:
    assert house_rules.unbounded_reads(part.tree, schema) == []


@every_statement
def test_query_executions_is_restricted_to_the_children(part: Statement) -> None:
    assert house_rules.unrestricted_executions(part.tree) == []


@every_statement
def test_no_like_on_tags_or_ids(part: Statement) -> None:
    assert house_rules.pattern_matches(part.tree) == []


@every_statement
def test_limit_stands_at_top_level_or_in_an_uncorrelated_scalar_subquery(part: Statement) -> None:
    assert house_rules.misplaced_limits(part.tree, resolution(part)) == []


@every_statement
def test_a_correlated_subquery_stands_in_where_only_never_in_set(part: Statement) -> None:
    assert house_rules.correlated_outside_where(resolution(part)) == []


@pytest.mark.parametrize("path", ["queue/next_due.sql", "monitor/figures.sql"])
def test_the_questions_of_sensor_and_monitor_have_no_clock_and_no_hybrid_table(path: str, schema: Schema) -> None:
    (part,) = statements(path)
    assert house_rules.uncacheable(part.tree, schema) == []


# Writing


@every_template
def test_no_ddl_stands_between_begin_and_commit(path: str) -> None:
    assert house_rules.ddl_in_transaction(statements(path)) == []


@every_statement
def test_no_update_returning(part: Statement) -> None:
    assert house_rules.returning(part.tree) == []


@every_statement
def test_no_create_or_alter_no_clustering_no_search_optimization(part: Statement) -> None:
    assert house_rules.forbidden_ddl(part.sql) == []


# Form


@every_template
def test_nothing_follows_the_last_semicolon(path: str) -> None:
    """The provider would send it as a statement of its own; Snowflake refuses an empty one."""
    assert render(path, SAME_SCHEMA).rstrip().endswith(";")


@every_template
def test_the_header_says_purpose_and_write_mode(path: str) -> None:
    header = re.match(r"(?:\{%.*?%\}\s*|--[^\n]*\n|\{#.*?#\}\s*)+", source_of(path), re.DOTALL)
    assert header is not None
    assert re.search(r"Purpose:\s+\w", header.group())
    assert re.search(r"Write mode:\s+\w", header.group())


@every_source
def test_lines_are_short_indented_by_twos_and_end_without_blanks(path: str) -> None:
    source = source_of(path)
    lines = source.splitlines()
    assert [line for line in lines if len(line) > LONGEST_LINE or line != line.rstrip() or "\t" in line] == []
    code = re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL).splitlines()
    assert [line for line in code if (len(line) - len(line.lstrip())) % 2] == []


@every_template
def test_sqlfluff_finds_nothing(path: str) -> None:
    """The rules of ``.sqlfluff``; indentation only where no Jinja block moved a line."""
    is_moved = "{%" in source_of(path)
    found = [(part.label, violation) for part in statements(path) for violation in style.violations(part)]
    assert [item for item in found if not (is_moved and item[1].rule == style.INDENTATION)] == []
