"""The statements of the SQL templates as the provider sends them: rendered, split, binds filled in.

The placeholders of the connector's pyformat style are replaced by literals of the type that Python passes, so that both
parsers read what Snowflake would. A text placeholder keeps its bind's name (``'bind window_start'``), so that a rule
can tell a bound value from a constant.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import sqlglot
from snowflake.connector.util_text import split_statements
from sqlglot import exp

from include.enrichment.settings import Settings
from include.enrichment.templates import render

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
BOUND_TEXT = "bind "

_NUMBERS = """
lease_seconds look_back_days priority batch_size backfill_batch_size max_attempts insights_days rows_written
successful_operations expected_count found_count coverage attempts_delta snoozes_delta due_in_minutes version
backfill_priority retention_days recheck_hours page_size page_offset
"""
_LISTS = """
statuses known_table_types unenriched_table_types control_plane_tags child_ids run_ids job_ids types task_statuses
states table_types
"""
NUMBERS = frozenset(_NUMBERS.split())
LISTS = frozenset(_LISTS.split())
_BOOLEANS = """
replace store_raw data_complete force has_test_ids is_second_look is_changed is_held
has_states has_table_types has_run_ids
"""
BOOLEANS = frozenset(_BOOLEANS.split())

SAME_SCHEMA = Settings(
    results_database="FLAKEBENCH", results_schema="TEST_RESULTS", own_schema=None, account_usage_database="SNOWFLAKE"
)
OWN_SCHEMA = Settings(
    results_database="FLAKEBENCH",
    results_schema="TEST_RESULTS",
    own_schema="ENRICHMENT",
    account_usage_database="SHARED",
)
"""Our tables in a schema of their own and the views in another database: a template that mixes them up fails."""


@dataclass(frozen=True)
class Statement:
    """One statement of a template.

    :param text: with placeholders, as it is sent
    """

    path: str
    number: int
    text: str

    @property
    def label(self) -> str:
        return f"{self.path}#{self.number}"

    @property
    def step(self) -> str | None:
        """What ``lifecycle.py`` calls it."""
        match = re.search(r"--\s*step:\s*(\w+)", self.text)
        return match.group(1) if match else None

    @property
    def binds(self) -> set[str]:
        return set(PLACEHOLDER.findall(self.text))

    @property
    def sql(self) -> str:
        """With literals for the placeholders."""
        return fill(self.text)

    @property
    def tree(self) -> exp.Expr:
        return parse(self.sql)


def fill(text: str) -> str:
    """Replace each placeholder by a literal of its type."""
    return PLACEHOLDER.sub(lambda match: _literal(match.group(1)), text)


def _literal(name: str) -> str:
    if name in NUMBERS:
        return "1"
    if name in BOOLEANS:
        return "TRUE"
    literal = f"'{BOUND_TEXT}{name}'"
    return f"{literal}, {literal}" if name in LISTS else literal


@cache
def parse(sql: str) -> exp.Expr:
    """The syntax tree of one statement.

    :raises sqlglot.errors.ParseError: it is not Snowflake SQL, is empty, or is several statements
    """
    trees = sqlglot.parse(sql, read="snowflake", error_level=sqlglot.ErrorLevel.RAISE)
    if len(trees) != 1 or trees[0] is None:
        raise sqlglot.errors.ParseError(f"{len(trees)} statements, or an empty one, in {sql!r}")
    return trees[0]


def split(sql: str) -> list[str]:
    """The statements of a text, comments kept, as ``SnowflakeHook.run`` splits it."""
    return [part for part, _ in split_statements(io.StringIO(sql), remove_comments=False) if part]


@cache
def statements(path: str, settings: Settings = SAME_SCHEMA) -> tuple[Statement, ...]:
    """The statements of a template."""
    return tuple(_numbered(path, split(render(path, settings))))


def inline(sql: str) -> tuple[Statement, ...]:
    """The statements of a text that is no template, for tests of the gate itself."""
    return tuple(_numbered("inline", split(sql)))


def _numbered(path: str, texts: list[str]) -> Iterator[Statement]:
    for number, text in enumerate(texts, start=1):
        yield Statement(path, number, text)
