"""The doctor: one check per view and per object that the package needs, each with its next action.

From the shell of a deployment: ``python -m include.enrichment.doctor``, with the Airflow connection and the settings in
the environment; Variables in Airflow's database count for the DAG ``enrichment_setup`` only.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from include.enrichment import access, deployment
from include.enrichment.errors import safe_text
from include.enrichment.findings import Finding, Status, counts, failures, table
from include.enrichment.probes import Probe
from include.enrichment.snowflake import open_hook

if TYPE_CHECKING:
    from include.enrichment.operations import Operation
    from include.enrichment.settings import Settings

log = logging.getLogger(__name__)

PROBES: dict[str, Callable[[Probe], Finding]] = {
    "connection": deployment.check_connection,
    "versions": deployment.check_versions,
    "session": deployment.check_session,
    "clock": deployment.check_clock,
    "warehouse": deployment.check_warehouse,
    "view": access.check_view,
    "flakebench": access.check_flakebench_table,
    "migrations": access.check_migrations,
    "object": access.check_own_object,
    "mirror": access.check_mirror,
    "session tables": access.check_temporary_table,
}
"""Kind of a check to what it does."""


_NEED_NO_LOGIN = frozenset({"connection", "versions"})


class Check(NamedTuple):
    """One check; a mapped task gets it as ``{"name": ..., "subject": ...}``."""

    name: str
    subject: str


def checks(conn_id: str, settings: Settings) -> list[Check]:
    """Every check, in the order in which one would repair what they find.

    The pool is not among them: only a task that runs in it can tell; see :mod:`include.enrichment.pool`.
    """
    found = [
        Check("connection", conn_id),
        Check("versions", "installed"),
        Check("session", "TIMEZONE"),
        Check("session", "STATEMENT_TIMEOUT_IN_SECONDS"),
        Check("clock", "UTC"),
        Check("warehouse", settings.warehouse or "of the connection"),
    ]
    found += [Check("view", view) for view in access.source_views(settings)]
    found += [Check("flakebench", name) for name in access.FLAKEBENCH_COLUMNS]
    found += [Check("migrations", settings.enrichment), Check("session tables", settings.enrichment)]
    found += [Check("object", name) for name in access.own_objects(settings)]
    if settings.mirror:
        found.append(Check("mirror", settings.results))
    return found


def run_check(conn_id: str, settings: Settings, check: Check) -> Finding:
    """Do one check. Whatever goes wrong is its finding; nothing is raised, so that the others go on."""
    probe = Probe(conn_id, settings, check.name, check.subject)
    try:
        finding = PROBES[check.name](probe)
    except Exception as error:
        log.debug("%s", check, exc_info=True)
        finding = probe.unanswered(error)
    log.info("%s: %s", finding.status, finding.text)
    return finding


def list_checks(conn_id: str, settings: Settings) -> list[Check]:
    """The checks that the DAG has to make; finds out whether the connection works.

    Without it each further check would try the same login, until Snowflake locks the user; so only those are left that
    need none, and the connection's own, which says why.
    """
    connection, *others = checks(conn_id, settings)
    possible = [connection, *_possible(others, run_check(conn_id, settings, connection))]
    if left_out := not_checked(conn_id, settings, possible):
        log.warning("%s", left_out)
    return possible


def run_checks(conn_id: str, settings: Settings) -> Iterator[Finding]:
    """The checks, one after the other: the imports of the provider do not survive threads.

    When the connection fails, only those that need no login; see :func:`list_checks`.
    """
    first, *others = checks(conn_id, settings)
    connection = run_check(conn_id, settings, first)
    yield connection
    for check in _possible(others, connection):
        yield run_check(conn_id, settings, check)


def _possible(others: Iterable[Check], connection: Finding) -> list[Check]:
    return [check for check in others if not connection.is_failure or check.name in _NEED_NO_LOGIN]


def not_checked(conn_id: str, settings: Settings, made: Iterable[tuple[str, str]]) -> str:
    """A sentence that names the checks that were left out; empty when there are none.

    :param made: check and subject of all others
    """
    done = {tuple(check) for check in made}
    left_out = [f"{check.name} {check.subject}" for check in checks(conn_id, settings) if tuple(check) not in done]
    return f"Not checked, because the connection failed: {', '.join(left_out)}." if left_out else ""


def collect(
    listed: Iterable[Mapping[str, str]], pushed: Iterable[Mapping[str, str] | None], pool: str
) -> list[Finding]:
    """The findings of the mapped tasks and of check_pool, and a failure for each whose task ended without one.

    :param listed: the checks, as mappings
    :param pushed: the findings, as mappings; None: a task had none
    :param pool: the pool that was looked at
    """
    findings = [Finding.from_json(item) for item in pushed if item]
    answered = {(finding.check, finding.subject) for finding in findings}
    missing = [
        Finding(
            check.name,
            check.subject,
            Status.FAILED,
            "the check ended without an answer, at its execution timeout or because its worker was lost.",
            "Look at its log in Airflow; run the doctor again.",
        )
        for check in (*(Check(**item) for item in listed), Check("pool", pool))
        if tuple(check) not in answered
    ]
    return [*findings, *missing]


def record(operation: Operation, conn_id: str, settings: Settings, findings: Sequence[Finding]) -> None:
    """Write the findings to ENRICHMENT_OPERATIONS, unless the connection failed.

    That they cannot be written is logged, not raised.
    """
    if any(finding.check == "connection" for finding in failures(findings)):
        return  # one more login that fails
    status = "FAILED" if failures(findings) else "SUCCEEDED"
    details = {"counts": counts(findings), "findings": [finding.as_json() for finding in findings]}
    try:
        operation.record(open_hook(conn_id, settings), settings, status, details)
    except Exception as error:
        log.warning("The doctor's findings cannot be written to ENRICHMENT_OPERATIONS: %s", safe_text(error))


def report(operation: Operation, conn_id: str, settings: Settings, findings: Sequence[Finding]) -> dict[str, int]:
    """Log the findings as a table and record them.

    :returns: number of findings by status
    :raises airflow.sdk.exceptions.AirflowFailException: a check failed; the message repeats what failed
    """
    from airflow.sdk.exceptions import AirflowFailException

    if findings:
        log.info("Findings:\n%s", table(findings))
        record(operation, conn_id, settings, findings)
    if failed := failures(findings):
        raise AirflowFailException("\n".join([f"{len(failed)} checks failed:", *(item.text for item in failed)]))
    return counts(findings)


def main() -> int:
    """Run the checks with the connection and settings of the environment; print where, and a line for each.

    :returns: 0; 1 when a check failed
    """
    from include.enrichment.operations import Operation
    from include.enrichment.settings import ConfigurationError, ParseSettings, of_shell

    logging.getLogger("snowflake.connector").setLevel(logging.WARNING)  # it announces itself at every login
    try:
        settings, conn_id = of_shell(), ParseSettings().conn_id
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"By the environment: schema {settings.enrichment} (FlakeBench's: {settings.results}), connection {conn_id}. "
        "Variables in Airflow's database or a secrets backend are seen by the DAG enrichment_setup only.\n",
        flush=True,
    )
    started_at = datetime.now(UTC).replace(tzinfo=None)
    operation = Operation("doctor", f"shell/{started_at.isoformat()}", started_at)
    findings = []
    for finding in run_checks(conn_id, settings):
        findings.append(finding)
        print(table([finding]), flush=True)
    if left_out := not_checked(conn_id, settings, [(finding.check, finding.subject) for finding in findings]):
        print(f"\n{left_out}")
    record(operation, conn_id, settings, findings)
    found = counts(findings)
    summary = ", ".join(f"{number} {status}" for status, number in found.items())
    print(f"\n{summary}. The pool is checked by the DAG enrichment_setup only.")
    return 1 if found[Status.FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
