"""What the repository as a whole promises: generated documents, pinned packages, nothing of a machine."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return [REPOSITORY / line for line in listed.stdout.splitlines() if (REPOSITORY / line).is_file()]


GENERATED = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))["GENERATED"]


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_generated_documents_have_not_drifted(name: str) -> None:
    assert (REPOSITORY / "docs" / name).read_text() == GENERATED[name](), "run `make docs` and commit the difference"


@pytest.mark.parametrize("name", ["reliability.md", "embedded-snowflake.md"])
def test_the_tests_that_a_document_names_exist(name: str) -> None:
    tests = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("*.py"))
    text = (REPOSITORY / "docs" / name).read_text()
    files = {Path(file).name for file in re.findall(r"`([\w/]+\.py)", text)}
    functions = set(re.findall(r"(?:`|::)(test_\w+?)_?(?:\.\.\.)?`", text))
    assert functions
    assert files <= {path.name for path in _tracked()}
    assert [function for function in functions if f"def {function}" not in tests] == []


def test_the_lock_pins_and_hashes_every_package_and_names_no_index() -> None:
    for name in ("requirements-dev.lock", "requirements-oldest.lock", "requirements-uv.txt"):
        text = (REPOSITORY / name).read_text()
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text)
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
        for block in blocks:
            assert re.match(r"[A-Za-z0-9_.\-]+(\[[^\]]*\])?==[^ ]+ ", block), block[:80]
            assert "--hash=sha256:" in block, block[:80]


def test_users_requirements_are_pinned_and_part_of_both_locks() -> None:
    locks = [(REPOSITORY / f"requirements-{name}.lock").read_text() for name in ("dev", "oldest")]
    lines = [line for line in (REPOSITORY / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in filter(None, lines):
        assert re.fullmatch(r"[a-z0-9\-]+==[0-9.]+", line)
        assert [line for lock in locks if f"\n{line} " not in f"\n{lock}"] == []


def test_airflow_settings_name_the_connection_and_the_pool_and_hold_no_secret() -> None:
    objects = yaml.safe_load((REPOSITORY / "airflow_settings.yaml").read_text())["airflow"]
    assert objects["connections"][0]["conn_id"] == "snowflake_default"
    assert "conn_password" not in objects["connections"][0]
    assert objects["pools"][0] == {
        "pool_name": "snowflake_enrichment",
        "pool_slot": 8,
        "pool_description": objects["pools"][0]["pool_description"],
    }


def test_nothing_but_local_and_tests_knows_the_embedded_snowflake() -> None:
    for folder in ("dags", "include", "plugins"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            assert not re.search(r"\b(from|import) (local|tests|fakesnow)\b", path.read_text()), path


def test_no_file_names_a_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(home|root|work|Users)/\w")
    for path in _tracked():
        if path.suffix in {".py", ".md", ".sql", ".toml", ".yaml", ".json", ""}:
            assert not pattern.search(path.read_text(errors="ignore")), path
