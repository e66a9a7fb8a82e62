"""Each named way in which views misbehave: what is stored is what the oracle says, look by look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from include.enrichment.settings import Settings
from local.load import find_table
from tests.faults.matrix import Matrix
from tests.faults.sources import ALL_KINDS, KINDS, VIEWS, Source, Trial
from tests.faults.strategies import DAYLIGHT_SAVING
from tests.faults.view_rows import MICROSECOND, QUOTES
from tests.sql.account import Account, Row

NOW = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
END = NOW - timedelta(hours=5, seconds=-13)
LENGTH = timedelta(minutes=10)
STATISTICS = {"sum": 100, "avg": 10, "stddev": 2, "min": 5, "median": 9, "p90": 14, "p99": 19, "p99.9": 20, "max": 21}
OBJECTS = ("EXECUTION_TIME", "COMPILATION_TIME", "TOTAL_ELAPSED_TIME", "QUEUED_OVERLOAD_TIME", "BYTES_SCANNED")
TEXTS = ("12", "3.5e1", "abc", "", "NaN", "-inf", True, None, [7], {"sum": 7}, 10**30)
STATEMENTS = 4

Misbehaviour = Callable[[Source], Source]


def a_run(*, end: datetime = END, table_type: str = "HYBRID", newest: datetime | None = None) -> Source:
    """A run of two children with rows in every view, all of them well behaved.

    :param newest: how far the views reach; default: just beyond the window
    """
    start, common = (
        end - LENGTH,
        {
            "TEST_NAME": "t",
            "SCENARIO_NAME": "s",
            "TABLE_NAME": "T",
            "CONCURRENT_CONNECTIONS": 1,
            "WAREHOUSE": "bench_wh",
        },
    )
    common |= {"RUN_ID": "run-1", "TABLE_TYPE": table_type, "STATUS": "COMPLETED", "START_TIME": start, "END_TIME": end}
    reached = (newest or end + timedelta(minutes=6)).replace(tzinfo=UTC)
    tables: dict[str, list[Row]] = {name: [] for name in (*VIEWS, "QUERY_EXECUTIONS")}
    for number in range(STATEMENTS):
        child, began = f"child-{number % 2 + 1}", (start + timedelta(minutes=number)).replace(tzinfo=UTC)
        tag, query = {"QUERY_TAG": f"flakebench:test_id={child}:phase=RUNNING"}, {"QUERY_ID": f"q{number}"}
        span = {"START_TIME": began, "END_TIME": began + timedelta(seconds=1), "TOTAL_ELAPSED_TIME": 1000}
        tables["QUERY_EXECUTIONS"].append(
            {"TEST_ID": child, "QUERY_TEXT": "", "DURATION_MS": 1, "SUCCESS": True, **query}
            | {"START_TIME": start, "END_TIME": end}
        )
        tables["QUERY_HISTORY"].append(
            {"PARTITIONS_SCANNED": 3 + number, "PARTITIONS_TOTAL": 9, "BYTES_SCANNED": 100, **query, **tag, **span}
            | {"PERCENTAGE_SCANNED_FROM_CACHE": 0.5, "TRANSACTION_BLOCKED_TIME": 7000 * (number % 2)}
        )
        tables["AGGREGATE_QUERY_HISTORY"].append(
            {"INTERVAL_START_TIME": began, "INTERVAL_END_TIME": began + timedelta(minutes=1), "CALLS": 10, **tag}
            | {"QUERY_PARAMETERIZED_HASH": f"hash-{number // 2}", **dict.fromkeys(OBJECTS, STATISTICS)}
            | {"ERRORS": [{"code": 604, "message": "canceled", "count": 2}]}
        )
        tables["LOCK_WAIT_HISTORY"].append(
            {
                "REQUESTED_AT": began,
                "ACQUIRED_AT": began + timedelta(seconds=6),
                "LOCK_TYPE": "Row",
                "TRANSACTION_ID": 1,
            }
            | {"BLOCKER_QUERIES": [{"query_id": "b1", "transaction_id": 9, "is_snowflake": False}], **query}
        )
        tables["QUERY_INSIGHTS"].append(
            {"INSIGHT_INSTANCE_ID": number, "INSIGHT_TYPE_ID": "QUERY_INSIGHT_SPILL", "IS_OPPORTUNITY": True}
            | {
                "INSIGHT_TOPIC": "JOIN",
                "SUGGESTIONS": ["do this", "and that"],
                "MESSAGE": {"text": "m"},
                **query,
                **span,
            }
        )
        tables["HYBRID_TABLE_USAGE_HISTORY"].append(
            {"OBJECT_TYPE": "ACCOUNT", "OBJECT_ID": number, "CREDITS_USED": 0.25}
            | {"START_TIME": began - timedelta(minutes=30), "END_TIME": began + timedelta(minutes=30)}
        )
        tables["QUERY_ACCELERATION_HISTORY"].append(
            {"WAREHOUSE_ID": number, "WAREHOUSE_NAME": "BENCH_WH", "CREDITS_USED": 0.5}
            | {"START_TIME": began - timedelta(minutes=30), "END_TIME": began + timedelta(minutes=30)}
        )
    beside = {"QUERY_TAG": "somebody else"}
    tables["QUERY_HISTORY"].append({"QUERY_ID": "newest", "START_TIME": reached, **beside})
    tables["AGGREGATE_QUERY_HISTORY"].append({"INTERVAL_START_TIME": reached, "INTERVAL_END_TIME": reached, **beside})
    children = [{"TEST_ID": f"child-{n}", "QUERY_TAG": f"flakebench:test_id=child-{n}", **common} for n in (1, 2)]
    results = [{"TEST_ID": "run-1", **common}, *children]
    return Source("run-1", {**tables, "TEST_RESULTS": results}, max(end, NOW - timedelta(days=20)))


def each_row(source: Source, *changes: Callable[[int, Row], Row]) -> Source:
    """Every row of every view of the run changed, by its number."""
    views: dict[str, list[Row]] = {}
    for name in VIEWS:
        rows = source.tables[name]
        for change in changes:
            rows = [row if "somebody" in (row.get("QUERY_TAG") or "") else change(n, row) for n, row in enumerate(rows)]
        views[name] = rows
    return source.with_views(**views)


def twice(source: Source) -> Source:
    return source.with_views(**{name: [row for row in source.tables[name] for _ in range(2)] for name in VIEWS})


def reversed_order(source: Source) -> Source:
    return source.with_views(**{name: source.tables[name][::-1] for name in VIEWS})


def empty(source: Source) -> Source:
    return source.with_views(**{name: [] for name in VIEWS})


def only_the_newest(source: Source) -> Source:
    views = {name: [row for row in source.tables[name] if row.get("QUERY_TAG") == "somebody else"] for name in VIEWS}
    return source.with_views(**views)


def _in_objects(name: str, change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Misbehaviour:
    def misbehave(source: Source) -> Source:
        def in_row(number: int, row: Row) -> Row:
            objects = {name: change(number, value) for name, value in row.items() if isinstance(value, dict)}
            lists = {
                name: [change(number, item) if isinstance(item, dict) else item for item in value]
                for name, value in row.items()
                if isinstance(value, list)
            }
            return row | objects | lists

        return each_row(source, in_row)

    misbehave.__name__ = name
    return misbehave


unknown_keys = _in_objects(
    "unknown_keys",
    lambda number, value: value | {"p50": number, "SUM": -1, 'a "b"': {"c": []}},
)
missing_keys = _in_objects(
    "missing_keys",
    lambda number, value: {key: item for n, (key, item) in enumerate(value.items()) if n % 4 != number},
)
texts = _in_objects(
    "texts_where_a_number_belongs",
    lambda number, value: {key: TEXTS[(number * 5 + n) % len(TEXTS)] for n, key in enumerate(value)},
)


def not_even_objects(source: Source) -> Source:
    """ARRAYs and VARIANTs that hold something else; OBJECTs that are NULL."""

    def in_row(number: int, row: Row) -> Row:
        other = {"ERRORS": ["abc", 7, None], "BLOCKER_QUERIES": ("abc", {"query_id": "b1"}, ["b1"], 7)[number % 4]}
        other |= {"SUGGESTIONS": [], "MESSAGE": "text", **dict.fromkeys(OBJECTS[:4])}
        return row | {name: value for name, value in other.items() if isinstance(row.get(name), (dict, list))}

    return each_row(source, in_row)


def longest_tags(source: Source) -> Source:
    def extend(_: int, row: Row) -> Row:
        base = (row.get("QUERY_TAG") or "").removesuffix(":phase=RUNNING")
        return row | {"QUERY_TAG": f"{base}:{'y' * (1985 - len(base))}:phase=RUNNING"} if base else row

    return each_row(source, extend)


def foreign_tags(source: Source) -> Source:
    """Beside each row one of somebody else whose tag looks alike."""
    alike: tuple[Callable[[str], str], ...] = (
        *(lambda tag: tag.replace("-", "_"), lambda tag: tag.replace(":phase", "0:phase"), str.upper, lambda _: "%"),
        *(lambda tag: tag.split(":")[0], lambda tag: f" {tag}"),
    )
    views = {}
    for name in ("QUERY_HISTORY", "AGGREGATE_QUERY_HISTORY"):
        own = source.tables[name]
        views[name] = own + [
            row | {"QUERY_TAG": change(row["QUERY_TAG"]), "QUERY_ID": f"foreign-{n}-{m}"}
            if name == "QUERY_HISTORY"
            else row | {"QUERY_TAG": change(row["QUERY_TAG"])}
            for n, row in enumerate(own)
            for m, change in enumerate(alike)
        ]
    return source.with_views(**views)


def other_phases(source: Source) -> Source:
    def warm_up(number: int, row: Row) -> Row:
        tag = row.get("QUERY_TAG")
        phase = (":phase=WARMUP", ":phase=COOLDOWN", ":phase=MEASUREMENT", "")[number % 4]
        return row | {"QUERY_TAG": tag.replace(":phase=RUNNING", phase)} if tag else row

    return each_row(source, warm_up)


def at_the_edges(source: Source) -> Source:
    """Rows at the first moment of the window, just before it, at its last, just behind it."""
    start, end = (END - LENGTH).replace(second=0, tzinfo=UTC), (END + timedelta(minutes=5)).replace(tzinfo=UTC)
    edges = (start, start - MICROSECOND, end - MICROSECOND, end)
    names = ("START_TIME", "INTERVAL_START_TIME", "REQUESTED_AT")
    return each_row(source, lambda n, row: row | {name: edges[n % 4] for name in names if name in row})


def in_other_zones(source: Source) -> Source:
    zones = [ZoneInfo(name) for name in ("America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham")]

    def move(number: int, row: Row) -> Row:
        return {k: v.astimezone(zones[number % 4]) if isinstance(v, datetime) else v for k, v in row.items()}

    return each_row(source, move)


def quoted(source: Source) -> Source:
    """Every text with every kind of quote, the ids that join views alike in each."""
    kept = {"QUERY_TAG", "OBJECT_TYPE"}

    def quote(number: int, row: Row) -> Row:
        return {k: f"{v}{QUOTES[number % 10]}" if isinstance(v, str) and k not in kept else v for k, v in row.items()}

    views = {
        name: [quote(n + shift, row) for shift in (0, 4) for n, row in enumerate(source.tables[name])] for name in VIEWS
    }
    return source.with_views(**views)


@pytest.mark.parametrize(
    ("misbehave", "recovered"),
    [
        (twice, "rows are deduplicated before they are written"),
        (reversed_order, "no value depends on the order"),
        (empty, "looked at again, nothing is written as 0"),
        (only_the_newest, "empty but ready is an answer"),
        (unknown_keys, "only documented keys are read"),
        (missing_keys, "what needs them is NULL"),
        (texts, "text that is a number is one, other text is NULL"),
        (not_even_objects, "what is no OBJECT says nothing"),
        (longest_tags, "tags are matched whole"),
        (foreign_tags, "equal or followed by a colon, never LIKE"),
        (other_phases, "RUNNING, MEASUREMENT or no phase"),
        (at_the_edges, "from the floored minute to end + 5 min, exclusive"),
        (in_other_zones, "moments are stored in UTC"),
        (quoted, "values are bound, never pasted"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_one_look_at_views_that_misbehave(
    account: Account, settings: Settings, matrix: Matrix, misbehave: Misbehaviour, recovered: str
) -> None:
    trial = Trial(account, settings, misbehave(a_run()))
    trial.begin(ALL_KINDS)
    trial.last_look(matrix, f"view rows: {misbehave.__name__.replace('_', ' ')}", recovered)


@pytest.mark.parametrize("switch", DAYLIGHT_SAVING)
def test_runs_across_a_switch_of_daylight_saving(
    account: Account, settings: Settings, matrix: Matrix, switch: datetime
) -> None:
    trial = Trial(account, settings, in_other_zones(a_run(end=switch + LENGTH / 3)))
    trial.begin(("QUERY_HISTORY", "AGGREGATE"))
    trial.last_look(matrix, f"run across {switch:%Y-%m-%d %H}h UTC", "the clock is UTC")


@pytest.mark.parametrize("passes", [1, 3])
def test_rows_that_come_late_complete_what_was_provisional(
    account: Account, settings: Settings, matrix: Matrix, passes: int
) -> None:
    """Each pass finds a statement more; until the last one the task is looked at again."""
    whole = a_run(table_type="STANDARD", newest=END)
    trial = Trial(account, settings, only_the_newest(whole))
    trial.begin(KINDS)
    for known in range(STATEMENTS - passes, STATEMENTS):
        views = {name: [*whole.tables[name][:known], *whole.tables[name][STATEMENTS:]] for name in VIEWS}
        trial.change(whole.with_views(**views))
        trial.look()
        assert trial.before["QUERY_HISTORY"].task["REASON_CODE"] == "NOT_READY"
    trial.change(a_run(table_type="STANDARD"))
    trial.last_look(matrix, f"rows late by {passes} passes", "provisional, looked at again")
    assert {stored.task["STATUS"] for stored in trial.before.values()} == {"COMPLETED"}


def test_rows_that_come_after_the_horizon_are_found_by_a_retry(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    whole = a_run(table_type="STANDARD", end=NOW - timedelta(hours=16))
    behind = {name: whole.tables[name][: STATEMENTS // 2] for name in VIEWS}
    trial = Trial(account, settings, whole.with_views(**behind))
    trial.begin(KINDS)
    trial.look()
    assert {stored.task["REASON_CODE"] for stored in trial.before.values()} == {"HORIZON", None}
    trial.change(whole)
    trial.last_look(matrix, "rows late beyond the horizon", "HORIZON; a retry")


def test_rows_changed_after_the_first_read_replace_what_was_stored(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    def change(number: int, row: Row) -> Row:
        numbers = {k: v + number + 1 for k, v in row.items() if type(v) is int and not k.endswith("_ID")}
        return row | numbers | ({"END_TIME": row["END_TIME"] + timedelta(seconds=1)} if "END_TIME" in row else {})

    trial = Trial(account, settings, a_run())
    trial.begin(ALL_KINDS)
    trial.look()
    trial.change(each_row(trial.source, change))
    trial.last_look(matrix, "rows changed after the first read", "replaced as a whole")


def test_rows_that_vanish_after_the_first_read_stay_stored(
    account: Account, settings: Settings, matrix: Matrix
) -> None:
    whole = a_run()
    trial = Trial(account, settings, whole)
    trial.begin(ALL_KINDS)
    trial.look()
    trial.change(whole.with_views(**{name: [*whole.tables[name][1:STATEMENTS]] for name in VIEWS}))
    trial.look()
    assert {stored.task["REASON_CODE"] for stored in trial.before.values()} >= {"SOURCE_SHRUNK"}
    trial.change(whole)
    trial.last_look(matrix, "rows gone after the first read", "SOURCE_SHRUNK")


@pytest.mark.parametrize("view", VIEWS)
def test_null_in_any_column_loses_no_row_but_those_that_nothing_can_place(
    account: Account, settings: Settings, matrix: Matrix, view: str
) -> None:
    """One row per column of the view, that column NULL; what each stores is held against the oracle."""
    source = a_run()
    names = [column.name for column in find_table(view).columns]
    full = {column.name: _filler(column.type) for column in find_table(view).columns} | source.tables[view][0]
    rows = [full | _own_identity(view, place) | {name: None} for place, name in enumerate(names)]
    views = {view: [*rows, *source.tables[view][STATEMENTS:]]}
    if view in ("LOCK_WAIT_HISTORY", "QUERY_INSIGHTS"):
        statements = [source.tables["QUERY_HISTORY"][1] | {"QUERY_ID": f"null-{place}"} for place in range(len(names))]
        views["QUERY_HISTORY"] = [*statements, *source.tables["QUERY_HISTORY"]]
    kinds = ("QUERY_HISTORY", "AGGREGATE", "LOCK_CONTENTION", "QUERY_INSIGHTS", "HYBRID_CREDITS", "QUERY_ACCELERATION")
    kind = dict(zip(VIEWS, kinds, strict=True))
    trial = Trial(account, settings, source.with_views(**views))
    trial.begin([kind[view]])
    trial.last_look(matrix, f"NULL in each column of {view}", "what needs it is NULL")
    assert len(names) - 4 <= len(trial.before[kind[view]].rows) <= len(names)  # id, tag, start, calls place a row


def _filler(kind: str) -> Any:
    fillers = {
        "VARCHAR": "x",
        "TEXT": "x",
        "FLOAT": 0.5,
        "BOOLEAN": True,
        "OBJECT": STATISTICS,
        "ARRAY": [],
        "VARIANT": [],
    }
    return END.replace(tzinfo=UTC) if kind.startswith("TIMESTAMP") else fillers.get(kind, 7)


def _own_identity(view: str, place: int) -> Row:
    """What makes a row a stored row of its own."""
    if view == "AGGREGATE_QUERY_HISTORY":
        return {"QUERY_PARAMETERIZED_HASH": f"null-{place}"}
    numbered = {"HYBRID_TABLE_USAGE_HISTORY": "OBJECT_ID", "QUERY_ACCELERATION_HISTORY": "WAREHOUSE_ID"}
    return {numbered[view]: place} if view in numbered else {"QUERY_ID": f"null-{place}"}
