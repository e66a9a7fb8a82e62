"""Checks of the doctor: the Airflow connection, the session and warehouse behind it, clocks, installed versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from include.enrichment.errors import as_entered, quoted
from include.enrichment.probes import Identity, Probe, ProbeSession, statements
from include.enrichment.settings import PREFIX, ParseSettings

if TYPE_CHECKING:
    from include.enrichment.findings import Finding

TESTED_VERSIONS = {
    "apache-airflow-core": ">=3.3,<3.4",
    "apache-airflow-providers-snowflake": ">=6.20,<7",
    "apache-airflow-providers-common-sql": ">=2.4,<3",
    "snowflake-connector-python": ">=4.8.1,<5",
}
"""Distribution to the versions that the package is tested with; a test holds them against the pins."""

MAX_AUTO_SUSPEND_SECONDS = 60
CLOCK_WARNING_SECONDS = 60
CLOCK_FAILURE_SECONDS = 300
"""A window ends 5 minutes after the run; a larger difference loses its last statements."""

_UTC = frozenset({"UTC", "ETC/UTC"})
_WAREHOUSE_OWNER = "As its owner or as ACCOUNTADMIN run"


def check_connection(probe: Probe) -> Finding:
    """The Airflow connection exists, is one to Snowflake, logs in, and its role sees database and schema."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    settings, hook = probe.settings, probe.hook()
    try:
        connection = hook.get_connection(probe.conn_id)
    except AirflowNotFoundException:
        return probe.failed(
            f"there is no Airflow connection {probe.conn_id}.",
            f"Add it (Admin > Connections, or the environment variable AIRFLOW_CONN_{probe.conn_id.upper()}), type "
            f"snowflake; or name another one with {PREFIX}CONN_ID.",
        )
    if connection.conn_type != "snowflake":
        return probe.failed(
            f"the Airflow connection {probe.conn_id} has the type {connection.conn_type}.", "Make its type snowflake."
        )
    with probe.session() as session:
        who = session.identity()
    if who.role is None:
        return probe.failed(f"the session has no role. Current {who}.", "Set the role in the Airflow connection.")
    if who.database != settings.results_database:
        return probe.failed(
            f"database {settings.results_database} does not exist, or the role may not use it. Current {who}.",
            f"If FlakeBench is somewhere else, set {PREFIX}RESULTS_DATABASE. As the database's owner or as "
            f"ACCOUNTADMIN run: GRANT USAGE ON DATABASE {settings.results_database} TO ROLE {who.grantee};",
        )
    if who.schema != settings.enrichment_schema:
        return probe.failed(
            f"schema {settings.enrichment} does not exist, or the role may not use it. Current {who}.",
            f"As the database's owner or as ACCOUNTADMIN run: CREATE SCHEMA IF NOT EXISTS {settings.enrichment}; "
            f"GRANT USAGE ON SCHEMA {settings.enrichment} TO ROLE {who.grantee};",
        )
    return probe.ok(f"{who}, schema {settings.enrichment}")


def check_session(probe: Probe) -> Finding:
    """A parameter of the session is in force as the package sets it; the session is that of an enrichment."""
    with probe.session(is_bounded=False) as session:
        value = str(session.probe("doctor/session.sql", probe.subject)[0]["value"])
        who = session.identity()
        if probe.subject == "TIMEZONE":
            return judge_time_zone(probe, value, who)
        return judge_statement_timeout(probe, int(value), _warehouse_timeout(session), who)


def _warehouse_timeout(session: ProbeSession) -> int | None:
    from snowflake.connector.errors import Error as SnowflakeError

    try:
        rows = session.probe("doctor/session.sql", "STATEMENT_TIMEOUT_IN_SECONDS of the warehouse")
    except SnowflakeError:
        return None  # no warehouse, or none whose parameters the role may see: the check warehouse says so
    return int(rows[0]["value"]) if rows else None


def judge_time_zone(probe: Probe, zone: str, who: Identity) -> Finding:
    """TIMESTAMP_LTZ columns of the views are shown in the session's zone, so it has to be UTC."""
    if zone.upper() in _UTC:
        return probe.ok(f"sessions are in {zone}")
    return probe.failed(
        f"sessions are in {zone} although UTC is set at login. Current {who}.",
        "Remove what sets it after the login. As ACCOUNTADMIN or as the user run: "
        f"ALTER USER {quoted(str(who.user))} SET TIMEZONE = 'UTC';",
    )


def judge_statement_timeout(probe: Probe, session: int, warehouse: int | None, who: Identity) -> Finding:
    """The lower of the session's and the warehouse's timeout is in force.

    :param session: seconds; 0: none
    :param warehouse: seconds; 0: none; None: cannot be seen
    """
    wanted = probe.settings.statement_timeout_seconds
    if session != wanted:
        return probe.failed(
            f"STATEMENT_TIMEOUT_IN_SECONDS of the session is {session}, not {wanted}. Current {who}.",
            f"Remove what sets it after the login, or set {PREFIX}STATEMENT_TIMEOUT_SECONDS={session}.",
        )
    if warehouse and warehouse < wanted:
        return probe.warning(
            f"the warehouse {who.warehouse} stops a statement after {warehouse} s, before the {wanted} s of "
            f"{PREFIX}STATEMENT_TIMEOUT_SECONDS. Current {who}.",
            f"{_WAREHOUSE_OWNER}: ALTER WAREHOUSE {quoted(str(who.warehouse))} SET STATEMENT_TIMEOUT_IN_SECONDS = "
            f"{wanted}; or use another warehouse.",
        )
    task_timeout = ParseSettings().task_timeout_minutes * 60
    if wanted >= task_timeout:
        return probe.warning(
            f"a statement is stopped after {wanted} s, its task after {task_timeout} s. Current {who}.",
            f"Set {PREFIX}STATEMENT_TIMEOUT_SECONDS below {PREFIX}TASK_TIMEOUT_MINUTES.",
        )
    return probe.ok(f"a statement is stopped after {wanted} s")


def check_warehouse(probe: Probe) -> Finding:
    """The session has a warehouse that the role may use, which wakes up and goes to sleep by itself."""
    path = "doctor/warehouse.sql"
    with probe.session() as session:
        who = session.identity()
        entered = probe.settings.warehouse or probe.hook().get_connection(probe.conn_id).extra_dejson.get("warehouse")
        if who.warehouse is None:
            return judge_no_warehouse(probe, as_entered(entered) if entered else None, who)
        statement = statements(path, probe.settings)["warehouse"]
        rows = [row for row in session.rows(statement, {"warehouse": who.warehouse}) if row["name"] == who.warehouse]
    if not rows:
        return judge_no_warehouse(probe, quoted(who.warehouse), who)
    return judge_warehouse(probe, rows[0], who)


def judge_no_warehouse(probe: Probe, wanted: str | None, who: Identity) -> Finding:
    """A session without a warehouse.

    :param wanted: what the setting or the connection names, as a statement has to write it
    """
    if not wanted:
        return probe.failed(
            f"neither the Airflow connection nor {PREFIX}WAREHOUSE names a warehouse. Current {who}.",
            "Set the warehouse in the Airflow connection.",
        )
    return probe.failed(
        f"warehouse {wanted} does not exist, or the role may not use it. Current {who}.",
        f"{_WAREHOUSE_OWNER}: GRANT USAGE ON WAREHOUSE {wanted} TO ROLE {who.grantee};",
    )


def judge_warehouse(probe: Probe, row: Mapping[str, Any], who: Identity) -> Finding:
    """A row of SHOW WAREHOUSES.

    :param row: of which ``name``, ``state``, ``auto_suspend`` (seconds; NULL or 0: never) and ``auto_resume`` are read
    """
    name, state, suspends = quoted(row["name"]), row["state"], _number(row["auto_suspend"])
    if str(row["auto_resume"]).lower() == "false":
        judged = probe.warning if state == "STARTED" else probe.failed
        return judged(
            f"{name} is {state} and does not resume by itself. Current {who}.",
            f"{_WAREHOUSE_OWNER}: ALTER WAREHOUSE {name} SET AUTO_RESUME = TRUE;",
        )
    if not 0 < suspends <= MAX_AUTO_SUSPEND_SECONDS:
        bills = f"only after {suspends} s" if suspends else "never"
        return probe.warning(
            f"{name} suspends itself {bills}; a pass needs it for seconds, the rest is billed. Current {who}.",
            f"{_WAREHOUSE_OWNER}: ALTER WAREHOUSE {name} SET AUTO_SUSPEND = {MAX_AUTO_SUSPEND_SECONDS};",
        )
    return probe.ok(f"{name} is {state} and suspends itself after {suspends} s")


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isdigit() else 0


def check_clock(probe: Probe) -> Finding:
    """Airflow's and Snowflake's clocks agree."""
    with probe.session() as session:
        statement = statements("doctor/session.sql", probe.settings)["clock"]
        session.rows(statement)  # the first statement of a session takes longer than the clock may
        before = datetime.now(UTC).replace(tzinfo=None)
        snowflake = session.rows(statement)[0]["NOW_AT"].replace(tzinfo=None)
        after = datetime.now(UTC).replace(tzinfo=None)
        who = session.identity()
    return judge_clock(probe, before, snowflake, after, who)


def judge_clock(probe: Probe, before: datetime, snowflake: datetime, after: datetime, who: Identity) -> Finding:
    """Compare the two clocks; all times are naive UTC.

    :param before: Airflow's time when the question was sent
    :param after: Airflow's time when the answer came; Snowflake answered half-way in between
    """
    ahead = (snowflake - (before + (after - before) / 2)).total_seconds()
    if abs(ahead) <= CLOCK_WARNING_SECONDS:
        return probe.ok(f"the clocks differ by {abs(ahead):.1f} s")
    side = "behind" if ahead > 0 else "ahead of"
    message = f"this machine's clock is {abs(ahead):.0f} s {side} Snowflake's. Current {who}."
    next_action = "Synchronize the clock of the Airflow workers (NTP)."
    if abs(ahead) > CLOCK_FAILURE_SECONDS:
        return probe.failed(message, next_action)
    return probe.warning(message, next_action)


def check_versions(probe: Probe) -> Finding:
    """The installed packages are those that the package is tested with."""
    return judge_versions(probe, {name: _installed(name) for name in TESTED_VERSIONS})


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def judge_versions(probe: Probe, installed: Mapping[str, str | None]) -> Finding:
    """Compare with :data:`TESTED_VERSIONS`.

    :param installed: distribution to version; None: not installed
    """
    from packaging.specifiers import SpecifierSet

    listed = ", ".join(f"{name} {found or 'is not installed'}" for name, found in installed.items())
    untested = [
        f"{name}{tested}"
        for name, tested in TESTED_VERSIONS.items()
        if (found := installed[name]) is None or not SpecifierSet(tested, prereleases=True).contains(found)
    ]
    if untested:
        return probe.warning(f"{listed}.", f"Tested with {', '.join(untested)}: install those if something is odd.")
    return probe.ok(listed)
