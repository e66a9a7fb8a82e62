"""Hypothesis strategies: rows as the views may return them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.sql.account import Row

QUOTES = (
    "plain",
    "it's",
    'say "hi"',
    "back\\slash",
    "100%",
    "%(tags)s",
    "{{ x }}",
    "a;b--c",
    "naïve 🧊",
    "tab\tline\nend",
)
"""Texts that break whatever forgets to quote."""

ZONES = tuple(ZoneInfo(name) for name in ("UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata"))
OBJECT_KEYS = ("sum", "avg", "stddev", "min", "median", "p90", "p99", "p99.9", "max")
HUGE = 10**15
MICROSECOND = timedelta(microseconds=1)  # the embedded Snowflake keeps no nanoseconds

junk = st.sampled_from(
    (None, "12", "3.5", "abc", "", "NaN", "inf", "-inf", "1e400", True, False, [1], {"sum": 1}, 10**40, -5, HUGE)
)


def mostly(value: Any, *others: Any) -> st.SearchStrategy[Any]:
    """One value in three of four draws, else one of the others."""
    return st.sampled_from((value,) * (3 * len(others)) + others)


@st.composite
def views(draw: st.DrawFn, results: list[Row], run_id: str, end: datetime, now: datetime) -> dict[str, list[Row]]:
    """Rows of every view, and the executions of the run."""
    children = [row for row in results if row["RUN_ID"] == run_id and row["TEST_ID"] != run_id]
    start = min(row["START_TIME"] for row in children)
    bases = [(row.get("QUERY_TAG") or "load test").partition(":phase=")[0] for row in children]
    moment, tag = moments(start, end), st.sampled_from(bases).flatmap(tags)
    ids = st.sampled_from([f"q{number}-{text}" for number, text in enumerate(QUOTES)])
    newest = draw(
        mostly(end + timedelta(minutes=6), end, end + timedelta(minutes=5), end + timedelta(minutes=5) + MICROSECOND)
    )
    newest = min(newest, now).replace(tzinfo=UTC)
    beside = {"QUERY_TAG": "somebody else"}
    executions = draw(st.lists(_execution(ids, [row["TEST_ID"] for row in children], start), max_size=8))
    found = {
        "QUERY_HISTORY": draw(_rows(_query(ids, moment, tag), 16)),
        "AGGREGATE_QUERY_HISTORY": draw(_rows(_interval(moment, tag), 12)),
        "LOCK_WAIT_HISTORY": draw(_rows(_wait(ids, moment), 10)),
        "QUERY_INSIGHTS": draw(_rows(_insight(ids, moment), 10)),
        "HYBRID_TABLE_USAGE_HISTORY": draw(_rows(_usage(start, end), 5)),
        "QUERY_ACCELERATION_HISTORY": draw(_rows(_acceleration(start, end), 5)),
    }
    found["QUERY_HISTORY"].append({"QUERY_ID": "newest", "START_TIME": newest, **beside})
    found["AGGREGATE_QUERY_HISTORY"].append(
        {"INTERVAL_START_TIME": newest - timedelta(minutes=1), "INTERVAL_END_TIME": newest, "CALLS": 3, **beside}
    )
    return found | {"QUERY_EXECUTIONS": executions}


@st.composite
def _rows(draw: st.DrawFn, row: st.SearchStrategy[Row], most: int) -> list[Row]:
    """Rows, some of them twice, in any order, some columns NULL."""
    rows = draw(st.lists(row, min_size=draw(mostly(most // 2, 0)), max_size=most))
    for _ in range(draw(st.integers(0, 2)) if rows else 0):
        rows.append(dict(draw(st.sampled_from(rows))))
    for place, name in draw(st.lists(st.tuples(st.integers(0, most), st.integers(0, 40)), max_size=4)) if rows else ():
        target = rows[place % len(rows)]
        target[sorted(target)[name % len(target)]] = None
    return list(draw(st.permutations(rows)))


def moments(start: datetime, end: datetime) -> st.SearchStrategy[datetime]:
    """Moments in a run's window and at its edges, in any zone."""
    floor, padded = start.replace(second=0, microsecond=0), end + timedelta(minutes=5)
    edges = (floor, floor - MICROSECOND, padded, padded - MICROSECOND, start, end)
    inside = [start + timedelta(seconds=10 * step) for step in range(8)]
    return st.builds(
        lambda moment, zone: moment.replace(tzinfo=UTC).astimezone(zone),
        st.sampled_from((*inside * 4, *edges)),
        st.sampled_from(ZONES),
    )


def tags(base: str) -> st.SearchStrategy[str | None]:
    """Query tags around a run's: its phases, extensions, what only looks alike, the longest."""
    return st.sampled_from(
        (
            *(base, f"{base}:phase=MEASUREMENT:step=2", *(f"{base}:phase=RUNNING",) * 30),
            *(f"{base}:phase=WARMUP", f"{base}:phase=COOLDOWN", f"{base}:phase=running", f"{base}:", f"{base}:note=x"),
            *(f"{base}x", base[:-1], base.upper(), base.replace("-", "_"), "%", "", None),
            f"{base}:{'y' * (1986 - len(base))}:phase=RUNNING"[:2000],
        )
    )


@st.composite
def _execution(draw: st.DrawFn, ids: st.SearchStrategy[str], children: list[str], start: datetime) -> Row:
    """One row of QUERY_EXECUTIONS."""
    query_id = draw(ids)
    return {
        "TEST_ID": draw(st.sampled_from(children)),
        "QUERY_TEXT": "SELECT 1",
        "START_TIME": start,
        "END_TIME": start,
        "DURATION_MS": 1.0,
        "SUCCESS": draw(mostly(True, False)),
        "WARMUP": draw(st.sampled_from((None, False, True))),
        "QUERY_ID": draw(mostly(query_id, f"LOCAL_{query_id}")),
    }


@st.composite
def _query(draw: st.DrawFn, ids: st.SearchStrategy[str], moment: st.SearchStrategy[datetime], tag: Any) -> Row:
    size = st.sampled_from((0, 1, 7, 1000, HUGE))
    began = draw(moment)
    return {
        "QUERY_ID": draw(ids),
        "QUERY_TAG": draw(tag),
        "QUERY_TEXT": draw(st.sampled_from(QUOTES)),
        "START_TIME": began,
        "END_TIME": began + timedelta(seconds=draw(st.integers(-1, 3))),
        "TOTAL_ELAPSED_TIME": draw(size),
        "QUERY_PARAMETERIZED_HASH": draw(st.sampled_from(("h1", "h2", "h'\\"))),
        "BYTES_SCANNED": draw(size),
        "PERCENTAGE_SCANNED_FROM_CACHE": draw(st.sampled_from((0.0, 0.25, 1.0))),
        "PARTITIONS_SCANNED": draw(size),
        "PARTITIONS_TOTAL": draw(size),
        "BYTES_SPILLED_TO_LOCAL_STORAGE": draw(size),
        "BYTES_SPILLED_TO_REMOTE_STORAGE": draw(size),
        "TRANSACTION_BLOCKED_TIME": draw(st.sampled_from((0, 7000, HUGE))),
    }


@st.composite
def statistics(draw: st.DrawFn) -> Any:
    """An OBJECT column of AGGREGATE_QUERY_HISTORY: keys missing or unknown, values of any kind."""
    if draw(mostly(False, True)):
        return None
    unit = draw(st.sampled_from((0, 1, 12.5, 40, HUGE)))
    values = {key: unit * factor for key, factor in zip(OBJECT_KEYS, (10, 1, 0.5, 0.5, 1, 2, 3, 4, 5), strict=True)}
    if draw(st.booleans()):
        return values
    values |= draw(st.dictionaries(st.sampled_from((*OBJECT_KEYS, "p50", "SUM", 'odd "key"')), junk, max_size=3))
    for key in draw(st.lists(st.sampled_from(OBJECT_KEYS), max_size=2)):
        values.pop(key, None)
    return values


@st.composite
def _interval(draw: st.DrawFn, moment: st.SearchStrategy[datetime], tag: Any) -> Row:
    began = draw(moment)
    error = st.fixed_dictionaries(
        {},
        optional={
            "code": st.sampled_from((604, "604", "000630", None)),
            "message": st.sampled_from((*QUOTES, None)),
            "count": st.sampled_from((1, 2, "3", "many", None, True, "", [2])),
        },
    )
    return {
        "INTERVAL_START_TIME": began,
        "INTERVAL_END_TIME": began + timedelta(minutes=1),
        "QUERY_TAG": draw(tag),
        "CALLS": draw(mostly(10, 1, 0, 40, 1000)),
        "SESSION_ID": draw(st.integers(1, 3)),
        "QUERY_PARAMETERIZED_HASH": draw(st.sampled_from(("h1", "h1", "h2", "", None))),
        **{name: draw(statistics()) for name in ("EXECUTION_TIME", "COMPILATION_TIME", "TOTAL_ELAPSED_TIME")},
        **{name: draw(statistics()) for name in ("QUEUED_OVERLOAD_TIME", "BYTES_SCANNED")},
        "ERRORS": draw(st.sampled_from((None, [])))
        if draw(st.booleans())
        else draw(st.lists(error | junk, max_size=3)),
        "HYBRID_TABLE_REQUESTS_THROTTLED_COUNT": draw(st.sampled_from((None, 0, 3))),
        "QUERY_TEXT": draw(st.sampled_from(QUOTES)),
        "WAREHOUSE_NAME": draw(st.sampled_from(QUOTES)),
    }


@st.composite
def _wait(draw: st.DrawFn, ids: st.SearchStrategy[str], moment: st.SearchStrategy[datetime]) -> Row:
    began = draw(moment)
    blocker = st.fixed_dictionaries(
        {},
        optional={
            "query_id": st.sampled_from(("b1", "b'2", "", None, 5, {"id": "b3"})),
            "transaction_id": st.sampled_from((1, 2, "3", "", "abc", None, True, 10**40)),
            "is_snowflake": st.sampled_from((True, False, "true", "maybe", "", None, 1, [True])),
        },
    )
    blockers = draw(st.one_of(st.none(), st.lists(blocker | junk, max_size=3), blocker, junk))
    return {
        "QUERY_ID": draw(ids),
        "REQUESTED_AT": began,
        "BLOCKER_QUERIES": blockers,
        "ACQUIRED_AT": began + timedelta(milliseconds=draw(st.sampled_from((-1, 0, 6000, 6001)))),
        "TRANSACTION_ID": draw(st.integers(1, 2)),
        "OBJECT_ID": draw(st.integers(1, 2)),
        "LOCK_TYPE": draw(st.sampled_from(("Row", "PARTITION", "a lock type that nobody has heard of"))),
        **{name: draw(st.sampled_from(QUOTES)) for name in ("OBJECT_NAME", "SCHEMA_NAME", "DATABASE_NAME")},
    }


@st.composite
def _insight(draw: st.DrawFn, ids: st.SearchStrategy[str], moment: st.SearchStrategy[datetime]) -> Row:
    began = draw(moment)
    return {
        "QUERY_ID": draw(ids),
        "START_TIME": began,
        "END_TIME": began + timedelta(seconds=draw(st.integers(0, 1))),
        "TOTAL_ELAPSED_TIME": draw(st.integers(0, 2)),
        "INSIGHT_INSTANCE_ID": draw(st.sampled_from((1, 2, None))),
        "INSIGHT_TYPE_ID": draw(st.sampled_from(("QUERY_INSIGHT_SPILL", "QUERY_INSIGHT_JOIN", "X" * 200, None))),
        "INSIGHT_TOPIC": draw(st.sampled_from(("TABLE_SCAN", "JOIN", "Y" * 80, None))),
        "IS_OPPORTUNITY": draw(st.booleans()),
        "QUERY_PARAMETERIZED_HASH": draw(st.sampled_from(("h1", "h2"))),
        "MESSAGE": draw(st.sampled_from(({"text": "m"}, ["m"], 'it\'s "quoted"', 5, True))),
        "SUGGESTIONS": draw(st.sampled_from((None, [], ["do this"], ["it's", 'a "b"', "100%\\"]))),
    }


@st.composite
def _usage(draw: st.DrawFn, start: datetime, end: datetime) -> Row:
    floor, padded = start.replace(second=0, microsecond=0), end + timedelta(minutes=5)
    hour = timedelta(hours=1)
    began = draw(st.sampled_from((floor - hour, floor - hour - MICROSECOND, floor, padded - MICROSECOND, padded)))
    return {
        "START_TIME": began.replace(tzinfo=UTC).astimezone(draw(st.sampled_from(ZONES))),
        "END_TIME": (began + draw(st.sampled_from((hour, hour / 2)))).replace(tzinfo=UTC),
        "OBJECT_TYPE": draw(st.sampled_from(("ACCOUNT", "it's"))),
        "OBJECT_ID": draw(st.sampled_from((1, 2, None))),
        "CREDITS_USED": draw(st.sampled_from((0.5, 0.000000001, 1000, None))),
    }


@st.composite
def _acceleration(draw: st.DrawFn, start: datetime, end: datetime) -> Row:
    hour = draw(_usage(start, end))
    return {name: hour[name] for name in ("START_TIME", "END_TIME", "CREDITS_USED")} | {
        "WAREHOUSE_ID": draw(st.sampled_from((1, 2, None))),
        "WAREHOUSE_NAME": draw(mostly("BENCH_WH", "bench_wh", "BENCH_WH_2", "it's")),
    }
