"""The SQL templates of ``include/sql``: where they are and how they are rendered.

Jinja stands for configured, validated identifiers and for structure only; every value is a bind parameter.
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from include.enrichment import settings as settings_module

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

    from include.enrichment.settings import Settings

SQL_FOLDER = Path(__file__).resolve().parents[1] / "sql"
"""``template_searchpath`` of the DAGs."""

_SCHEMAS = ("results", "enrichment", "account_usage")


_END_OF_STATEMENT = re.compile(r"(?<=;)\n")


class _BytecodeCache(jinja2.FileSystemBytecodeCache):
    """Compiled templates, in a folder of the user that only the user may enter; a full disk only makes it useless."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


class _Schema:
    """A schema name that is looked up in the settings when a template is rendered, not when a DAG is parsed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return str(getattr(settings_module.current(), self._name))


def macros() -> dict[str, Any]:
    """``user_defined_macros`` of the DAGs: the names that the templates may use."""
    return {name: _Schema(name) for name in _SCHEMAS}


def jinja_options() -> dict[str, Any]:
    """``jinja_environment_kwargs`` of a DAG: each task process would compile its template and all fragments anew.

    What is compiled is kept with a checksum of its source, so that a changed template is compiled again.
    """
    try:
        return {"bytecode_cache": _BytecodeCache()}
    except (OSError, RuntimeError):  # no folder for temporary files, or somebody else owns that of the cache
        return {}


def split(text: str) -> list[str]:
    """Split a rendered template of ``include/sql/enrich`` after each semicolon that ends a line.

    There the connector's own splitter finds the same, character by character: as much CPU as all the statements take.
    """
    parts = (part.strip() for part in _END_OF_STATEMENT.split(text))
    return [part for part in parts if part]


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
