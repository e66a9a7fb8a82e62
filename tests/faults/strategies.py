"""Hypothesis strategies: runs as FlakeBench may leave them, and how their sources change between two looks."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from tests.faults.sources import HYBRID_KINDS, KINDS, VIEWS, Source
from tests.faults.view_rows import QUOTES, mostly, views
from tests.sql.account import Row

LATE = timedelta(hours=5)
DAYLIGHT_SAVING = (
    datetime(2025, 3, 9, 10),  # America/Los_Angeles
    datetime(2025, 11, 2, 9),
    datetime(2025, 3, 30, 1),  # Europe/Berlin
    datetime(2025, 10, 26, 1),
)
"""Moments, in UTC, at which clocks were changed."""


@st.composite
def sources(draw: st.DrawFn, now: datetime) -> Source:
    """A run, other runs beside it, and rows in every view."""
    run_id = draw(st.sampled_from(("run-1", "run-1", "run-'1\\", 'run"%_1', "run 🧊")))
    end = draw(mostly(now - LATE, now - timedelta(days=2), now - timedelta(hours=1), *DAYLIGHT_SAVING))
    end = end.replace(microsecond=0) - timedelta(seconds=draw(st.integers(0, 59)))
    tables: dict[str, list[Row]] = {"TEST_RESULTS": draw(run_rows(run_id, end))}
    if draw(mostly(False, True)):
        phase = draw(st.sampled_from(("COMPLETED", "PROCESSING")))
        tables["RUN_STATUS"] = [{"RUN_ID": run_id, "TEST_ID": run_id, "STATUS": "COMPLETED", "PHASE": phase}]
    queued_at = max(end, now - timedelta(days=20))
    return Source(run_id, tables | draw(views(tables["TEST_RESULTS"], run_id, end, now)), queued_at)


def kinds_of(source: Source) -> tuple[str, ...]:
    """The types that apply to a source's run."""
    parents = [row for row in source.tables["TEST_RESULTS"] if row.get("TEST_ID") == source.run_id]
    return HYBRID_KINDS if parents and parents[0]["TABLE_TYPE"].strip().upper() in ("HYBRID", "UNISTORE") else KINDS


@st.composite
def run_rows(draw: st.DrawFn, run_id: str, end: datetime) -> list[Row]:
    """The parent, one to four children, and other runs that may carry the same tags."""
    start = end - timedelta(minutes=draw(st.integers(0, 12)), microseconds=draw(st.sampled_from((0, 1, 999_999))))
    common = {
        "TEST_NAME": "t",
        "SCENARIO_NAME": draw(st.sampled_from(QUOTES)),
        "TABLE_NAME": "T",
        "CONCURRENT_CONNECTIONS": 1,
        "WAREHOUSE": draw(mostly("BENCH_WH", " bench_wh ", "it's", "", None)),
        "STATUS": draw(st.sampled_from(("COMPLETED",) * 8 + ("FAILED", "RUNNING"))),
        "TABLE_TYPE": draw(mostly("STANDARD", "HYBRID", "unistore ", "Interactive", "dynamic?")),
    }
    if draw(st.booleans()):
        common["TABLE_TYPE"] = "HYBRID"
    parent = {"TEST_ID": run_id, "RUN_ID": run_id, "START_TIME": start - timedelta(hours=9), "END_TIME": end} | common
    if draw(mostly(True, False)):
        parent |= {"END_TIME": None}
    style = draw(st.sampled_from(("current", "current", "old", "custom", "nested", "shared", "bare")))
    rows = [parent]
    for number in range(1, draw(st.integers(1, 4)) + 1):
        child = f"{run_id}-c{number if number < 4 else 11}"  # one id begins another
        rows.append(
            {
                "TEST_ID": child,
                "RUN_ID": run_id,
                "START_TIME": start,
                "END_TIME": end,
                **common,
                "QUERY_TAG": _child_tag(style, run_id, child, number),
                "TOTAL_OPERATIONS": draw(st.sampled_from((None, 0, 10, 40))),
                "FAILED_OPERATIONS": draw(st.sampled_from((None, 0, 5, 60))),
            }
        )
        oddity = draw(mostly(None, "no tag", "blank tag", "no end", "inverted"))
        rows[-1] |= {
            None: {},
            "no tag": {"QUERY_TAG": None},
            "blank tag": {"QUERY_TAG": "  "},
            "no end": {"END_TIME": None},
            "inverted": {"END_TIME": start - timedelta(hours=1)},
        }[oddity]
    if draw(mostly(False, True)):
        rows.append(dict(rows[-1]))  # TEST_RESULTS enforces no key
    if draw(st.booleans()):
        other = {"TEST_ID": "other-c1", "RUN_ID": "other", "START_TIME": start, "END_TIME": end, **common}
        away = draw(st.sampled_from((timedelta(), timedelta(days=1))))
        tag = draw(st.sampled_from((rows[-1].get("QUERY_TAG"), "load test:more", "flakebench:test_id=other-c1")))
        rows.append(other | {"QUERY_TAG": tag, "START_TIME": start - away, "END_TIME": end - away})
    return rows


def _child_tag(style: str, run_id: str, child: str, number: int) -> str | None:
    return {
        "current": f"flakebench:test_id={child}",
        "old": f"flakebench:run_id={run_id}:test_id={child}:phase=MEASUREMENT",
        "shared": "load test",
        "custom": f"{QUOTES[number]} {child} ",
        "bare": "flakebench",
        "nested": f"bench {run_id}" if number == 1 else f"bench {run_id}:{child}",
    }[style]


@st.composite
def changed(draw: st.DrawFn, source: Source, now: datetime) -> Source:
    """The same run, looked at again: rows late, gone, doubled, changed, in another order."""
    end = max((row["END_TIME"] for row in source.tables["TEST_RESULTS"] if row.get("END_TIME")), default=now)
    fresh = draw(views(source.tables["TEST_RESULTS"], source.run_id, end, now))
    result: dict[str, list[Row]] = {}
    is_less = draw(mostly(False, True))
    for name in VIEWS:
        rows = [dict(row) for row in source.tables[name]]
        rows = rows[draw(st.integers(0, 2)) :] if is_less else rows + fresh[name][: draw(st.integers(0, 4))]
        for row in rows[: draw(st.integers(0, 2))]:
            row.update(draw(st.sampled_from(fresh[name])) if draw(st.booleans()) and fresh[name] else {})
        rows += rows[: draw(st.integers(0, 2))]
        result[name] = list(draw(st.permutations(rows)))
    return source.with_views(**result)
