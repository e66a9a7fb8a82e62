"""What a pass sends to Snowflake: statements, logins and bytes of an idle tick, a claim and each type's mapped task.

Counted by the embedded server's own log, through the sensor, the operator and the connector that Airflow uses; no
scheduler is needed for it. Everything counts that is sent: BEGIN and COMMIT, and what hook or connector add.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

import httpx

from benchmarks.due_runs import due_runs
from benchmarks.embedded import CONN_ID, embedded
from benchmarks.report import Row, publish
from include.enrichment import settings as settings_module
from include.enrichment.settings import parse
from local.connection import LocalConnection
from local.environment import QUIET

IDLE_BAR, CLAIM_BAR, TASK_BAR, LOGIN_BAR = 1, 8, 9, 1
FEW_JOBS, MANY_JOBS = 5, 100
Result = TypeVar("Result")
_LEASE_MINUTES = 90
_READS_A_TABLE = re.compile(r"\bFROM\s+\w+\.\w+\.\w+", re.IGNORECASE)
_CLOCK = re.compile(r"\b(SYSDATE|CURRENT_(TIMESTAMP|TIME|DATE)|GETDATE|LOCALTIME(STAMP)?)\b", re.IGNORECASE)
_OF_A_TRANSACTION = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK)\b", re.IGNORECASE)
_OF_THE_SESSION = re.compile(r"\s*(ALTER\s+SESSION|USE|SHOW|SELECT\s+1\s*;?\s*$)", re.IGNORECASE)


@dataclass(frozen=True)
class Traffic:
    """What was sent while something was done.

    :param statements: as the server logged them: ``text``, ``rows``, ``result_bytes``, ``error``
    """

    statements: tuple[dict[str, Any], ...]
    logins: int

    @property
    def texts(self) -> list[str]:
        return [item["text"] for item in self.statements]

    @property
    def of_the_connector(self) -> int:
        """Statements that no template holds: what hook and connector send to set up the session."""
        return sum(_OF_THE_SESSION.match(bare(text)) is not None for text in self.texts)

    @property
    def of_transactions(self) -> int:
        """BEGIN and COMMIT."""
        return sum(_OF_A_TRANSACTION.match(bare(text)) is not None for text in self.texts)

    def __str__(self) -> str:
        sent = sum(len(text.encode()) for text in self.texts)
        fetched, rows = (sum(item[name] for item in self.statements) for name in ("result_bytes", "rows"))
        return (
            f"{len(self.statements)} statements (BEGIN, COMMIT: {self.of_transactions}; of hook and connector: "
            f"{self.of_the_connector}), {self.logins} logins, {sent / 1000:.1f} kB sent, {fetched / 1000:.1f} kB in "
            f"{rows} rows fetched"
        )


@dataclass(frozen=True)
class Server:
    """The embedded server's log."""

    connection: LocalConnection

    def log(self, since: int = 0) -> dict[str, Any]:
        """``GET /statements``."""
        context = ssl.create_default_context(cafile=self.connection.ca_file)
        with httpx.Client(base_url=self.connection.url, verify=context, trust_env=False) as client:
            reply = client.get("/statements", params={"since": since}, auth=("", self.connection.password))
            reply.raise_for_status()
            found: dict[str, Any] = reply.json()
            return found

    def traffic(self, action: Callable[[], Result]) -> tuple[Traffic, Result]:
        """Do something and say what it sent.

        :raises RuntimeError: one of its statements failed, so the count means nothing
        """
        before = self.log(since=sys.maxsize)
        result = action()
        after = self.log(since=before["last"])
        if failed := [item["text"][:80] for item in after["statements"] if item["error"] is not None]:
            raise RuntimeError(f"a statement failed: {failed[0]}")
        return Traffic(tuple(after["statements"]), after["logins"] - before["logins"]), result


def main() -> int:
    """Measure and publish.

    :returns: 0; 1 when a bar is missed
    """
    os.environ.update(QUIET)
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder)) as server,
        patch.object(settings_module, "current", parse),  # outside of a task there are no Airflow Variables
    ):
        return 0 if publish("statements", measure(server.connection)) else 1


def measure(connection: LocalConnection) -> list[Row]:
    """Let runs end, and enrich them step by step."""
    server = Server(connection)
    write_runs(connection, 0, FEW_JOBS)
    few, claimed = server.traffic(claim)
    rows = [claim_row(few, FEW_JOBS)]
    by_type: dict[str, list[dict[str, Any]]] = {}
    for task in claimed:
        by_type.setdefault(task["enrichment_type"], []).append(task)
    for name, tasks in sorted(by_type.items()):
        looks = [server.traffic(lambda task=task: enrich(task))[0] for task in tasks]  # type: ignore[misc]
        rows.append(task_row(f"mapped task {name}, first look", looks))
    for name, tasks in sorted(by_type.items()):
        again, _ = server.traffic(lambda task=tasks[0]: enrich(task, try_number=2))  # type: ignore[misc]
        rows.append(task_row(f"mapped task {name}, cleared and repeated", [again]))
    end, settled = server.traffic(lambda: settle(claimed))
    rows.append(Row("roll-up, mirror and events", str(end), f"{settled} jobs settled"))
    ticks = [server.traffic(tick)[0] for _ in range(2)]
    asked_ahead = [text for text in end.texts if text == ticks[0].texts[0]]
    rows += idle_rows(ticks, asked_ahead)
    write_runs(connection, FEW_JOBS, FEW_JOBS + MANY_JOBS)
    many, _ = server.traffic(claim)
    rows.append(claim_row(many, MANY_JOBS))
    return rows


def write_runs(connection: LocalConnection, first: int, last: int) -> None:
    """Let the due runs of these numbers end."""
    import snowflake.connector

    from local.sample_account import write_account

    accounts = list(due_runs(datetime.now(UTC), FEW_JOBS + MANY_JOBS))
    runs = [run for account in accounts for run in account.runs][first:last]
    with closing(snowflake.connector.connect(**connection.connector_kwargs(TIMEZONE="UTC"))) as session:
        write_account(session, replace(accounts[0], runs=tuple(runs), background=()))


def claim() -> list[dict[str, Any]]:
    """The task ``claim_due_tasks`` of a pass."""
    from include.enrichment.queue import claim_due_tasks
    from include.enrichment.snowflake import open_hook

    settings = parse()
    hook = open_hook(CONN_ID, settings)
    return claim_due_tasks(hook, settings, claimed_by="benchmark", lease_minutes=_LEASE_MINUTES).tasks


def enrich(task: dict[str, Any], try_number: int = 1) -> None:
    """The mapped task ``enrich`` of a pass."""
    from include.enrichment.operator import SnowflakeEnrichmentOperator
    from include.enrichment.templates import render

    operator = SnowflakeEnrichmentOperator(
        task_id="enrich", conn_id=CONN_ID, claimed=task, lease_minutes=_LEASE_MINUTES
    )
    operator.sql = render(str(operator.sql), parse())  # as Airflow does before it executes
    ti = SimpleNamespace(try_number=try_number, max_tries=0, dag_id="delayed_enrichment", run_id="benchmark")
    operator.execute({"ti": ti})  # type: ignore[typeddict-item]


def settle(claimed: Sequence[dict[str, Any]]) -> int:
    """The tasks ``roll_up_jobs`` and ``record_events`` of a pass.

    :returns: jobs that settled
    """
    from include.enrichment.queue import mirror, record_events, settle_jobs
    from include.enrichment.snowflake import open_hook

    settings = parse()
    settled = settle_jobs(open_hook(CONN_ID, settings), settings)
    mirror(CONN_ID, settings, claimed[0]["claim_token"])
    record_events(open_hook(CONN_ID, settings), settings, [job.job_id for job in settled])
    return len(settled)


def tick() -> None:
    """The task ``wait_for_due_work`` of a pass, which finds nothing."""
    from airflow.sdk.exceptions import AirflowSkipException

    from include.enrichment.sensor import DueWorkSensor
    from include.enrichment.templates import render

    sensor = DueWorkSensor(task_id="wait_for_due_work", conn_id=CONN_ID)
    sensor.sql = render(sensor.sql, parse())
    try:
        sensor.poke({})
    except AirflowSkipException:
        return
    raise RuntimeError("the tick found work: it is not idle")


def bare(text: str) -> str:
    """A statement without its comments."""
    return re.sub(r"--.*", "", text)


def claim_row(traffic: Traffic, jobs: int) -> Row:
    """A claim, beside its bar."""
    number = len(traffic.statements)
    return Row(f"claim pass, {jobs} jobs", str(traffic), "", f"<= {CLAIM_BAR} statements", number <= CLAIM_BAR)


def task_row(measured: str, looks: Sequence[Traffic]) -> Row:
    """The look that sent the most statements, beside the bars."""
    most = max(looks, key=lambda look: len(look.statements))
    logins = max(look.logins for look in looks)
    return Row(
        f"{measured} ({len(looks)})",
        str(most),
        f"{len(most.statements) - most.of_transactions} without BEGIN and COMMIT",
        f"<= {TASK_BAR} statements, <= {LOGIN_BAR} login",
        len(most.statements) <= TASK_BAR and logins <= LOGIN_BAR,
    )


def idle_rows(ticks: Sequence[Traffic], asked_ahead: Sequence[str]) -> list[Row]:
    """Whether the result cache can answer an idle tick."""
    first, second = ticks
    text = first.texts[0]
    reading = sum(_READS_A_TABLE.search(text) is not None for text in first.texts)
    clock = _CLOCK.search(bare(text))
    return [
        Row("idle tick", str(first), "", f"<= {IDLE_BAR} statement that reads a table", reading <= IDLE_BAR),
        Row(
            "idle tick, text of its question",
            f"{'a clock' if clock else 'no clock'}; the next tick sends "
            f"{'the same' if first.texts == second.texts else 'another'}",
            "the result cache can answer",
            "no clock and the same text",
            clock is None and first.texts == second.texts,
        ),
        Row(
            "idle tick after a pass",
            "asked ahead by the pass" if asked_ahead else "first to ask",
            "no warehouse is resumed for it",
            "asked ahead, with the same text",
            bool(asked_ahead),
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
