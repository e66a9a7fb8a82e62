"""Traffic of others in the same account, which must never be taken for a run's.

In the minutes of a run: tags that match the run's only through LIKE wildcards or as a longer word, no tag, an
empty tag, other people's and our own statements, and statements of the run's tag outside its window.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from local.sample.queries import Blocker, Insight, LockWait, Pattern, RawQuery
from local.sample.runs import SampleRun

BACKGROUND_GAP = timedelta(minutes=10)
"""The newest foreign statement in the views is this old; it is newer than every finished window."""

_REPORT = Pattern(
    "REPORT", "SELECT", "SELECT region, SUM(amount) FROM sales GROUP BY region", True, 35, 420, 0.5, 40, 90
)
_COPY = Pattern("LOAD", "INSERT", "INSERT INTO staging SELECT * FROM landing", True, 25, 300, 0.5, 500, 12)
_CONTROL = Pattern("CONTROL", "UPDATE", "UPDATE RUN_STATUS SET PHASE = ? WHERE RUN_ID = ?", True, 3, 9, 0.3)
_OWN = Pattern("OWN", "UPDATE", "UPDATE DELAYED_ENRICHMENT_TASKS SET STATUS = ?", True, 8, 40, 0.3, 1, 1)
_INSIGHT = Insight(1, "QUERY_INSIGHT_EXPLODING_JOIN", "JOIN", True, ("Add a join condition.",))


def lookalikes(tag: str, phase: str) -> tuple[str, ...]:
    """Tags that are not the run's, although LIKE or a careless prefix would say so.

    :param tag: base tag of the run, without phase
    :param phase: the run's word for the measured phase
    """
    wildcards = ("X", "-", ".") if "_" in tag else ()
    return (
        *(f"{tag.replace('_', letter)}:phase={phase}" for letter in wildcards),
        f"{tag}x",
        f"{tag}1:phase={phase}",
        f"{tag.upper()}:phase={phase}",
        f"x{tag}:phase={phase}",
    )


def intruders(run: SampleRun, *, seed: int, phase: str, newest: datetime) -> tuple[RawQuery, ...]:
    """Foreign statements in the minutes of a run, and the run's own tag outside its window.

    :param phase: the run's word for the measured phase
    :param newest: nothing in the views is newer than this
    """
    end = run.ended_at
    if end is None or not run.queries or end < run.started_at:
        return ()
    tag = next((query.tag for query in run.queries if query.tag and query.measured), None)
    base = tag.split(":phase=")[0] if tag else None
    tags: list[str | None] = [None, "", "flakebench", "dbt_nightly", "flakebench_enrichment:run=other"]
    patterns = {"flakebench": _CONTROL, "flakebench_enrichment:run=other": _OWN, "dbt_nightly": _COPY}
    own = run.queries[0].pattern
    moments: list[tuple[str | None, datetime]] = []
    rng = random.Random(f"{seed}/{run.name}/intruders")
    for foreign_tag in tags + list(lookalikes(base, phase) if base else ()):
        moments += [(foreign_tag, run.started_at + (end - run.started_at) * rng.uniform(0.15, 0.85)) for _ in (1, 2)]
    if base:
        outside = (run.started_at - timedelta(minutes=40), end + timedelta(minutes=30))
        moments += [(f"{base}:phase={phase}", moment) for moment in outside]
    made = _statements(
        rng,
        f"{seed}/{run.name}/intruders",
        [(t, m, patterns.get(t, own) if t else _REPORT) for t, m in sorted(moments, key=lambda item: item[1])],
    )
    return tuple(_troubled(query, n) for n, query in enumerate(made) if query.started_at <= newest)


def background(now: datetime, *, seed: int, hours: int = 9) -> tuple[RawQuery, ...]:
    """Statements of other people all over the last hours, until shortly before now."""
    rng = random.Random(f"{seed}/background")
    newest = now - BACKGROUND_GAP
    count = hours * 6
    moments = sorted(newest - timedelta(minutes=10 * n) for n in range(count))
    wanted = [(("dbt_nightly", None, "", "tableau")[n % 4], m, (_REPORT, _COPY)[n % 2]) for n, m in enumerate(moments)]
    return tuple(_troubled(query, n) for n, query in enumerate(_statements(rng, f"{seed}/background", wanted)))


def _statements(
    rng: random.Random, key: str, wanted: Iterable[tuple[str | None, datetime, Pattern]]
) -> Iterator[RawQuery]:
    mark = hashlib.sha256(key.encode()).hexdigest()
    for number, (tag, moment, pattern) in enumerate(wanted):
        yield RawQuery(
            query_id=f"01d{number:05x}-{mark[:4]}-{mark[4:8]}-0000-{mark[8:20]}",
            child_id=None,
            worker_id=0,
            session_id=5_000_000_000 + int(mark[:6], 16) * 100 + number % 3,
            user=("ANALYST_KIM", "DBT_CLOUD", "FLAKEBENCH_ADMIN")[number % 3],
            role=("ANALYST", "TRANSFORMER", "FLAKEBENCH_ROLE")[number % 3],
            warehouse="COMPUTE_WH",
            tag=tag,
            pattern=pattern,
            started_at=moment.replace(microsecond=moment.microsecond // 1000 * 1000),
            compilation_ms=rng.randint(5, 60),
            execution_ms=rng.randint(600, 2_500),
            bytes_scanned=rng.randint(1, 900) * 1_048_576,
            rows_produced=rng.randint(1, 5_000),
            partitions_scanned=rng.randint(1, 90),
            partitions_total=90,
            spilled_local=rng.randint(0, 3) * 16_777_216,
            cache_share=rng.randint(0, 256) / 256,
            throttled=number % 2 == 0,
            transaction_id=1_770_000_000_000_000_000 + number * 1_000_000,
            measured=False,
            logged=False,
            knows_query_id=False,
        )


def _troubled(query: RawQuery, number: int) -> RawQuery:
    """Foreign statements wait for locks, have insights and fail too."""
    if number % 4 == 1:
        asked = query.started_at + timedelta(milliseconds=query.compilation_ms)
        holder = Blocker(asked - timedelta(seconds=1), "01d00000-foreign-holder", query.transaction_id - 1)
        return replace(query, blocked_ms=9_100, reported_blocked_ms=9_100, lock_waits=(LockWait(asked, (holder,)),))
    if number % 4 == 2:
        return replace(query, insights=(_INSIGHT,))
    if number % 4 == 3:
        return replace(query, succeeded=False, error_code=1003, error_message="SQL compilation error")
    return query
