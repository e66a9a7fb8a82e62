"""``make doctor``, ``make migrate`` and ``make rollback`` against the embedded server, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from include.enrichment.doctor import checks
from include.enrichment.settings import PREFIX, Settings
from tests.sql.account import OWN_SCHEMA, Account

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def connection_file(account: Account, tmp_path: Path) -> Path:
    """What the running server wrote, for a shell without a connection in its environment."""
    file = tmp_path / "connection.json"
    file.write_text(json.dumps(asdict(account.local)))
    return file


def run(module: str, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run a module in a shell of its own.

    :param changes: environment variables; None: not set. Without a connection, whatever the machine has.
    """
    own = (PREFIX, f"AIRFLOW_VAR_{PREFIX}", "AIRFLOW_CONN_")
    known = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    environment = {name: value for name, value in (known | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def shell(file: Path, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    return run("local.shell", "--connection-file", str(file), *arguments, **changes)


def test_the_doctor_prints_a_line_per_check_and_exits_with_0_when_all_is_right(
    connection_file: Path, settings: Settings
) -> None:
    ended = shell(connection_file, "doctor")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert any(line.split()[:3] == ["OK", "view", "LOCK_WAIT_HISTORY"] for line in lines)
    count = len(checks("snowflake_default", settings))
    assert lines[-1].startswith(f"{count} OK, 0 WARNING, 0 FAILED.")
    assert not [line for line in lines if line.startswith(("WARNING", "FAILED"))]


def test_the_doctor_exits_with_1_and_says_the_next_action(account: Account, connection_file: Path) -> None:
    refused = {"match": r"FROM SNOWFLAKE\.ACCOUNT_USAGE\.QUERY_INSIGHTS\b", "errno": 2003, "sqlstate": "02000"}
    account.put_faults([refused])
    ended = shell(connection_file, "doctor")
    assert ended.returncode == 1
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    assert [line.split()[:3] for line in failed] == [["FAILED", "view", "QUERY_INSIGHTS"]]
    grant = "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE FLAKEBENCH_ROLE;"
    assert f"-> As ACCOUNTADMIN run: {grant}" in ended.stdout
    (row,) = account.table("ENRICHMENT_OPERATIONS")
    assert (row["OPERATION"], row["STATUS"]) == ("DOCTOR", "FAILED")
    assert row["PERFORMED_BY"].startswith("shell/")


def test_without_a_login_the_doctor_says_what_it_did_not_check(account: Account) -> None:
    ended = run("include.enrichment.doctor", **replace(account.local, password="wrong").environment())
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("FAILED")] == [["FAILED", "connection"]]
    assert any(line.startswith("Not checked, because the connection failed: session TIMEZONE,") for line in lines)
    assert lines[-1].startswith("1 OK, 0 WARNING, 1 FAILED.")


def test_a_deployment_without_make_asks_the_connection_of_its_environment(account: Account) -> None:
    ended = run("include.enrichment.doctor", **account.local.environment())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 FAILED" in ended.stdout


def test_the_first_line_says_what_is_checked_and_a_variable_of_the_environment_counts(account: Account) -> None:
    """As Airflow reads them, for the doctor and for a migration."""
    changes = {f"{PREFIX}OWN_SCHEMA": "OF_ENVIRONMENT", f"AIRFLOW_VAR_{PREFIX}OWN_SCHEMA": "OF_VARIABLE"}
    ended = run("include.enrichment.doctor", **account.local.environment(), **changes)
    first = ended.stdout.splitlines()[0]
    assert "schema FLAKEBENCH.OF_VARIABLE (FlakeBench's: FLAKEBENCH.TEST_RESULTS)" in first
    assert "connection snowflake_default" in first
    assert "Variables in Airflow's database or a secrets backend are seen by the DAG enrichment_setup only" in first
    assert ended.returncode == 1
    assert "OF_ENVIRONMENT" not in ended.stdout
    planned = run("local.shell", "migrate", "--dry-run", **account.local.environment(), **changes)
    assert "FLAKEBENCH.OF_VARIABLE" in planned.stdout + planned.stderr
    assert "OF_ENVIRONMENT" not in planned.stdout + planned.stderr


def test_the_connection_of_the_environment_comes_first(account: Account, tmp_path: Path) -> None:
    ended = shell(tmp_path / "nothing.json", "migrate", "--dry-run", **account.local.environment())
    assert ended.returncode == 0, ended.stderr
    assert "Would migrate: nothing" in ended.stdout


def test_the_embedded_snowflake_is_found_whatever_the_connection_is_called(connection_file: Path) -> None:
    ended = shell(connection_file, "migrate", "--dry-run", **{f"{PREFIX}CONN_ID": "another_one"})
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("content", [None, "{", json.dumps({"password": "x", "ca_file": "/dev/null", "port": 1})])
def test_without_a_snowflake_the_message_says_what_to_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "connection.json"
    if content is not None:
        file.write_text(content)
    ended = shell(file, "doctor")
    assert ended.returncode == 1
    assert "make run or make snowflake" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("migrated")
def test_a_rollback_says_what_it_drops_and_migrate_brings_it_back(connection_file: Path) -> None:
    planned = shell(connection_file, "rollback", "--to", "3", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert f"0004_views would drop VIEW {OWN_SCHEMA}.V_RUN_ENRICHMENT" in planned.stdout
    assert planned.stdout.splitlines()[-1].startswith("Would roll back:")
    done = shell(connection_file, "rollback", "--to", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Rolled back:")
    again = shell(connection_file, "migrate")
    assert again.returncode == 0, again.stderr
    assert "Migrated: 0004_views" in again.stdout


def test_a_rollback_to_nowhere_is_refused_in_words(connection_file: Path) -> None:
    ended = shell(connection_file, "rollback", "--to", "9999")
    assert ended.returncode == 1
    assert "There is no migration 9999" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_setting_that_cannot_be_used_is_named(connection_file: Path) -> None:
    for command in ("doctor", "migrate"):
        ended = shell(connection_file, command, **{f"{PREFIX}RESULTS_SCHEMA": "no schema"})
        assert ended.returncode == 1
        assert f"{PREFIX}RESULTS_SCHEMA" in ended.stderr
        assert "Traceback" not in ended.stderr
