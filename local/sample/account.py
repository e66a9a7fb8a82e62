"""Builds the runs of the sample account, and gives its tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local.sample import aggregate, flakebench, foreign, incidents, views
from local.sample.lineup import HEALTHY, PLANS, TWIN, Plan
from local.sample.queries import RawQuery
from local.sample.runs import QueuedJob, SampleChild, SampleRun, Usage, stable_id
from local.sample.workload import measured_span, statements

LOCAL_OFFSET = timedelta(hours=8)
"""The parent's times of one run are wall clock of a session west of Greenwich, as FlakeBench may store it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The sample account at one moment.

    :param now: aware UTC
    :param background: statements of other people, newer than every finished window
    """

    now: datetime
    seed: int
    runs: tuple[SampleRun, ...]
    background: tuple[RawQuery, ...]

    def run(self, name: str) -> SampleRun:
        """The run with this name.

        :raises KeyError: when the account was built without it
        """
        for run in self.runs:
            if run.name == name:
                return run
        raise KeyError(name)

    def queries(self) -> tuple[RawQuery, ...]:
        """Every statement of the account, the runs' and the others'."""
        return tuple(query for run in self.runs for query in (*run.queries, *run.intruders)) + self.background

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Rows by fully qualified table name. TIMESTAMP_NTZ naive UTC, TIMESTAMP_LTZ aware UTC."""
        queries = self.queries()
        usage = [row for run in self.runs for row in run.usage]
        return {
            "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY": views.query_history(queries),
            "SNOWFLAKE.ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY": aggregate.aggregate_query_history(queries),
            "SNOWFLAKE.ACCOUNT_USAGE.LOCK_WAIT_HISTORY": views.lock_wait_history(queries),
            "SNOWFLAKE.ACCOUNT_USAGE.QUERY_INSIGHTS": views.query_insights(queries),
            "SNOWFLAKE.ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY": views.hybrid_table_usage_history(usage),
            "FLAKEBENCH.TEST_RESULTS.QUERY_EXECUTIONS": flakebench.query_executions(self.runs),
            "FLAKEBENCH.TEST_RESULTS.RUN_STATUS": flakebench.run_status(self.runs),
            "FLAKEBENCH.TEST_RESULTS.DELAYED_ENRICHMENT_QUEUE": flakebench.queued_jobs(self.runs),
            "FLAKEBENCH.TEST_RESULTS.TEST_RESULTS": flakebench.test_results(self.runs),
        }


def names(include: Collection[str] | None = None) -> tuple[str, ...]:
    """Names of the runs that ``include`` means.

    :param include: names of runs or of groups (``healthy``, ``broken``); None for the healthy ones
    :raises ValueError: when a name is neither
    """
    wanted = {HEALTHY} if include is None else set(include)
    known = {plan.name for plan in PLANS} | {plan.group for plan in PLANS}
    if unknown := wanted - known:
        raise ValueError(f"No sample run or group is called {', '.join(sorted(unknown))}")
    return tuple(plan.name for plan in PLANS if plan.name in wanted or plan.group in wanted)


def build_account(now: datetime, seed: int = 7, include: Collection[str] | None = None) -> Account:
    """Build the sample account.

    :param now: the moment from which the ages of the runs count; naive means UTC
    :param seed: decides ids and every random value; ids do not depend on ``now``
    :param include: see :func:`names`
    """
    moment = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    wanted = names(include)
    runs = tuple(_run(plan, moment, seed) for plan in PLANS if plan.name in wanted)
    return Account(moment, seed, runs, foreign.background(moment, seed=seed))


def run_id(name: str, seed: int = 7) -> str:
    """The id of a run, which does not depend on when the account was built."""
    return stable_id(seed, name)


def _run(plan: Plan, now: datetime, seed: int) -> SampleRun:
    ended_at = plan.ended if isinstance(plan.ended, datetime) else now - plan.ended
    ended_at = ended_at.replace(second=0, microsecond=0)
    started_at = ended_at - timedelta(minutes=plan.workload.minutes) + timedelta(seconds=5)
    identity = run_id(plan.name, seed)
    children = tuple(_child(plan, identity, seed, n, started_at, ended_at) for n in range(plan.workers))
    queries = statements(
        plan.workload,
        run_key=plan.name,
        seed=seed,
        children=children,
        tags={child.test_id: _base_tag(plan, identity, child.test_id, child.worker_id) for child in children},
        ended_at=ended_at,
    )
    run = SampleRun(
        run_id=identity,
        name=plan.name,
        table_type=plan.table_type,
        status=plan.status,
        group=plan.group,
        parent_started_at=started_at,
        parent_ended_at=ended_at,
        children=children,
        queries=_with_incidents(plan, queries, ended_at),
    )
    newest = now - foreign.BACKGROUND_GAP
    run = replace(run, intruders=foreign.intruders(run, seed=seed, phase=plan.workload.phases[1], newest=newest))
    return _with_odd_times(plan, _with_extras(plan, run, seed), now)


def _child(plan: Plan, identity: str, seed: int, number: int, started_at: datetime, ended_at: datetime) -> SampleChild:
    test_id = stable_id(seed, plan.name, "child", number)
    base = _base_tag(plan, identity, test_id, number)
    return SampleChild(
        test_id=test_id,
        worker_id=number,
        stored_tag=f"{base}{plan.stored_tag_tail}" if base else base,
        started_at=started_at + timedelta(milliseconds=400 * number),
        ended_at=ended_at - timedelta(milliseconds=300 * number),
    )


def _base_tag(plan: Plan, identity: str, test_id: str, number: int) -> str | None:
    if plan.tag is None or (number == 0 and "first_tag_null" in plan.traits):
        return None
    return plan.tag.format(run=identity, child=test_id)


def _with_incidents(plan: Plan, queries: tuple[RawQuery, ...], ended_at: datetime) -> tuple[RawQuery, ...]:
    measured_from, measured_to = measured_span(plan.workload, ended_at)
    if "locks" in plan.traits:
        queries = incidents.with_lock_waits(queries)
    if "insights" in plan.traits:
        queries = incidents.with_insights(queries)
    if "client_failures" in plan.traits:
        queries = incidents.with_client_failures(queries)
    if "known_failure" in plan.traits:
        queries = incidents.with_known_failure(queries)
    if "repeats" in plan.traits:
        queries = incidents.with_repeats(queries)
    if "twins" in plan.traits:
        queries = incidents.with_twins(queries, TWIN, measured_from + (measured_to - measured_from) / 2)
    if "filling" in plan.traits:
        queries = incidents.still_filling(queries, ended_at - timedelta(minutes=5))
    if "outside_snowflake" in plan.traits:
        queries = tuple(replace(query, reached_server=False, in_query_history=False) for query in queries)
    return queries


def _with_extras(plan: Plan, run: SampleRun, seed: int) -> SampleRun:
    end = run.ended_at
    if "usage" in plan.traits and end is not None:
        hour = end.replace(minute=0)
        credit = ("0.004150072", "0.012345678", "0.000987654", "0.007000001")
        run = replace(
            run,
            usage=tuple(
                Usage(hour + timedelta(hours=n - 2), hour + timedelta(hours=n - 1), text, repeated=n == 1)
                for n, text in enumerate(credit)
            ),
        )
    if "queued_by_person" in plan.traits and end is not None:
        job = QueuedJob(stable_id(seed, plan.name, "job"), ("AGGREGATE", "CREDITS", "LOCK"), end + timedelta(days=1))
        run = replace(run, job=job)
    return run


def _with_odd_times(plan: Plan, run: SampleRun, now: datetime) -> SampleRun:
    """Times as FlakeBench stored them where they are not simply the children's and the parent's own."""
    end = run.ended_at
    if "parent_in_local_time" in plan.traits and end is not None:
        run = replace(run, parent_started_at=run.started_at - LOCAL_OFFSET, parent_ended_at=end - LOCAL_OFFSET)
    if "ends_on_parent" in plan.traits:
        run = replace(run, children=tuple(replace(child, ended_at=None) for child in run.children))
    if "no_end" in plan.traits:
        children = tuple(replace(child, ended_at=None) for child in run.children)
        run = replace(run, children=children, parent_ended_at=None)
    if "inverted" in plan.traits and end is not None:
        children = tuple(replace(child, started_at=end + timedelta(hours=1)) for child in run.children)
        run = replace(run, children=children, parent_started_at=end + timedelta(hours=1))
    if "ends_ahead" in plan.traits:
        ahead = now.replace(second=0, microsecond=0) + timedelta(days=3)
        children = tuple(replace(child, ended_at=ahead) for child in run.children)
        run = replace(run, children=children, parent_ended_at=ahead)
    return run
