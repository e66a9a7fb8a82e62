"""Data in, data out: a case is a folder with ``input.yaml``, ``expect.yaml`` and, optionally, ``binds.yaml``.

``<room>/<template>/<case>/`` mirrors ``include/sql``. In ``input.yaml`` a table name leads to its rows;
``defaults.yaml`` completes them. A row with ``repeat: 3`` stands for three, ``{n}`` in its texts counts them.

Times are ``-300m``, ``-5m+20s``: from the start of this minute, so that minute edges are exact; or ``now+5s``: from
this moment, in ``expect.yaml`` with a tolerance; or absolute.

``enrich/*``: one try of a claimed task, as the operator runs it. Input without TEST_RESULTS has the run ``run-1`` with
the child ``child-1``. Further keys: ``type`` (default: the folder), ``task`` (columns of the task's row), ``newest``
(how far the views reach by somebody else's statement, default ``-2m``; ``null``: not at all), ``second_look`` (the
task is settled, and claimed for its second look).
``queue/*``: one statement, or the whole pass for ``claim_pass``. ``schema/*``: nothing runs, the views are read.

``binds.yaml``: ``settings``, ``attempt`` (of ``enrich``), ``faults``; any other key is a bind parameter.
``expect.yaml``: table to all of its rows, in any order, with the columns that matter; ``task``, ``result``,
``error`` (reason code), ``message`` (fragments of the error's message).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from snowflake.connector.errors import Error as SnowflakeError

from include.enrichment import queue
from include.enrichment.errors import ClaimLostError, EnrichmentError
from include.enrichment.failures import AttemptEnd, end_with_error, record_end
from include.enrichment.lifecycle import Attempt, ClaimedTask, NotFinishedError
from include.enrichment.monitor import monitor_parameters
from include.enrichment.page.runs import RunFilter
from include.enrichment.settings import Settings
from include.enrichment.snowflake import AUTOCOMMIT_OF_LOGIN, needed_statements, open_hook
from include.enrichment.templates import render
from tests.sql.account import CONN_ID, Account, Row

FOLDER = Path(__file__).parent
TOLERANCE = timedelta(seconds=30)
CLAIM_TOKEN = "claim-1"
SETTLED: Row = {"STATUS": "COMPLETED", "REASON_CODE": "COVERAGE_LOW", "DATA_COMPLETE": False, "ATTEMPTS": 1}
"""What the first look left of a task that is looked at for the second time."""

_TIME = re.compile(r"(now)?((?:[+-]\d+(?:ms|d|h|m|s))*)")
_STEP = re.compile(r"([+-]\d+)(ms|d|h|m|s)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, eq=False)
class About:
    """An expected moment, give or take :data:`TOLERANCE`."""

    moment: datetime

    def matches(self, found: Any) -> bool:
        return isinstance(found, datetime) and abs(found.replace(tzinfo=None) - self.moment) < TOLERANCE

    def __repr__(self) -> str:
        return f"about {self.moment}"


@dataclass(frozen=True)
class Moment:
    """The time of a case, naive UTC."""

    now: datetime

    @classmethod
    def current(cls) -> Moment:
        return cls(datetime.now(UTC).replace(tzinfo=None))

    def resolve(self, value: Any, *, expected: bool = False) -> Any:
        """Put datetimes in place of relative times, everywhere in a structure."""
        if isinstance(value, dict):
            return {key: self.resolve(item, expected=expected) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, expected=expected) for item in value]
        match = _TIME.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            return value
        offset = sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in _STEP.findall(match[2])), timedelta())
        if match[1]:
            return About(self.now + offset) if expected else self.now + offset
        return self.now.replace(second=0, microsecond=0) + offset


@dataclass(frozen=True)
class Case:
    """One folder."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(FOLDER))

    @property
    def room(self) -> str:
        return self.path.relative_to(FOLDER).parts[0]

    @property
    def template(self) -> str:
        return self.path.parent.name

    def read(self, file: str) -> dict[str, Any]:
        path = self.path / file
        return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


@dataclass(frozen=True)
class Outcome:
    """What a try or a statement ended with.

    :param error: reason code; None: none
    :param result: the last statement's rows
    """

    error: str | None = None
    message: str = ""
    result: Sequence[Row] = ()


def cases() -> list[Case]:
    """Every case, by name."""
    return [Case(path.parent) for path in sorted(FOLDER.rglob("expect.yaml"))]


def run_case(case: Case, account: Account) -> None:
    """Load, run, compare.

    :raises AssertionError: naming the table and every row that differs
    """
    moment = Moment.current()
    given, binds = moment.resolve(case.read("input.yaml")), moment.resolve(case.read("binds.yaml"))
    settings = Settings(**binds.pop("settings", {}))
    faults = binds.pop("faults", [])
    if case.room == "enrich":
        default = "QUERY_HISTORY" if case.template.startswith("_") else case.template.upper()
        task = load_claimed_task(account, given, moment, given.pop("type", default))
        if faults:
            account.put_faults(faults)
        outcome = run_try(task, settings, **binds.pop("attempt", {}))
    else:
        load_tables(account, given, moment)
        is_view = case.room == "schema"
        outcome = Outcome() if is_view else run_statement(f"{case.room}/{case.template}.sql", settings, binds)
    expected = moment.resolve(case.read("expect.yaml"), expected=True)
    assert_outcome(outcome, expected)
    if "task" in expected:
        expected["DELAYED_ENRICHMENT_TASKS"] = [expected.pop("task")]
    if "result" in expected:
        assert_rows("result", outcome.result, expected.pop("result"))
    for table, rows in expected.items():
        assert_rows(table, account.table(table), rows)


def load_tables(account: Account, tables: Mapping[str, list[Row]], moment: Moment) -> None:
    """Load the rows of a case, completed by ``defaults.yaml``."""
    for table, rows in tables.items():
        complete = [_complete(table, one, moment) for row in rows for one in _repeated(row)]
        if complete:
            account.load(table, complete)


def load_claimed_task(account: Account, given: dict[str, Any], moment: Moment, enrichment_type: str) -> ClaimedTask:
    """Load a case of ``enrich`` with its task, IN_PROGRESS under :data:`CLAIM_TOKEN` unless the case says otherwise."""
    newest = given.pop("newest", moment.resolve("-2m"))
    given.setdefault("TEST_RESULTS", [{"TEST_ID": "run-1"}, {"TEST_ID": "child-1"}])
    if newest is not None:
        tag = {"QUERY_TAG": "somebody_else"}
        start = {"START_TIME": newest, "END_TIME": newest}
        interval = {"INTERVAL_START_TIME": newest - timedelta(minutes=1), "INTERVAL_END_TIME": newest}
        given["QUERY_HISTORY"] = [*given.get("QUERY_HISTORY", []), {"QUERY_ID": "newest", **start, **tag}]
        given["AGGREGATE_QUERY_HISTORY"] = [*given.get("AGGREGATE_QUERY_HISTORY", []), {**interval, **tag}]
    is_second_look = bool(given.pop("second_look", False))
    task = {
        "ENRICHMENT_TYPE": enrichment_type,
        **(SETTLED if is_second_look else {"STATUS": "IN_PROGRESS"}),
        "CLAIM_TOKEN": CLAIM_TOKEN,
        "CLAIMED_BY": "delayed_enrichment/pass-1",
        "CLAIMED_AT": moment.now,
        "LEASE_EXPIRES_AT": moment.now + timedelta(minutes=90),
        **({"RECHECK_AT": moment.now} if is_second_look else {}),
        **given.pop("task", {}),
    }
    load_tables(account, {**given, "DELAYED_ENRICHMENT_TASKS": [task]}, moment)
    run_id = task.get("RUN_ID", "run-1")
    return ClaimedTask("job-1", run_id, "benchmark", enrichment_type, CLAIM_TOKEN, is_second_look)


def run_try(
    task: ClaimedTask, settings: Settings, *, try_number: int = 1, max_tries: int = 0, observe: Any = None
) -> Outcome:
    """One try of a task, step by step as ``SnowflakeEnrichmentOperator.execute``.

    :param max_tries: retries that Airflow has for the task instance
    :param observe: called with the attempt and each cursor, before the attempt looks at it
    """
    attempt = Attempt(task, settings, try_number=try_number, claimed_by="delayed_enrichment/pass-1", lease_minutes=90)
    hook = open_hook(CONN_ID, settings)

    def handle(cursor: Any) -> None:
        if observe is not None:
            observe(attempt, cursor)
        attempt.observe(cursor)

    try:
        hook.run(
            needed_statements(render(attempt.entry.template, settings), attempt.parameters),
            autocommit=AUTOCOMMIT_OF_LOGIN,
            parameters=attempt.parameters,
            handler=handle,
            return_last=False,
        )
    except ClaimLostError as error:
        return Outcome("CLAIM_LOST", str(error))
    except NotFinishedError as error:
        end = AttemptEnd.not_finished(attempt, str(error))
        record_end(hook, attempt, end)
        return Outcome(end.reason_code, end.message)
    except (EnrichmentError, SnowflakeError) as error:
        end = end_with_error(hook, attempt, error, may_airflow_retry=try_number <= max_tries)
        return Outcome(end.reason_code, end.message)
    return Outcome(message=attempt.summary())


def run_statement(path: str, settings: Settings, binds: Mapping[str, Any]) -> Outcome:
    """A template with the parameters that the product binds (queue, page), overridden by the case's."""
    parameters = {
        **queue.claim_parameters(
            settings, claim_token=CLAIM_TOKEN, claimed_by="delayed_enrichment/pass-1", lease_minutes=90
        ),
        **RunFilter().binds(),
        **monitor_parameters(settings),
        "page_size": 50,
        "page_offset": 0,
    }
    results: Any = open_hook(CONN_ID, settings).run(
        render(path, settings),
        autocommit=AUTOCOMMIT_OF_LOGIN,
        parameters={**parameters, **binds},
        handler=_as_mappings,
        return_last=False,
    )
    return Outcome(result=results[-1] if results else ())


def assert_outcome(outcome: Outcome, expected: dict[str, Any]) -> None:
    """Compare the error, and take it out of the expectation."""
    error, fragments = expected.pop("error", None), expected.pop("message", [])
    if outcome.error != error:
        raise AssertionError(f"error is {outcome.error}, expected {error}: {outcome.message}")
    for fragment in fragments:
        if str(fragment) not in outcome.message:
            raise AssertionError(f"{fragment!r} is not in the message: {outcome.message}")


def assert_rows(name: str, found: Sequence[Row], expected: Sequence[Row]) -> None:
    """Compare rows in any order, each by the columns that the expectation names."""
    columns = sorted({column for row in expected for column in row})
    left = list(found)
    missing = []
    for row in expected:
        match = next((item for item in left if all(_equal(item[key], value) for key, value in row.items())), None)
        if match is None:
            missing.append(row)
        else:
            left.remove(match)
    if missing or left:
        shown = [{column: item[column] for column in columns} if columns else item for item in left]
        lines = [*(f"  missing: {row}" for row in missing), *(f"  instead: {row}" for row in shown)]
        raise AssertionError("\n".join([f"{name}: {len(found)} rows, {len(expected)} expected", *lines]))


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, (dict, list)):
        return found is not None and bool(_json_value(found) == expected)
    if isinstance(expected, About):
        return expected.matches(found)
    if isinstance(expected, bool) or isinstance(found, bool):
        return found is expected
    if isinstance(expected, (int, float)) and isinstance(found, (int, float, Decimal)):
        return abs(float(found) - expected) <= 1e-6 * max(1.0, abs(expected))
    if isinstance(found, datetime):
        return bool(found.replace(tzinfo=None) == expected)
    if isinstance(expected, date):
        return bool(found == expected)
    return bool(found == expected)


def _json_value(found: Any) -> Any:
    return json.loads(found) if isinstance(found, str) else found


def _as_mappings(cursor: Any) -> list[Row]:
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@cache
def _defaults() -> dict[str, Row]:
    content: dict[str, Row] = yaml.safe_load((FOLDER / "defaults.yaml").read_text())
    return content


def _complete(table: str, row: Row, moment: Moment) -> Row:
    complete = {**moment.resolve(_defaults().get(table, {})), **row}
    if table == "TEST_RESULTS" and complete.get("TEST_ID") != complete["RUN_ID"]:
        complete.setdefault("QUERY_TAG", f"flakebench:test_id={complete.get('TEST_ID')}")
    return {name: _as_text(value) for name, value in complete.items()}


def _as_text(value: Any) -> Any:
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value


def _repeated(row: Row) -> Iterator[Row]:
    count = row.get("repeat")
    if count is None:
        yield row
        return
    for n in range(count):
        yield {
            key: value.replace("{n}", str(n)) if isinstance(value, str) else value
            for key, value in row.items()
            if key != "repeat"
        }
