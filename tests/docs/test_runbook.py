"""The runbook has an entry for every reason code that the code can store, and for nothing else."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
import yaml
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import BaseNotifier
from jinja2 import Environment, StrictUndefined

from include.enrichment import slo
from include.enrichment.alerts import Alert, Event
from include.enrichment.error_numbers import ERROR_NUMBERS, ERROR_RANGES, UNLISTED, UNREACHABLE
from include.enrichment.settings import NotifierSetting, Settings
from include.enrichment.templates import SQL_FOLDER

REPOSITORY = Path(__file__).parents[2]
RUNBOOK = REPOSITORY / "docs" / "operate.md"

REASON_ARGUMENT = {"EnrichmentError": 1, "permanent": 0, "Decision": 1, "Verdict": 1, "cls": 2}
"""What makes the end of a try to the position of the reason code among its arguments; ``cls`` is ``AttemptEnd``."""

STATUSES = {"PENDING", "COMPLETED", "SKIPPED", "FAILED", "NOT_APPLICABLE"}

_CODE = r"'([A-Z]+(?:_[A-Z]+)*)'"
_REASON_CASE = re.compile(r"\bCASE\b((?:(?!\bCASE\b).)*?)\bEND AS REASON_CODE\b", re.DOTALL)
_IN_CASE = re.compile(rf"\b(?:THEN|ELSE) {_CODE}")
_ASSIGNED = re.compile(rf"{_CODE} AS REASON_CODE\b|\bREASON_CODE = CASE WHEN .*? THEN {_CODE}")
_IN_LAST_ERROR = re.compile(r"'([A-Z]+_[A-Z]+): ")
_ENTRY = re.compile(r"^#### (\S+)\n\n(.*?)(?=^#{2,4} |\Z)", re.MULTILINE | re.DOTALL)
_ALERT = re.compile(r"^### ([\w-]+)\n\n(.*?)(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| \[([\w-]+)\]\(#\1\) \| (\d*) ?\| (\d*) ?\| (\w+) \| .+ \|$", re.MULTILINE)
PARTS = ("* **Means:** ", "* **Check:** ", "* **Do:** ")


def _constants(node: ast.AST) -> Iterator[str]:
    """The texts in upper case, as statuses and reason codes are."""
    texts = (item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str))
    return (text for text in texts if re.fullmatch(r"[A-Z][A-Z_]*", text))


def _of_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            position = REASON_ARGUMENT.get(node.func.id)
            if position is not None and len(node.args) > position:
                yield from _constants(node.args[position])
        elif isinstance(node, ast.Tuple) and len(node.elts) == 3 and set(_constants(node.elts[0])) & STATUSES:
            yield from _constants(node.elts[1])  # (status, reason code, completeness)


def _of_sql(path: Path) -> Iterator[str]:
    text = path.read_text()
    for case in _REASON_CASE.finditer(text):
        yield from _IN_CASE.findall(case.group(1))
    for match in _ASSIGNED.finditer(text):
        yield match.group(1) or match.group(2)
    yield from _IN_LAST_ERROR.findall(text)


@cache
def reason_codes() -> frozenset[str]:
    """Every reason code of the package, from the error table, the Python and the SQL."""
    verdicts = (*ERROR_NUMBERS.values(), *ERROR_RANGES.values(), UNLISTED, UNREACHABLE)
    found = {verdict.reason_code for verdict in verdicts}
    for path in (REPOSITORY / "include" / "enrichment").rglob("*.py"):
        found.update(_of_python(path))
    for path in SQL_FOLDER.rglob("*.sql"):
        found.update(_of_sql(path))
    return frozenset(found)


def entries() -> dict[str, str]:
    """Reason code to its entry."""
    return {match.group(1): match.group(2) for match in _ENTRY.finditer(RUNBOOK.read_text())}


def alerts() -> dict[str, str]:
    """Alert to its entry."""
    part = RUNBOOK.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    return {match.group(1): match.group(2) for match in _ALERT.finditer(part)}


def test_every_reason_code_has_an_entry_and_every_entry_a_reason_code() -> None:
    assert set(entries()) == reason_codes()


def test_a_reason_code_is_found_wherever_it_is_made() -> None:
    of_each_place = {"LOCKED", "NETWORK", "BAD_WINDOW", "NO_QUERY_TAG", "NOT_READY", "COVERAGE_LOW", "SOURCE_SHRUNK"}
    of_sql = {"LEASE_EXPIRED", "UNKNOWN_TYPE", "TABLE_TYPE", "RETENTION", "DUPLICATE_JOB"}
    assert of_each_place | of_sql | {"WRITE_MISMATCH", "TASK_TIMEOUT", "UNEXPECTED"} <= reason_codes()


def test_every_reason_code_that_a_case_of_the_sql_tests_stores_has_an_entry() -> None:
    stored: set[str] = set()
    for path in (REPOSITORY / "tests" / "sql").rglob("expect.yaml"):
        stored.update(_stored_reasons(yaml.safe_load(path.read_text())))
    assert stored
    assert stored <= set(entries())


def _stored_reasons(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "REASON_CODE" and isinstance(value, str):
                yield value
            else:
                yield from _stored_reasons(value)
    elif isinstance(content, list):
        for item in content:
            yield from _stored_reasons(item)


@pytest.mark.parametrize("kind", ["reason code", "alert"])
def test_an_entry_says_what_it_means_how_to_check_and_what_to_do(kind: str) -> None:
    found = entries() if kind == "reason code" else alerts()
    assert found
    for name, text in found.items():
        assert [text.count(part) for part in PARTS] == [1, 1, 1], name


def thresholds() -> dict[str, tuple[float | None, float | None, str]]:
    """Alert to warning, critical and unit, as the table of the runbook has them."""
    rows = _ROW.findall(RUNBOOK.read_text())
    return {name: (*(float(text) if text else None for text in levels), unit) for name, *levels, unit in rows}


def test_every_alert_has_a_row_of_the_table_and_an_entry_and_nothing_else_has_one() -> None:
    assert list(thresholds()) == list(alerts())
    assert set(alerts()) == set(slo.RUNBOOK_ANCHORS)


def test_the_table_has_the_thresholds_of_every_objective() -> None:
    declared = {item.anchor: (item.warning_above, item.critical_above, item.unit) for item in slo.OBJECTIVES}
    assert {name: found for name, found in thresholds().items() if name != slo.HANGING_PASS.anchor} == declared


def test_the_queries_and_headings_that_the_runbook_links_exist() -> None:
    text = RUNBOOK.read_text()
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings
    linked = re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", text)
    assert linked
    for document, anchor in linked:
        lines = (REPOSITORY / "docs" / document).read_text().lower().splitlines()
        assert any(re.fullmatch(rf"#+ {anchor.replace('-', '[ -]')}", line) for line in lines), f"{document}#{anchor}"


def notifiers() -> dict[str, NotifierSetting]:
    """The examples of the runbook, by provider."""
    (example,) = re.findall(r"^```json\n(.*?)^```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    chosen = Settings(notifiers=json.loads(example)).notifiers
    return {item.notifier.split(".")[2]: item for item in chosen}


def test_the_runbook_has_a_notifier_with_its_package_for_slack_mail_and_pagerduty() -> None:
    packages = set(re.findall(r"`apache-airflow-providers-(\w+)`", RUNBOOK.read_text()))
    assert set(notifiers()) == packages == {"slack", "smtp", "pagerduty"}


@pytest.mark.parametrize("provider", ["slack", "smtp", "pagerduty"])
def test_the_texts_of_an_example_can_be_made_of_an_alert(provider: str) -> None:
    alert = Alert(slo.DUE_JOBS, Event.ENDED, slo.Level.CRITICAL, 3, datetime(2026, 1, 1))
    jinja = Environment(undefined=StrictUndefined, autoescape=True)
    made = {key: jinja.from_string(text).render(alert=alert) for key, text in notifiers()[provider].kwargs.items()}
    assert any(alert.title in text for text in made.values())
    if provider == "pagerduty":
        assert (made["severity"], made["action"], made["dedup_key"]) == ("critical", "resolve", alert.key)


def test_the_example_for_mail_is_what_the_notifier_takes() -> None:
    example = notifiers()["smtp"]
    assert example.notifier == f"{SmtpNotifier.__module__}.{SmtpNotifier.__name__}"
    assert isinstance(SmtpNotifier(**example.kwargs), BaseNotifier)
