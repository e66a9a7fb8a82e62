"""Benchmark runs of every table type that are all due: what a deployment finds after days without a worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from local.sample.foreign import background
from local.sample.lineup import PLANS
from local.sample_account import Account, build_account

KINDS = (
    "hybrid-settled",
    "unistore-settled",
    "standard-settled",
    "interactive-settled",
    "dynamic-settled",
    "hybrid-fresh",
    "standard-fresh",
    "standard-single-minute",
)
WARM_UP = 2 * len(KINDS)
"""Runs to enrich before anything is measured, two of each kind: the embedded Snowflake translates the first statements
of each shape, which Snowflake does not, and keeps what it has learned.
"""

_YOUNGEST = timedelta(hours=6)  # every type is due after 3 h 15 min
_OLDEST = timedelta(days=6, hours=6)  # runs are discovered for seven days; one kind's parent says it ended 8 h earlier
_APART = timedelta(hours=1)
"""Between two runs of a kind: the dynamic ones share a tag, which identifies a run only if no other window has it."""

MOST_RUNS = len(KINDS) * int((_OLDEST - _YOUNGEST) / _APART)
_RUNS_AT_ONCE = 40


def due_runs(now: datetime, count: int, *, first: int = 0, last: int | None = None) -> Iterator[Account]:
    """Accounts that together hold so many runs, one kind after the other; that of run 0 has the traffic of others.

    :param now: aware UTC; the runs ended between six hours and six days before
    :param first, last: only runs from one number to before another, for a part of them at a time
    :raises ValueError: more than :data:`MOST_RUNS`
    """
    if count > MOST_RUNS:
        raise ValueError(f"{count} runs, but only {MOST_RUNS} lie far enough apart")
    end = count if last is None else last
    for start in range(first, end, _RUNS_AT_ONCE):
        numbers = range(start, min(start + _RUNS_AT_ONCE, end))
        runs = tuple(run for number in numbers for run in _account(now, number, count).runs)
        yield Account(now, start, runs, background(now, seed=start) if start == 0 else ())


def _account(now: datetime, number: int, count: int) -> Account:
    per_kind = -(-count // len(KINDS))
    kind, place = KINDS[number % len(KINDS)], number // len(KINDS)
    ended_at = now - _YOUNGEST - (_OLDEST - _YOUNGEST) / per_kind * place
    usual_age = next(plan.ended for plan in PLANS if plan.name == kind)
    if isinstance(usual_age, datetime):
        raise ValueError(f"{kind} ended at a fixed time")
    return replace(build_account(ended_at + usual_age, seed=20_000 + number, include=[kind]), background=())
