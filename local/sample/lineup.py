"""The runs of the sample account: what each one is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.sample.queries import Pattern
from local.sample.workload import Workload

HEALTHY, BROKEN = "healthy", "broken"
BILLED_END = datetime(2026, 2, 20, 10, 3, tzinfo=UTC)
"""End of the hybrid run from before 2026-03-01, when hybrid table requests were still billed."""

_UB = "/*UB_KIND={} UB_OP={}*/ "
LOOKUP = Pattern("POINT_LOOKUP", "SELECT", _UB.format("POINT_LOOKUP", "READ") + "SELECT * FROM orders WHERE id = ?")
SCAN = Pattern(
    "RANGE_SCAN",
    "SELECT",
    _UB.format("RANGE_SCAN", "READ") + "SELECT * FROM orders WHERE id >= ? LIMIT 100",
    True,
    5,
    24,
    0.5,
    100,
)
INSERT = Pattern("INSERT", "INSERT", _UB.format("INSERT", "WRITE") + "INSERT INTO orders VALUES (?, ?)", True, 3, 15)
UPDATE = Pattern(
    "UPDATE",
    "UPDATE",
    _UB.format("UPDATE", "WRITE") + "UPDATE orders SET state = ? WHERE id = ?",
    True,
    4,
    18,
)
OLTP = ((LOOKUP, 50), (SCAN, 20), (INSERT, 15), (UPDATE, 15))

_GENERIC = _UB.format("GENERIC_SQL", "READ")
SUMMARY = Pattern(
    "GENERIC_SQL",
    "SELECT",
    _GENERIC + "SELECT c, SUM(v) FROM facts WHERE d >= ? GROUP BY c",
    True,
    45,
    620,
    0.5,
    80,
    480,
)
JOIN = Pattern(
    "GENERIC_SQL",
    "SELECT",
    _GENERIC + "SELECT * FROM facts JOIN dims USING (k) WHERE k = ?",
    True,
    60,
    240,
    0.4,
    200,
    480,
)
FACT_LOOKUP = Pattern(
    "POINT_LOOKUP",
    "SELECT",
    _UB.format("POINT_LOOKUP", "READ") + "SELECT * FROM facts WHERE k = ?",
    True,
    20,
    60,
    0.4,
    1,
    480,
)
UNHASHED = Pattern(
    "GENERIC_SQL",
    "UNKNOWN",
    _GENERIC + "SELECT * FROM IDENTIFIER(?)",
    hashed=False,
    compile_ms=30,
    execution_ms=35,
    partitions=24,
)
TWIN = Pattern("GENERIC_SQL", "SELECT", _GENERIC + "SELECT 1 FROM facts LIMIT ?", partitions=1)
OLAP = ((SUMMARY, 25), (JOIN, 35), (FACT_LOOKUP, 40))

CHILD_TAG = "flakebench:test_id={child}"
OLD_TAG = "flakebench:run_id={run}:test_id={child}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the account.

    :param ended: time since the end of the run, or the end itself; the end is cut to the full minute
    :param tag: base tag of the children; ``{run}`` and ``{child}`` are filled in; NULL and empty as such
    :param stored_tag_tail: what TEST_RESULTS.QUERY_TAG carries beyond the base tag
    :param traits: what else happens, see ``account``
    """

    name: str
    purpose: str
    table_type: str
    ended: timedelta | datetime
    workload: Workload
    workers: int = 2
    status: str = "COMPLETED"
    group: str = HEALTHY
    tag: str | None = CHILD_TAG
    stored_tag_tail: str = ""
    traits: frozenset[str] = field(default_factory=frozenset)


def _traits(*names: str) -> frozenset[str]:
    return frozenset(names)


_SMALL_OLAP = Workload(OLAP, 40, minutes=6)
_HOUR = timedelta(hours=1)

PLANS: tuple[Plan, ...] = (
    Plan(
        "hybrid-settled",
        "hybrid tables with lock waits, throttling and errors; everything is due",
        "HYBRID",
        5 * _HOUR,
        Workload(OLTP, 2000, warmup=120, cooldown=30, hybrid=True, failing=61),
        3,
        traits=_traits("locks", "client_failures"),
    ),
    Plan(
        "hybrid-fresh",
        "hybrid tables, an hour old: only QUERY_HISTORY is due",
        "HYBRID",
        timedelta(minutes=60),
        Workload(OLTP, 240, warmup=24, hybrid=True, failing=61),
        2,
        traits=_traits("locks"),
    ),
    Plan(
        "hybrid-billed",
        "hybrid tables while they were billed, with a job that a person queued",
        "HYBRID",
        BILLED_END,
        Workload(OLTP, 240, minutes=11, warmup=24, hybrid=True, failing=61),
        2,
        traits=_traits("locks", "usage", "queued_by_person"),
    ),
    Plan(
        "standard-settled",
        "spills, insights, a pattern without hash, rows returned twice",
        "STANDARD",
        5 * _HOUR,
        Workload((*OLAP, (UNHASHED, 8)), 320, warmup=24, untagged_phase=13, failing=47),
        3,
        traits=_traits("insights", "client_failures", "known_failure", "repeats", "parent_in_local_time"),
    ),
    Plan(
        "standard-fresh",
        "an hour old: QUERY_INSIGHTS and AGGREGATE are not due",
        "STANDARD",
        timedelta(minutes=60),
        Workload(OLAP, 120, failing=47),
        2,
        traits=_traits("insights", "repeats"),
    ),
    Plan("standard-new", "20 minutes old: nothing is due", "STANDARD", timedelta(minutes=20), _SMALL_OLAP),
    Plan(
        "standard-filling",
        "AGGREGATE_QUERY_HISTORY holds 60 % of the calls: provisional, not ready",
        "STANDARD",
        timedelta(minutes=201),
        Workload(OLAP, 200, minutes=13),
        2,
        traits=_traits("filling"),
    ),
    Plan(
        "standard-single-minute",
        "one pattern, one session, one minute: its percentiles are exact",
        "STANDARD",
        6 * _HOUR,
        Workload(((FACT_LOOKUP, 1),), 100, minutes=1, warmup=6, cooldown=3, sessions=1),
        1,
    ),
    Plan(
        "interactive-settled",
        "no QUERY_EXECUTIONS, and end times on the parent only",
        "INTERACTIVE",
        timedelta(minutes=330),
        Workload(OLAP, 150, sessions=2, logged=False),
        1,
        traits=_traits("twins", "ends_on_parent"),
    ),
    Plan(
        "dynamic-settled",
        "a tag of the user's own, table type in lower case",
        "dynamic",
        timedelta(minutes=345),
        Workload(OLAP, 120),
        1,
        tag="nightly-dynamic-bench",
    ),
    Plan(
        "unistore-settled",
        "the older tag with run id and phase MEASUREMENT",
        "UNISTORE",
        8 * _HOUR,
        Workload(OLTP, 240, warmup=24, hybrid=True, failing=61, phases=("WARMUP", "MEASUREMENT", "COOLDOWN")),
        2,
        tag=OLD_TAG,
        stored_tag_tail=":phase=MEASUREMENT",
        traits=_traits("locks"),
    ),
    Plan(
        "postgres",
        "no enrichment type applies",
        "POSTGRES",
        2 * _HOUR,
        Workload(OLTP, 60, minutes=6),
        traits=_traits("outside_snowflake"),
    ),
    Plan("failed", "a failed run has no job", "STANDARD", 4 * _HOUR, _SMALL_OLAP, status="FAILED"),
    Plan(
        "cancelled",
        "a cancelled run has no job",
        "HYBRID",
        6 * _HOUR,
        Workload(OLTP, 40, minutes=6, hybrid=True),
        status="CANCELLED",
    ),
    Plan(
        "running",
        "a running run has no job",
        "STANDARD",
        timedelta(minutes=2),
        _SMALL_OLAP,
        status="RUNNING",
        traits=_traits("no_end"),
    ),
    Plan("broken-no-tags", "NULL tags on every row", "STANDARD", 5 * _HOUR, _SMALL_OLAP, group=BROKEN, tag=None),
    Plan(
        "broken-bare-tag",
        "nothing but the control-plane tag",
        "STANDARD",
        5 * _HOUR,
        _SMALL_OLAP,
        group=BROKEN,
        tag="flakebench",
    ),
    Plan(
        "broken-empty-tags",
        "one child with a NULL tag, one with an empty one",
        "STANDARD",
        5 * _HOUR,
        _SMALL_OLAP,
        group=BROKEN,
        tag="",
        traits=_traits("first_tag_null"),
    ),
    Plan(
        "broken-no-end",
        "no END_TIME anywhere",
        "STANDARD",
        5 * _HOUR,
        _SMALL_OLAP,
        group=BROKEN,
        traits=_traits("no_end"),
    ),
    Plan(
        "broken-inverted",
        "ends before it starts",
        "STANDARD",
        5 * _HOUR,
        _SMALL_OLAP,
        group=BROKEN,
        traits=_traits("inverted"),
    ),
    Plan(
        "broken-future",
        "ends three days from now",
        "STANDARD",
        timedelta(minutes=30),
        _SMALL_OLAP,
        group=BROKEN,
        traits=_traits("ends_ahead"),
    ),
)
