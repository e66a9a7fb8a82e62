"""The files that deploy the package: what they copy exists, and they agree with each other and with the settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pathspec import GitIgnoreSpec

from include.enrichment.deployment import TESTED_VERSIONS
from include.enrichment.pool import SLOTS
from include.enrichment.settings import PREFIX, ParseSettings, Settings

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
COMPOSE = DEPLOY / "docker-compose.yaml"
VALUES = DEPLOY / "helm-values.yaml"
IMAGE = DEPLOY / "Dockerfile"


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return content


def deploy_document() -> str:
    return (REPOSITORY / "docs" / "deploy.md").read_text()


def connections() -> dict[str, dict[str, Any]]:
    """The connection to Snowflake as each file shows it."""
    name = "AIRFLOW_CONN_SNOWFLAKE_DEFAULT"
    commented = re.findall(rf"^# {name}=(.+)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
    found = {
        ".env.example": json.loads(commented[0]),
        "compose.env.example": json.loads(dotenv_values(DEPLOY / "compose.env.example")[name] or ""),
    }
    (astro,) = yaml.safe_load((REPOSITORY / "airflow_settings.yaml").read_text())["airflow"]["connections"]
    found["airflow_settings.yaml"] = {
        "conn_type": astro["conn_type"],
        "login": astro["conn_login"],
        "schema": astro["conn_schema"],
        "extra": json.loads(astro["conn_extra"]),
    }
    rows = dict(re.findall(r"^\| (\w+) \| `(.+)` \|$", deploy_document(), re.MULTILINE))
    found["deploy.md"] = {"conn_type": "snowflake", **rows, "extra": json.loads(rows["extra"])}
    return found


def airflow_pin(name: str = "dev") -> str:
    (version,) = re.findall(
        r"^apache-airflow==(\S+)$", (REPOSITORY / f"requirements-{name}.in").read_text(), re.MULTILINE
    )
    return str(version)


def test_the_oldest_and_the_newest_airflow_that_are_tested_are_those_that_are_claimed() -> None:
    oldest, newest = airflow_pin("oldest"), airflow_pin()
    claimed = SpecifierSet(TESTED_VERSIONS["apache-airflow-core"])
    assert f">={Version(oldest).major}.{Version(oldest).minor}" in map(str, claimed)
    assert Version(oldest).micro == 0
    assert newest in claimed
    for document in ("README.md", "requirements.txt", "docs/deploy.md"):
        assert f"{oldest} to {newest}" in (REPOSITORY / document).read_text(), document


def test_the_astro_image_is_of_the_airflow_that_is_tested_and_what_its_build_copies_exists() -> None:
    lines = [line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    minor = ".".join(airflow_pin().split(".")[:2])
    assert TESTED_VERSIONS["apache-airflow-core"].startswith(f">={minor},")
    assert len(lines) == 1
    assert re.fullmatch(rf"FROM \S+/runtime:{re.escape(minor)}-\d+", lines[0])
    ignored = (REPOSITORY / ".dockerignore").read_text().split()
    for needed in ("packages.txt", "requirements.txt", "dags", "plugins", "include"):
        assert (REPOSITORY / needed).exists()
        assert needed not in ignored


def test_neither_git_nor_an_image_gets_a_file_with_secrets() -> None:
    made = {
        ".env",
        "deploy/compose.env",
        "snowflake_key.p8",
        "keys/snowflake_key.p8",
        "snowflake_key.pem",
        "connection.json",
    }
    made |= set(re.findall(r"(?:-out |--from-file=[\w-]+=)(\S+)", deploy_document()))
    for file in (".gitignore", ".dockerignore"):
        ignored = GitIgnoreSpec.from_lines((REPOSITORY / file).read_text().splitlines())
        assert sorted(made - set(ignored.match_files(made))) == [], file


def test_what_the_image_of_compose_and_helm_copies_exists_and_its_airflow_is_the_tested_one() -> None:
    text = IMAGE.read_text()
    assert re.search(rf"^FROM apache/airflow:{re.escape(airflow_pin())}-python3\.\d+$", text, re.MULTILINE)
    copied = re.findall(r"^COPY (?:--\S+ )?(\S+) ", text, re.MULTILINE)
    assert {"requirements.txt", "dags", "plugins", "include"} == set(copied)
    assert [source for source in copied if not (REPOSITORY / source).exists()] == []
    assert yaml.safe_load(VALUES.read_text())["airflowVersion"] == airflow_pin()


def test_compose_builds_that_image_and_each_variable_that_it_asks_for_is_in_the_example() -> None:
    build = compose()["x-airflow"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == IMAGE
    asked = {name for name, default in re.findall(r"\$\{(\w+)(:-)?", COMPOSE.read_text()) if not default}
    given = set(re.findall(r"^(\w+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))
    assert asked == given


def test_compose_makes_the_pool_with_the_slots_that_the_doctor_asks_for() -> None:
    command = compose()["services"]["setup"]["command"]
    assert command[:5] == ["airflow", "pools", "set", ParseSettings.model_fields["pool"].default, str(SLOTS)]


def test_every_service_of_compose_that_is_waited_for_exists_and_has_a_health_check_where_health_is_asked() -> None:
    services = compose()["services"]
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            assert other in services, name
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in services[other], name


@pytest.mark.parametrize("path", [COMPOSE, VALUES, DEPLOY / "compose.env.example"], ids=lambda path: path.name)
def test_the_settings_that_a_file_names_exist(path: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for model in (ParseSettings, Settings) for name in model.model_fields}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text())) <= known


def test_the_connection_of_the_example_names_the_key_that_compose_mounts() -> None:
    (secret,) = compose()["secrets"]
    assert connections()["compose.env.example"]["extra"]["private_key_file"] == f"/run/secrets/{secret}"


@pytest.mark.parametrize("file", connections())
def test_an_example_connection_is_of_the_user_role_and_warehouse_that_the_document_makes(file: str) -> None:
    made = dict(re.findall(r"^CREATE (USER|ROLE|WAREHOUSE) IF NOT EXISTS (\w+)", deploy_document(), re.MULTILINE))
    connection = connections()[file]
    shown = {"USER": connection["login"]}
    shown |= {name: connection["extra"][name.lower()] for name in ("ROLE", "WAREHOUSE")}
    assert connection["conn_type"] == "snowflake"
    assert shown == made


@pytest.mark.parametrize("file", [".env.example", "compose.env.example"])
def test_an_example_connection_has_a_passphrase_because_the_document_makes_an_encrypted_key(file: str) -> None:
    assert "-v2 aes-256-cbc" in deploy_document()
    assert connections()[file]["password"]


def test_helm_makes_no_user_of_its_own_and_the_document_makes_one() -> None:
    assert yaml.safe_load(VALUES.read_text())["createUserJob"] == {"enabled": False}
    assert "users create" in deploy_document()


def test_what_compose_passes_on_when_it_is_set_is_named_in_the_example_or_the_runbook() -> None:
    passed_on = {name for name, value in compose()["x-airflow"]["environment"].items() if value is None}
    text = (DEPLOY / "compose.env.example").read_text() + (REPOSITORY / "docs" / "operate.md").read_text()
    assert "FLAKEBENCH_ENRICHMENT_NOTIFIERS" in passed_on
    assert [name for name in passed_on if name.removeprefix("AIRFLOW_CONN_").lower() not in text.lower()] == []


def test_the_secrets_that_the_values_name_are_made_in_the_document() -> None:
    text = deploy_document()
    values = yaml.safe_load(VALUES.read_text())
    named = {values["data"]["metadataSecretName"], *(item["secretName"] for item in values["secret"])}
    named |= {values[key] for key in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")}
    named |= {volume["secret"]["secretName"] for volume in values["volumes"]}
    assert named == set(re.findall(r"^secret ([\w-]+) ", text, re.MULTILINE))
