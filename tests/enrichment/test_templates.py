"""How templates are rendered and split in task processes, of which each renders one."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import jinja2
import pytest
from snowflake.connector.util_text import split_statements

from include.enrichment import templates
from include.enrichment.catalogue import CATALOGUE
from include.enrichment.settings import Settings


@pytest.mark.parametrize("template", [entry.template for entry in CATALOGUE])
def test_a_template_is_split_as_the_connector_splits_it(template: str) -> None:
    text = templates.render(template, Settings())
    found = [statement.strip() for statement, _ in split_statements(io.StringIO(text)) if statement]
    assert templates.split(text) == found
    assert len(found) > 5


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "template.sql"
    file.write_text("SELECT {{ number }};")
    return file


def _render(template: Path) -> str:
    """As a task process does, which has compiled nothing yet."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(template.parent), **templates.jinja_options())
    return environment.get_template(template.name).render(number=1)


def test_a_template_is_compiled_once_for_all_task_processes(
    temporary: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _render(template) == "SELECT 1;"
    assert [file for file in temporary.rglob("*") if file.is_file()]
    monkeypatch.setattr(jinja2.Environment, "compile", _fails)
    assert _render(template) == "SELECT 1;"


def test_a_changed_template_is_compiled_again(temporary: Path, template: Path) -> None:
    assert _render(template) == "SELECT 1;"
    template.write_text("SELECT -{{ number }};")
    assert _render(template) == "SELECT -1;"


def test_a_template_is_rendered_although_nothing_can_be_written(
    temporary: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", _fails)
    assert _render(template) == "SELECT 1;"


def test_a_template_is_rendered_without_a_folder_for_temporary_files(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", _fails)
    assert templates.jinja_options() == {}
    assert _render(template) == "SELECT 1;"


def _fails(*_arguments: Any, **_options: Any) -> NoReturn:
    raise OSError("no space left on device")
