"""Checks of the doctor: what the role may read and write, and whether it looks as the package expects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from include.enrichment.catalogue import CATALOGUE, Readiness
from include.enrichment.errors import is_privilege_error, object_grants, view_grant
from include.enrichment.migrations import APPLIED, added_columns, created_columns, migrations
from include.enrichment.probes import Identity, Probe, ProbeSession, describe, is_locked, statements
from include.enrichment.settings import PREFIX
from include.enrichment.templates import SQL_FOLDER, render

if TYPE_CHECKING:
    from include.enrichment.findings import Finding
    from include.enrichment.settings import Settings

FLAKEBENCH_COLUMNS: dict[str, tuple[str, ...]] = {
    "TEST_RESULTS": (
        "TEST_ID",
        "RUN_ID",
        "TEST_NAME",
        "SCENARIO_NAME",
        "TABLE_NAME",
        "TABLE_TYPE",
        "WAREHOUSE",
        "WAREHOUSE_SIZE",
        "STATUS",
        "ENRICHMENT_STATUS",
        "ENRICHMENT_ERROR",
        "START_TIME",
        "END_TIME",
        "QUERY_TAG",
        "CONCURRENT_CONNECTIONS",
        "TOTAL_OPERATIONS",
        "FAILED_OPERATIONS",
        "QPS",
        "TEST_CONFIG",
        "CREATED_AT",
    ),
    "QUERY_EXECUTIONS": (
        "TEST_ID",
        "QUERY_ID",
        "SUCCESS",
        "WARMUP",
        "DURATION_MS",
        "APP_ELAPSED_MS",
        "SF_PARTITIONS_SCANNED",
        "SF_PARTITIONS_TOTAL",
        "SF_BYTES_SPILLED_LOCAL",
        "SF_BYTES_SPILLED_REMOTE",
        "SF_PCT_SCANNED_FROM_CACHE",
    ),
    "RUN_STATUS": ("RUN_ID", "PHASE"),
}
"""FlakeBench's own columns that the templates use; a test compares them with the templates."""

_INVALID_IDENTIFIER = 904
_NOBODY = "enrichment_doctor"
_MIRROR_COLUMN = re.compile(r"ALTER TABLE \{\{ results \}\}\.(\w+) ADD COLUMN IF NOT EXISTS (\w+)")


def source_views(settings: Settings) -> list[str]:
    """The views of ACCOUNT_USAGE that the types which are switched on read."""
    enabled = [entry for entry in CATALOGUE if entry.name not in settings.off_types]
    joined = ["QUERY_HISTORY" for entry in enabled if entry.readiness is Readiness.QUERY_HISTORY_PASSED]
    return list(dict.fromkeys([*joined, *(entry.source_view for entry in enabled)]))


def own_objects(settings: Settings) -> dict[str, str]:
    """Name to kind (``TABLE`` or ``VIEW``) of everything that the migrations create."""
    found = {}
    for kind in ("TABLE", "VIEW"):
        for name in statements(f"doctor/own_{kind.lower()}s.sql", settings):
            found[name.partition(" ")[0]] = kind
    return found


@cache
def mirror_columns() -> frozenset[str]:
    """``TABLE.COLUMN`` of the columns that the migrations add to FlakeBench's tables."""
    return frozenset(
        ".".join(match)
        for step in migrations()
        for match in _MIRROR_COLUMN.findall((SQL_FOLDER / step.path).read_text())
    )


def own_columns(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Table of the package to the columns that the migrations give it; a test compares them with a parser's."""
    text = "\n".join(render(path, settings) for path in ("schema/record.sql", *(step.path for step in migrations())))
    found = {name.rpartition(".")[2]: columns for name, columns in created_columns(text).items()}
    for table, column in added_columns(text):
        if (name := table.rpartition(".")[2]) in found:
            found[name] = (*found[name], column)
    return found


def check_view(probe: Probe) -> Finding:
    """A view of ACCOUNT_USAGE can be read, with every column that the package uses."""
    from snowflake.connector.errors import Error as SnowflakeError

    name = f"{probe.settings.account_usage}.{probe.subject}"
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    window = {"window_start": str(now - timedelta(hours=2)), "window_end": str(now - timedelta(hours=1))}
    with probe.session() as session:
        try:
            session.probe("doctor/views.sql", probe.subject, window)
        except SnowflakeError as error:
            if is_privilege_error(error):
                who = session.identity()
                grant = view_grant(probe.subject, who.grantee, probe.settings.account_usage_database)
                next_action = f"{grant}{_without_the_view(probe.subject)}"
                return probe.refused(f"cannot read {name}", error, who, next_action)
            if error.errno == _INVALID_IDENTIFIER:
                next_action = "Snowflake changed the view: look for a newer version of the package, or report it."
                return probe.refused(f"{name} lacks a column that is used", error, session.identity(), next_action)
            raise
    return probe.ok(f"{name} can be read")


def _without_the_view(view: str) -> str:
    entries = [entry for entry in CATALOGUE if entry.source_view == view]
    if view == "QUERY_HISTORY" or not entries:
        return ""  # others are joined through it
    names = ",".join(entry.name for entry in entries)
    if all(entry.is_optional for entry in entries):
        return f" Or do without: take {names} out of {PREFIX}OPTIONAL_TYPES."
    return f" Or do without: {PREFIX}DISABLED_TYPES={names}."


def check_flakebench_table(probe: Probe) -> Finding:
    """A table of FlakeBench's can be read, updated where the package does, and has the columns that it uses."""
    name, settings = f"{probe.settings.results}.{probe.subject}", probe.settings
    with probe.session() as session:
        refused = _refused_privileges(session, "doctor/flakebench_tables.sql", probe.subject)
        if not _is_updated(probe.subject, settings):
            refused.pop("UPDATE", None)
        if refused:
            who = session.identity()
            grants = _grants(refused, "TABLE", name, who)
            next_action = (
                f"{_as_owner(grants)} If FlakeBench is somewhere else, set {PREFIX}RESULTS_DATABASE and "
                f"{PREFIX}RESULTS_SCHEMA."
            )
            return probe.failed(_refusal(refused, name, who), next_action)
        found = _columns(session, settings, settings.results_schema, probe.subject)
        who = session.identity()
    missing = [column for column in FLAKEBENCH_COLUMNS[probe.subject] if column not in found]
    if missing:
        return probe.failed(
            f"{name} lacks {', '.join(missing)}, which the package uses. Current {who}.",
            "Bring FlakeBench's tables up to date with its own setup, or use the version of the package that belongs "
            "to this FlakeBench.",
        )
    return probe.ok(f"{name} has the {len(FLAKEBENCH_COLUMNS[probe.subject])} columns that are used")


def _is_updated(table: str, settings: Settings) -> bool:
    """Whether a pass changes a table of FlakeBench's: the mirror, or the SF_* columns that QUERY_HISTORY fills."""
    return settings.mirror if table == "TEST_RESULTS" else "QUERY_HISTORY" not in settings.disabled_types


def check_own_object(probe: Probe) -> Finding:
    """A table or view of the package exists, a table with its columns; the role may do with it what a pass does."""
    settings, kind = probe.settings, own_objects(probe.settings)[probe.subject]
    path, name = f"doctor/own_{kind.lower()}s.sql", f"{settings.enrichment}.{probe.subject}"
    with probe.session() as session:
        if missing := _missing_columns(session, probe.subject):  # first: the probes name some of them
            return _drifted(probe, name, missing, session.identity())
        refused = _refused_privileges(session, path, probe.subject)
        if not refused:
            allowed = ", ".join(privilege for privilege, _ in _statements_of(path, probe.subject, settings))
            return probe.ok(f"{name} is there, with {allowed}")
        who = session.identity()
    next_action = (
        "If the check migrations is not OK, run the DAG enrichment_setup (make migrate), which creates it. Otherwise "
        f"the role lacks the privilege. {_as_owner(_grants(refused, kind, name, who))}"
    )
    return probe.failed(_refusal(refused, name, who), next_action)


def _missing_columns(session: ProbeSession, table: str) -> list[str]:
    """Columns that a table of the package should have; none of a view, or of a table that the role does not see."""
    settings = session.settings
    wanted = own_columns(settings).get(table, ())
    found = _columns(session, settings, settings.enrichment_schema, table) if wanted else set()
    return [column for column in wanted if column not in found] if found else []


def _drifted(probe: Probe, name: str, missing: list[str], who: Identity) -> Finding:
    """A table that was there before the migrations, which then leave it alone, or was changed after them."""
    return probe.failed(
        f"{name} lacks {', '.join(missing)}, which the migrations create. Current {who}.",
        "If the check migrations is not OK, run the DAG enrichment_setup (make migrate). Otherwise the table was made "
        f"or changed elsewhere. As its owner run ALTER TABLE {name} RENAME COLUMN ... TO ...; where a column has "
        "another name, ALTER TABLE ... ADD COLUMN ...; where it is gone, with the type in include/sql/schema.",
    )


def check_temporary_table(probe: Probe) -> Finding:
    """The role may create the temporary table into which a view is read."""
    from snowflake.connector.errors import Error as SnowflakeError

    with probe.session() as session:
        try:
            session.probe("doctor/temporary_table.sql", "temporary table")
        except SnowflakeError as error:
            if not is_privilege_error(error):
                raise
            who, schema = session.identity(), probe.settings.enrichment
            grants = object_grants("USAGE", "SCHEMA", schema, who.grantee)
            database = f"GRANT USAGE ON DATABASE {probe.settings.results_database} TO ROLE {who.grantee}"
            what = f"cannot create a temporary table in {schema}"
            return probe.refused(what, error, who, _as_owner(f"{database}; {grants}"))
    return probe.ok(f"temporary tables can be created in {probe.settings.enrichment}")


def check_migrations(probe: Probe) -> Finding:
    """Every migration is in force, and its file is the one that was applied."""
    settings = probe.settings
    action = "Run the DAG enrichment_setup, or make migrate."
    with probe.session() as session:
        who = session.identity()
        if not _columns(session, settings, settings.enrichment_schema, "ENRICHMENT_MIGRATIONS"):
            return probe.failed(
                f"no migration was applied in {settings.enrichment}, or the role cannot see its table "
                f"ENRICHMENT_MIGRATIONS. Current {who}.",
                action,
            )
        recorded = {int(row["VERSION"]): row for row in session.rows(render("schema/newest_records.sql", settings))}
    in_force = {number: row["CHECKSUM"] for number, row in recorded.items() if row["STATE"] == APPLIED}
    pending = [step.label for step in migrations() if step.number not in in_force]
    if pending:
        return probe.failed(f"not in force in {settings.enrichment}: {', '.join(pending)}. Current {who}.", action)
    if unknown := sorted(set(in_force) - {step.number for step in migrations()}):
        return probe.warning(
            f"in force, but unknown to this version of the package: {', '.join(map(str, unknown))}.",
            "A newer version was set up here before; deploy it again, or roll back with that version.",
        )
    changed = [step.label for step in migrations() if in_force[step.number] != step.checksum()]
    if changed:
        return probe.warning(
            f"changed after they were applied: {', '.join(changed)}. The tables are as the files said then.",
            "Compare the files with the version that was applied; put a change into a migration of its own.",
        )
    return probe.ok(f"{len(in_force)} migrations are in force in {settings.enrichment}")


def check_mirror(probe: Probe) -> Finding:
    """FlakeBench's tables have the columns that repeat the summary."""
    settings = probe.settings
    with probe.session() as session:
        found = {
            f"{table}.{column}"
            for table in FLAKEBENCH_COLUMNS
            for column in _columns(session, settings, settings.results_schema, table)
        }
    if missing := sorted(mirror_columns() - found):
        return probe.warning(
            f"missing in {settings.results}: {', '.join(missing)}. Enrichment goes on; only the copy waits.",
            "The next run of the DAG enrichment_cleanup adds them again; trigger it to have them now.",
        )
    return probe.ok(f"{len(mirror_columns())} columns of the mirror are there")


def _refused_privileges(session: ProbeSession, path: str, subject: str) -> dict[str, str]:
    """Privilege to Snowflake's words, of those that the role lacks on an object."""
    from snowflake.connector.errors import Error as SnowflakeError

    refused = {}
    for privilege, statement in _statements_of(path, subject, session.settings):
        try:
            session.rows(statement, {"nobody": _NOBODY})
        except SnowflakeError as error:
            if is_privilege_error(error):
                refused[privilege] = describe(error)
            elif not is_locked(error):
                raise
    return refused


def _statements_of(path: str, subject: str, settings: Settings) -> Iterator[tuple[str, str]]:
    for name, statement in statements(path, settings).items():
        table, _, privilege = name.partition(" ")
        if table == subject:
            yield privilege, statement


def _refusal(refused: dict[str, str], name: str, who: Identity) -> str:
    return f"no {', '.join(refused)} on {name}: {next(iter(refused.values()))}. Current {who}."


def _grants(refused: dict[str, str], kind: str, name: str, who: Identity) -> str:
    return object_grants(", ".join(refused), kind, name, who.grantee, " ".join(refused.values()))


def _as_owner(grants: str) -> str:
    """Who may run them: the owner of what the first one opens."""
    owner = "the database's owner" if grants.startswith("GRANT USAGE") else "its owner"
    return f"As {owner} or as ACCOUNTADMIN run: {grants};"


def _columns(session: ProbeSession, settings: Settings, schema: str, table: str) -> set[str]:
    """Columns of a table as far as the role may see it; none when it is not there."""
    binds = {"results_schema": settings.results_schema, "enrichment_schema": settings.enrichment_schema}
    rows = session.rows(render("schema/existing_columns.sql", settings), binds)
    return {row["COLUMN_NAME"] for row in rows if (row["TABLE_SCHEMA"], row["TABLE_NAME"]) == (schema, table)}
