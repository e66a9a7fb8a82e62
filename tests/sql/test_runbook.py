"""The SQL of the runbook runs, and correcting an unknown type by it has the job enriched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.enrichment import queue
from include.enrichment.settings import Settings
from include.enrichment.snowflake import open_hook
from tests.sql.account import CONN_ID, Account, Row
from tests.sql.cases import Moment, load_tables

RUNBOOK = Path(__file__).parents[2] / "docs" / "operate.md"
NOT_EMBEDDED = "INFORMATION_SCHEMA.LOGIN_HISTORY_BY_USER"
"""The embedded Snowflake keeps no logins."""


def blocks() -> list[str]:
    found = re.findall(r"^( *)```sql\n(.*?)^\1```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    return [text for _, text in found if NOT_EMBEDDED not in text]


def run(account: Account, block: str) -> None:
    for statement in block.split(";"):
        if statement.strip():
            account.run(statement.replace("<job>", "job-1").replace("<run>", "run-1"))


def correction() -> str:
    (block,) = (text for text in blocks() if "BEGIN" in text)
    return block


@pytest.mark.parametrize("block", blocks(), ids=lambda block: re.sub(r"\s+", " ", block).strip()[:60])
def test_every_statement_of_the_runbook_runs(account: Account, block: str) -> None:
    run(account, block)


def test_a_job_with_an_unknown_type_is_enriched_after_it_was_corrected_by_the_runbook(
    account: Account, settings: Settings
) -> None:
    runs: list[Row] = [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}]
    moment = Moment.current()
    job: Row = {"ENRICHMENT_TYPES": ["AGREGATE"], "CREATED_AT": "-9m"}
    load_tables(account, moment.resolve({"TEST_RESULTS": runs, "DELAYED_ENRICHMENT_QUEUE": [job]}), moment)
    hook = open_hook(CONN_ID, settings)
    assert queue.claim_due_tasks(hook, settings, claimed_by="pass-1", lease_minutes=90).tasks == []
    assert [settled.status for settled in queue.settle_jobs(hook, settings)] == ["FAILED"]

    run(account, correction())
    claim = queue.claim_due_tasks(hook, settings, claimed_by="pass-2", lease_minutes=90)
    assert [task["enrichment_type"] for task in claim.tasks] == ["AGGREGATE"]
