"""The files that a document names exist: a reader follows it file by file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("dags", "deploy", "docs", "include", "local", "plugins", "tests")
DOCUMENTS = ("add-a-type.md", "architecture.md", "deploy.md", "embedded-snowflake.md", "operate.md")
_NAME = re.compile(r"`([\w./-]+\.(?:py|sql|yaml|json|html|md))`")
NOT_OURS = {"values.schema.json", "connection.json"}
"""The chart's, and what a reader makes or the server writes."""


@pytest.fixture(scope="module")
def files() -> list[str]:
    found = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.*")]
    return [f"/{path.relative_to(REPOSITORY)}" for path in [*found, *REPOSITORY.glob("*.*")]]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_that_a_document_names_exist(document: str, files: list[str]) -> None:
    named = set(_NAME.findall((REPOSITORY / "docs" / document).read_text())) - NOT_OURS
    assert named
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []
