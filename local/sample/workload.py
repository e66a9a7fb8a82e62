"""Raw statements of one run: who sent what, when, and how long it took.

Each run has a short warm-up, a measured part and a cooldown. It starts five seconds after a full minute and
the measured part begins inside that minute, so that only a window floored to the minute holds its first row.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from local.sample.queries import Pattern, RawQuery
from local.sample.runs import SampleChild

LEAD_IN = timedelta(seconds=5)
COOLDOWN = timedelta(seconds=10)
RELEASES = ("10.31.102", "10.31.103")
SHORT_MS = 500
"""A statement on hybrid tables leaves a record in QUERY_HISTORY above this elapsed time, ms."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What the workers of a run send.

    :param patterns: statements and their weights
    :param measured: statements in the measured part
    :param minutes: length of the run
    :param sessions: sessions of each worker
    :param hybrid: short statements leave no record in QUERY_HISTORY
    :param phases: phase words in the tags of warm-up, measured part and cooldown
    :param untagged_phase: each n-th measured statement carries the tag without a phase; 0 for none
    :param failing: each n-th measured statement fails; 0 for none
    :param logged: whether FlakeBench stores its statements
    """

    patterns: tuple[tuple[Pattern, int], ...]
    measured: int
    minutes: int = 12
    warmup: int = 12
    cooldown: int = 6
    sessions: int = 2
    hybrid: bool = False
    phases: tuple[str, str, str] = ("WARMUP", "RUNNING", "COOLDOWN")
    untagged_phase: int = 0
    failing: int = 0
    logged: bool = True


FAILURES = (
    (200001, "A primary key already exists."),
    (625, "Statement aborted: number of waiters for this lock exceeds the 20 statements limit."),
    (100038, "Numeric value is not recognized"),
)


def measured_span(workload: Workload, ended_at: datetime) -> tuple[datetime, datetime]:
    """First and last moment of the measured part."""
    first_minute = ended_at - timedelta(minutes=workload.minutes)
    warmup = timedelta(seconds=min(30, 10 * workload.minutes))
    return first_minute + LEAD_IN + warmup, ended_at - COOLDOWN


def statements(
    workload: Workload,
    *,
    run_key: str,
    seed: int,
    children: tuple[SampleChild, ...],
    tags: dict[str, str | None],
    ended_at: datetime,
) -> tuple[RawQuery, ...]:
    """All statements of a run in order of time.

    :param run_key: name of the run; with the seed it decides every random value
    :param tags: base tag by child id, without phase
    :param ended_at: end of the run, a full minute
    """
    rng = random.Random(f"{seed}/{run_key}")
    session_base = 4_000_000_000 + int(hashlib.sha256(run_key.encode()).hexdigest()[:6], 16) * 100
    measured_from, measured_to = measured_span(workload, ended_at)
    first = ended_at - timedelta(minutes=workload.minutes) + LEAD_IN
    release_change = measured_from + (measured_to - measured_from) / 2 if workload.minutes > 1 else ended_at
    parts = (
        (0, workload.warmup, first, measured_from),
        (1, workload.measured, measured_from, measured_to),
        (2, workload.cooldown, measured_to, ended_at),
    )
    made: list[RawQuery] = []
    for part, count, part_from, part_to in parts:
        for index, started_at in enumerate(_arrivals(rng, count, part_from, part_to)):
            child = children[index % len(children)]
            session = index // len(children) % workload.sessions
            query = RawQuery(
                query_id="",
                child_id=child.test_id,
                worker_id=child.worker_id,
                session_id=session_base + child.worker_id * 10 + session,
                user=f"BENCH_APP_{session + 1}",
                tag=_tag(workload, tags[child.test_id], part, index),
                pattern=_pick(rng, workload),
                started_at=started_at,
                compilation_ms=0,
                execution_ms=0,
                release=RELEASES[started_at >= release_change],
                warmup=part == 0,
                measured=part == 1,
                logged=workload.logged and part != 2,
            )
            query = _timed(rng, query, index)
            if part == 1 and workload.failing and index % workload.failing == workload.failing - 1:
                query = _failed(query, index // workload.failing)
            if part == 1 and workload.hybrid:
                query = replace(query, throttled=index % 97 == 50)
            made.append(query)
    return tuple(_numbered(_recorded(query, workload), run_key, seed, n) for n, query in enumerate(made))


def _arrivals(rng: random.Random, count: int, start: datetime, end: datetime) -> Iterator[datetime]:
    """Evenly spread moments with jitter inside each slot, to the millisecond."""
    slot = (end - start) / max(count, 1)
    for index in range(count):
        moment = start + slot * (index + rng.uniform(0.1, 0.9))
        yield moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _pick(rng: random.Random, workload: Workload) -> Pattern:
    patterns, weights = zip(*workload.patterns, strict=True)
    return rng.choices(patterns, weights)[0]  # type: ignore[no-any-return]


def _tag(workload: Workload, base: str | None, part: int, index: int) -> str | None:
    if not base:
        return base
    if part == 1 and workload.untagged_phase and index % workload.untagged_phase == workload.untagged_phase - 1:
        return base
    return f"{base}:phase={workload.phases[part]}"


def _timed(rng: random.Random, query: RawQuery, index: int) -> RawQuery:
    """Times and volumes; now and then a statement is slow, queues or spills."""
    pattern = query.pattern
    execution_ms = max(1, round(rng.lognormvariate(math.log(pattern.execution_ms), pattern.spread)))
    if index % 211 == 100:
        execution_ms += 620
    total = pattern.partitions
    scanned = rng.randint(max(1, total // 20), total) if total else 0
    spills = total > 0 and pattern.execution_ms >= 400 and index % 5 == 2
    rows = rng.randint(1, pattern.rows * 2) if pattern.rows > 1 else 1
    return replace(
        query,
        compilation_ms=max(1, round(rng.lognormvariate(math.log(pattern.compile_ms), pattern.spread))),
        execution_ms=execution_ms,
        queued_overload_ms=rng.randint(20, 240) if total and index % 23 == 7 else 0,
        queued_provisioning_ms=rng.randint(400, 900) if total and index < 3 else 0,
        network_ms=round(rng.uniform(1.5, 60.0), 3),
        bytes_scanned=scanned * 3_145_728 + rng.randint(0, 4096) * 16 if total else rows * 4096,
        rows_produced=rows,
        partitions_scanned=scanned,
        partitions_total=total,
        spilled_local=rng.randint(1, 64) * 16_777_216 if spills else 0,
        spilled_remote=rng.randint(1, 8) * 16_777_216 if spills and index % 2 == 0 else 0,
        cache_share=rng.randint(0, 256) / 256 if total else 0.0,
    )


def _failed(query: RawQuery, number: int) -> RawQuery:
    """A statement that Snowflake refused; FlakeBench does not know its query id."""
    code, message = FAILURES[number % len(FAILURES)]
    return replace(
        query, succeeded=False, error_code=code, error_message=message, knows_query_id=False, rows_produced=0
    )


def _recorded(query: RawQuery, workload: Workload) -> RawQuery:
    return replace(query, in_query_history=not workload.hybrid or query.elapsed_ms > SHORT_MS)


def _numbered(query: RawQuery, run_key: str, seed: int, number: int) -> RawQuery:
    """Query and transaction ids rise with time, as Snowflake's do."""
    mark = hashlib.sha256(f"{seed}/{run_key}".encode()).hexdigest()
    return replace(
        query,
        query_id=f"01c{number:05x}-{mark[:4]}-{mark[4:8]}-0000-{mark[8:20]}",
        transaction_id=0 if query.pattern.is_read else 1_760_000_000_000_000_000 + number * 1_000_000,
    )
