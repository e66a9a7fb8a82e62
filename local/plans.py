"""Translations that are kept: a statement that an earlier one differs from in its values only is not translated again.

To run a statement, fakesnow rewrites its syntax tree some eighty times, which takes far longer than DuckDB takes to run
it; and a client sends the same statements again and again, with other run ids, times and counts. Snowflake compiles a
statement in less time than the network takes; without this the embedded one would decide what a benchmark measures.

A translation is kept under the statement's shape: its text without its values, and what the session's names stand for.
Which value of the translation is which value of the statement is learned from two statements of one shape: where they
differ, the two translations must differ likewise. Nothing else is replaced, and whatever does not fit is translated in
full: a value that was the same in all statements so far, one that is not plain text, a time or a number, two values
that were equal so far and of which the translation has one.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import Expr, exp

from local.dialect_gaps import Context, Statement

MOST_PLANS = 2000

_STRING = {"snowflake": r"'(?:[^'\\]|''|\\.)*'", "duckdb": r"'(?:[^']|'')*'"}
_TOKEN = {
    dialect: re.compile(
        r"--[^\n]*|/\*.*?\*/|\$\$.*?\$\$|\"(?:[^\"]|\"\")*\"|[^\W\d][\w$]*"
        rf"|(?P<value>{string}(?:\s*,\s*{string})*|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)",
        re.DOTALL,
    )
    for dialect, string in _STRING.items()
}
_TIME = re.compile(r"'\d{4}-\d\d-\d\d[ T][\d:.+ -]*'")
_PLAIN = re.compile(r"'[\w .:+/-]+'(?:\s*,\s*'[\w .:+/-]+')*")
_MEMBER = re.compile(r"'[^']*'")
_JSON = re.compile(r"'(?:\[[^'\\]*\]|\{[^'\\]*\})'")
_INTEGER = re.compile(r"\d{1,9}")
_DIGIT = re.compile(r"\d")
_QUERIES = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge)
_DECIDED_BY_VALUES = ("seed", "result_scan_sfqid", "merge_counts")
"""Arguments that fakesnow leaves at a translation, and that come from its values."""


class Split(NamedTuple):
    """A text and its values: the first piece, a value, the next piece, ...; a list of strings is one value."""

    pieces: tuple[str, ...]
    values: tuple[str, ...]

    @classmethod
    def of(cls, text: str, dialect: str) -> Split:
        pieces, values, end = [], [], 0
        for match in _TOKEN[dialect].finditer(text):
            if match["value"] is not None:
                pieces.append(text[end : match.start()])
                value = match["value"]
                values.append(", ".join(_MEMBER.findall(value)) if _PLAIN.fullmatch(value) else value)
                end = match.end()
        return cls((*pieces, text[end:]), tuple(values))


@dataclass(frozen=True)
class Translation:
    """A statement in DuckDB's dialect.

    :param expression: as fakesnow runs it
    :param temporary: the temporary tables that it creates
    """

    expression: Expr
    text: str
    temporary: frozenset[tuple[str, str, str]] = frozenset()

    def runnable(self) -> Expr:
        """The expression, which says that it is the text; arguments of the one that is kept stay when it runs.

        ``copy.copy`` would copy the whole tree.
        """
        expression = type(self.expression)(**self.expression.args)
        expression.sql = lambda *_, **__: self.text  # type: ignore[method-assign]
        return expression


@dataclass
class Plan:
    """The translation of one statement, and how that of another of its shape differs.

    :param given: values of the statement, and of the session when it ran
    :param sources: position of a value of the translation to those of ``given`` that it may come from
    :param free: positions in ``given`` of which it is known what follows from another value
    """

    statement: Statement
    translation: Translation
    given: tuple[str, ...]
    split: Split
    sources: dict[int, frozenset[int]] = field(default_factory=dict)
    free: frozenset[int] = frozenset()

    def translate(self, given: Sequence[str]) -> Translation | None:
        """The translation with other values; None: it is not known."""
        if not self._changed(given) <= self.free:
            return None
        values = list(self.split.values)
        for position, candidates in self.sources.items():
            found = {given[candidate] for candidate in candidates}
            if len(found) > 1:
                return None
            values[position] = found.pop()
        parts = [part for pair in zip(self.split.pieces, (*values, ""), strict=True) for part in pair]
        return Translation(self.translation.expression, "".join(parts), self.translation.temporary)

    def learn(self, given: Sequence[str], text: str) -> None:
        """Take a second statement into account, if it differs from the first as its translation does."""
        changed, split = self._changed(given), Split.of(text, "duckdb")
        if split.pieces != self.split.pieces:
            return
        sources = {}
        for position, (before, after) in enumerate(zip(self.split.values, split.values, strict=True)):
            candidates = self.sources.get(position)
            if before == after and candidates is None:
                continue
            possible = changed if candidates is None else candidates
            fitting = frozenset(one for one in possible if (self.given[one], given[one]) == (before, after))
            if not fitting:
                return
            sources[position] = fitting
        self.sources, self.free = sources, self.free | changed

    def _changed(self, given: Sequence[str]) -> frozenset[int]:
        pairs = enumerate(zip(self.given, given, strict=True))
        return frozenset(position for position, (before, after) in pairs if before != after)


@dataclass(frozen=True)
class Occurrence:
    """A statement that a session is to run.

    :param key: of its shape
    :param values: of its text
    """

    key: bytes
    values: tuple[str, ...]

    def given(self, context: Context) -> tuple[str, ...]:
        """Its values, and those of the session that a translation may contain."""
        clock = str(round(context.now.timestamp() * 1_000_000))
        return (*self.values, clock, f"'{context.session_id}'", f"'{context.last_query_id}'")


class Plans:
    """The plans of a server, shared by its sessions."""

    def __init__(self) -> None:
        self._plans: OrderedDict[bytes, Plan] = OrderedDict()
        self._lock = threading.Lock()

    def occurrence(self, text: str, context: Context) -> Occurrence:
        """What a statement is known by."""
        split = Split.of(text, "snowflake")
        names = (context.database, context.schema, context.user, context.role, context.warehouse)
        shape = (split.pieces, [_kind(value) for value in split.values], names, sorted(context.temporary))
        return Occurrence(hashlib.blake2b(repr(shape).encode(), digest_size=16).digest(), split.values)

    def find(self, occurrence: Occurrence, context: Context) -> tuple[Statement, Translation] | None:
        """A statement of this shape as it was parsed, with any values; and the translation with the right ones."""
        with self._lock:
            plan = self._plans.get(occurrence.key)
            if plan is None or (translation := plan.translate(occurrence.given(context))) is None:
                return None
            self._plans.move_to_end(occurrence.key)
            return plan.statement, translation

    def learn(self, occurrence: Occurrence, context: Context, statement: Statement, translation: Translation) -> None:
        """Keep a translation, or what it teaches about the one that is kept."""
        if not _is_kept(statement.expression, translation.expression):
            return
        given = occurrence.given(context)
        with self._lock:
            plan = self._plans.get(occurrence.key)
            if plan is not None:
                plan.learn(given, translation.text)
                return
            split = Split.of(translation.text, "duckdb")
            self._plans[occurrence.key] = Plan(statement, translation, given, split)
            if len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)

    def forget(self) -> None:
        """A schema has changed, on which a translation may depend."""
        with self._lock:
            self._plans.clear()


def _kind(value: str) -> str:
    """What values are alike; one that is like no other stands for itself."""
    if not value.startswith("'"):
        return "integer" if _INTEGER.fullmatch(value) else _DIGIT.sub("9", value)
    kinds = {"time": _TIME, "text": _PLAIN, "json": _JSON}
    return next((kind for kind, pattern in kinds.items() if pattern.fullmatch(value)), value)


def _is_kept(statement: Expr, translation: Expr) -> bool:
    """Whether it is a query or changes rows only, of the session's own temporary tables at most the schema."""
    if any(translation.args.get(name) is not None for name in _DECIDED_BY_VALUES):
        return False
    if isinstance(statement, exp.Create):  # with columns of its own, SELECT * stands for what they are now
        is_query = isinstance(statement.expression, exp.Query) and not isinstance(statement.this, exp.Schema)
        return is_query and statement.find(exp.TemporaryProperty) is not None
    return isinstance(statement, _QUERIES) and isinstance(translation, _QUERIES)
