"""The SQL templates of ``include/sql``: where they are and how they are rendered.

Jinja stands for configured, validated identifiers and for structure only; every value is a bind parameter.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from include.enrichment import settings as settings_module

if TYPE_CHECKING:
    from include.enrichment.settings import Settings

SQL_FOLDER = Path(__file__).resolve().parents[1] / "sql"
"""``template_searchpath`` of the DAGs."""

_SCHEMAS = ("results", "enrichment", "account_usage")


class _Schema:
    """A schema name that is looked up in the settings when a template is rendered, not when a DAG is parsed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return str(getattr(settings_module.current(), self._name))


def macros() -> dict[str, Any]:
    """``user_defined_macros`` of the DAGs: the names that the templates may use."""
    return {name: _Schema(name) for name in _SCHEMAS}


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(SQL_FOLDER), undefined=jinja2.StrictUndefined, keep_trailing_newline=False
    )


def render(path: str, settings: Settings) -> str:
    """Render one template.

    :param path: below ``include/sql``, for instance ``queue/claim_tasks.sql``
    :raises jinja2.TemplateNotFound: when there is no such file
    """
    return _environment().get_template(path).render({name: getattr(settings, name) for name in _SCHEMAS})


def statements(path: str, settings: Settings) -> tuple[str, ...]:
    """The statements of a template as the hook sends them, without comments."""
    from snowflake.connector.util_text import split_statements

    found = split_statements(io.StringIO(render(path, settings)), remove_comments=True)
    return tuple(text for text, _ in found if text)


def paths() -> list[str]:
    """Every template, fragments (``_*.sql``) excepted."""
    return sorted(
        str(path.relative_to(SQL_FOLDER)) for path in SQL_FOLDER.rglob("*.sql") if not path.name.startswith("_")
    )
