"""What the doctor tells people to run: which GRANT or ALTER, as whom, with names as Snowflake reads them."""

from __future__ import annotations

import json
import re

import pytest

from include.enrichment import deployment
from include.enrichment.errors import as_entered, grant_statement, is_privilege_error, object_grants, quoted, view_grant
from include.enrichment.probes import Identity, Probe
from include.enrichment.settings import Settings

WHO = Identity("ENRICHER", "ENRICHMENT_ROLE", "WH", "FLAKEBENCH", "TEST_RESULTS")


@pytest.fixture
def probe(settings: Settings) -> Probe:
    return Probe("snowflake_default", settings, "check", "subject")


@pytest.fixture
def named_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to Snowflake that nobody logs in to."""
    content = {"conn_type": "snowflake", "login": "loader", "password": "secret", "extra": {"role": "svc-flake bench"}}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(content))


class FakeError(Exception):
    def __init__(self, errno: int, sqlstate: str = "02000") -> None:
        super().__init__("Object does not exist or not authorized.")
        self.errno, self.sqlstate = errno, sqlstate


# Logins


@pytest.mark.parametrize("number", [390186, 390189])
def test_a_role_that_the_user_does_not_have_is_granted_to_it(probe: Probe, named_connection: None, number: int) -> None:
    finding = probe.unanswered(FakeError(number, "08004"))
    assert finding.is_failure
    assert finding.next_action.startswith(
        'As the role\'s owner or as SECURITYADMIN run: GRANT ROLE "svc-flake bench" TO USER LOADER;'
    )


def test_the_role_of_the_settings_comes_before_that_of_the_connection(
    settings: Settings, named_connection: None
) -> None:
    probe = Probe("snowflake_default", settings.model_copy(update={"role": "R"}), "connection", "snowflake_default")
    assert "GRANT ROLE R TO USER LOADER;" in probe.unanswered(FakeError(390189)).next_action


@pytest.mark.parametrize(
    ("number", "action"),
    [
        (390100, "Correct the credentials in the Airflow connection."),
        (390144, "Correct the key pair in the Airflow connection."),
        (390201, "Correct the Airflow connection."),
        (390303, "Give the Airflow connection a new token."),
        (394304, "Correct the key pair in the Airflow connection."),
        (390309, "Correct the Airflow connection, or in Snowflake"),
        (390114, "Run the doctor again"),
        (250001, "Run the doctor again"),
    ],
)
def test_a_refused_login_says_what_to_correct(probe: Probe, named_connection: None, number: int, action: str) -> None:
    assert probe.unanswered(FakeError(number, "08001")).next_action.startswith(action)


def test_without_a_current_database_the_check_of_the_connection_knows_more(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "_identity_of_another_session", lambda self: WHO)
    assert "check connection" in probe.unanswered(FakeError(90105, "22000")).next_action


# Names


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("LOADER", "LOADER"),
        ("_LOADER$1", "_LOADER$1"),
        ("loader", '"loader"'),
        ("svc-flake bench", '"svc-flake bench"'),
        ("1ST", '"1ST"'),
        ('SAY "HI"', '"SAY ""HI"""'),
        ('"is quoted"', '"is quoted"'),
    ],
)
def test_a_name_is_quoted_where_a_statement_needs_it(name: str, written: str) -> None:
    assert quoted(name) == written


@pytest.mark.parametrize(
    ("name", "written"), [("loader", "LOADER"), ("svc-bench", '"svc-bench"'), ('"loader"', '"loader"')]
)
def test_a_plain_name_of_a_connection_may_be_in_any_case(name: str, written: str) -> None:
    assert as_entered(name) == written


def test_every_statement_quotes_role_user_and_warehouse(probe: Probe) -> None:
    who = Identity("svc user", "svc-flake bench", "wh-1", "FLAKEBENCH", "TEST_RESULTS")
    assert str(who) == "role svc-flake bench, user svc user"
    row = {"name": "wh-1", "state": "SUSPENDED", "auto_suspend": 0, "auto_resume": "true"}
    findings = [
        deployment.judge_no_warehouse(probe, quoted("wh-1"), who),
        deployment.judge_warehouse(probe, row, who),
        deployment.judge_warehouse(probe, {**row, "auto_resume": "false"}, who),
        deployment.judge_time_zone(probe, "Asia/Tokyo", who),
        deployment.judge_statement_timeout(probe, 120, 60, who),
    ]
    statements = [re.findall(r"(?:GRANT|ALTER) .+?;", finding.next_action)[0] for finding in findings]
    assert statements == [
        'GRANT USAGE ON WAREHOUSE "wh-1" TO ROLE "svc-flake bench";',
        'ALTER WAREHOUSE "wh-1" SET AUTO_SUSPEND = 60;',
        'ALTER WAREHOUSE "wh-1" SET AUTO_RESUME = TRUE;',
        "ALTER USER \"svc user\" SET TIMEZONE = 'UTC';",
        'ALTER WAREHOUSE "wh-1" SET STATEMENT_TIMEOUT_IN_SECONDS = 120;',
    ]


# Grants


@pytest.mark.parametrize(
    ("view", "grant"),
    [
        ("QUERY_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE R"),
        ("AGGREGATE_QUERY_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE R"),
        ("QUERY_INSIGHTS", "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE R"),
        ("HYBRID_TABLE_USAGE_HISTORY", "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE R"),
        ("LOCK_WAIT_HISTORY", "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE R"),
        ("QUERY_ACCELERATION_HISTORY", "GRANT IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE TO ROLE R"),
    ],
)
def test_each_view_has_the_documented_grant(view: str, grant: str) -> None:
    assert grant_statement(view, "R", "SNOWFLAKE") == grant


def test_who_opens_a_view_depends_on_its_database() -> None:
    assert view_grant("QUERY_HISTORY", "R", "SNOWFLAKE") == (
        "As ACCOUNTADMIN run: GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE R;"
    )
    assert view_grant("QUERY_HISTORY", "R", "USAGE_COPY") == (
        "As the owner of the database USAGE_COPY run: GRANT USAGE ON DATABASE USAGE_COPY TO ROLE R; "
        "GRANT USAGE ON SCHEMA USAGE_COPY.ACCOUNT_USAGE TO ROLE R; "
        "GRANT SELECT ON VIEW USAGE_COPY.ACCOUNT_USAGE.QUERY_HISTORY TO ROLE R;"
    )


@pytest.mark.parametrize(
    ("text", "granted_too"),
    [
        ("Object 'D.S.T' does not exist or not authorized.", ""),
        ("Schema 'D.S' does not exist or not authorized.", "GRANT USAGE ON SCHEMA D.S TO ROLE R; "),
        (
            "Database 'D' does not exist or not authorized.",
            "GRANT USAGE ON DATABASE D TO ROLE R; GRANT USAGE ON SCHEMA D.S TO ROLE R; ",
        ),
    ],
)
def test_usage_is_granted_where_snowflake_hides_more_than_the_object(text: str, granted_too: str) -> None:
    assert object_grants("SELECT", "TABLE", "D.S.T", "R", text) == f"{granted_too}GRANT SELECT ON TABLE D.S.T TO ROLE R"


def test_a_missing_privilege_is_told_by_number_or_sqlstate() -> None:
    assert is_privilege_error(FakeError(2003))
    assert is_privilege_error(FakeError(3001, "42501"))
    assert is_privilege_error(FakeError(1, "42501"))
    assert not is_privilege_error(FakeError(630, "57014"))
    assert not is_privilege_error(ValueError())
