"""The data dictionary says of every column what it means, and when it is NULL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import data_dictionary
from docs.data_dictionary import UndescribedError, document, relations
from include.enrichment.access import own_columns, own_objects
from include.enrichment.settings import Settings


def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Read the descriptions with one change."""
    content = yaml.safe_load(data_dictionary.FILE.read_text())
    change(content["tables"])
    file = tmp_path / "data-dictionary.yaml"
    file.write_text(yaml.safe_dump(content))
    monkeypatch.setattr(data_dictionary, "FILE", file)


def test_every_table_and_view_of_the_package_is_in_it_with_every_column(settings: Settings) -> None:
    found = relations()
    assert set(found) == set(own_objects(settings))
    tables = {name: tuple(column.name for column in item.columns) for name, item in found.items() if not item.is_view}
    assert tables == own_columns(settings)
    text = document()
    for name, relation in found.items():
        part = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert [column.name for column in relation.columns if f"| `{column.name}` |" not in part] == []


def test_a_column_without_a_description_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(tmp_path, monkeypatch, lambda tables: tables["DELAYED_ENRICHMENT_TASKS"]["columns"].pop("RECHECK_AT"))
    with pytest.raises(UndescribedError, match=r"DELAYED_ENRICHMENT_TASKS\.RECHECK_AT has no description"):
        document()


def test_a_nullable_column_that_does_not_say_when_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(tmp_path, monkeypatch, lambda tables: tables["DELAYED_ENRICHMENT_TASKS"]["columns"]["COVERAGE"].pop("null"))
    with pytest.raises(UndescribedError, match=r"DELAYED_ENRICHMENT_TASKS\.COVERAGE may be NULL; say when"):
        document()


def test_a_description_of_no_column_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(
        tmp_path, monkeypatch, lambda tables: tables["ENRICHMENT_PASS_LOCK"]["columns"].update(GONE={"meaning": "x"})
    )
    with pytest.raises(UndescribedError, match=r"ENRICHMENT_PASS_LOCK\.GONE describes no column"):
        document()
