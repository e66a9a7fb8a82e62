"""sqlfluff over the rendered statements, each text once: templates share many statements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlfluff.core import FluffConfig, Linter, SQLParseError

from tests.sql_gate.template_statements import Statement

INDENTATION = "LT02"


@dataclass(frozen=True)
class Violation:
    """What sqlfluff says about one line."""

    rule: str
    line: int
    text: str

    @property
    def is_parse_error(self) -> bool:
        return self.rule == "PRS"


@cache
def _linter() -> Linter:
    return Linter(config=FluffConfig.from_path(str(Path(__file__).parent)))


@cache
def _lint(sql: str) -> tuple[Violation, ...]:
    lines = sql.splitlines()
    return tuple(
        Violation("PRS" if isinstance(error, SQLParseError) else error.rule_code(), error.line_no, error.desc())
        for error in _linter().lint_string(sql).get_violations()
        if not (error.rule_code() == INDENTATION and _is_concatenation(lines, error.line_no))
    )


def _is_concatenation(lines: list[str], number: int) -> bool:
    """A text over several lines hangs below its first; LT02 knows no hanging indent."""
    return any(line.lstrip().startswith("||") for line in lines[number - 1 : number + 1])


def violations(part: Statement) -> tuple[Violation, ...]:
    """Violations of the rules in ``.sqlfluff``; blanks at the end of a line are those of a Jinja loop."""
    return lint(part.sql)


def lint(sql: str) -> tuple[Violation, ...]:
    """Violations of one statement."""
    lines = [line.rstrip() for line in sql.strip().splitlines()]
    return _lint("\n".join(lines) + "\n")
