"""Two to five runs side by side: what they were given, what came out, and what can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from include.enrichment.page.configuration import ConfigurationItem, configurations
from include.enrichment.page.partitions import pct_pruned
from include.enrichment.page.percentiles import STORED
from include.enrichment.page.rows import MOVING, Row, count, moment, number, structure

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

TEMPLATE = "page/compare.sql"
LEAST, MOST = 2, 5
NOISE = (
    "Bounds say what a run's own percentile can be, not how much runs vary: repeated runs of one benchmark differ by "
    "several percent, so that a difference below 10 % needs repeated runs."
)


class ComparisonError(ValueError):
    """These runs cannot be compared; the message says why and what to do."""


class UnknownRunsError(ComparisonError):
    """Nothing has one of the ids."""


class Verdict(StrEnum):
    """How a run's value stands to that of the first run."""

    BASELINE = "baseline"
    LOWER = "lower"
    HIGHER = "higher"
    NOT_DISTINGUISHABLE = "not_distinguishable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    :param pending_types: enrichment types that are still to come
    """

    run_id: str
    name: str | None
    table_type: str | None
    status: str | None
    started_at: datetime | None
    ended_at: datetime | None
    enrichment_status: str | None
    data_complete: bool | None
    data_available_until: datetime | None
    eta_at: datetime | None
    pending_types: tuple[str, ...]


@dataclass(frozen=True)
class ComparedValue:
    """A value of one run.

    :param low: it is no smaller; equal to ``high``: the value is exact
    :param delta_pct: from the first run's value, percent; None: a side is unknown, or the first is 0
    :param is_coming: the type that it is from is still to be written
    :param verdict: ``lower`` and ``higher`` only where the bounds do not overlap
    :param is_best: no other run is better, as far as the bounds tell; never when that holds for all of them
    """

    value: float | None
    low: float | None
    high: float | None
    is_estimated: bool
    is_coming: bool
    delta_pct: float | None
    verdict: Verdict
    is_best: bool


@dataclass(frozen=True)
class ComparedMetric:
    """One metric of all runs, in their order.

    :param unit: ``ms``, ``per_second``, ``count``, ``percent`` or ``bytes``
    :param is_lower_better: None: neither is
    """

    name: str
    title: str
    group: str
    unit: str
    is_lower_better: bool | None
    values: tuple[ComparedValue, ...]


@dataclass(frozen=True)
class Comparison:
    """The runs, the first of which is the baseline.

    :param data_complete: of all runs; None: cannot be told, or not yet
    """

    runs: tuple[ComparedRun, ...]
    configuration: tuple[ConfigurationItem, ...]
    metrics: tuple[ComparedMetric, ...]
    note: str
    data_complete: bool | None
    data_available_until: datetime | None


@dataclass(frozen=True)
class Bounded:
    """A value with what is known about it; exact values have equal bounds."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def exact(cls, value: Any) -> Bounded:
        return cls(number(value), number(value), number(value))

    @property
    def is_known(self) -> bool:
        return self.value is not None

    def is_below(self, other: Bounded) -> bool:
        """Whether it is smaller whatever both are within their bounds; without bounds nothing can be told."""
        return self.high is not None and other.low is not None and self.high < other.low


@dataclass(frozen=True)
class Metric:
    """One metric: its words, and how it is read from a row of ``page/compare.sql``.

    :param is_lower_better: None: neither is
    :param enrichment_type: that writes it; None: FlakeBench does
    """

    name: str
    title: str
    group: str
    unit: str
    is_lower_better: bool | None
    read: Callable[[Row], Bounded]
    enrichment_type: str | None = None


def compare(reader: Reader, run_ids: Sequence[str], *, fresh: bool = False) -> Comparison:
    """Compare runs, in the order given.

    :param run_ids: of two to five runs, or of their children
    :param fresh: ask Snowflake, whatever is kept
    :raises Unavailable: no answer now
    :raises ComparisonError: there are too few, too many or (:class:`UnknownRunsError`) unknown ones
    """
    wanted = list(dict.fromkeys(run_ids))
    if not LEAST <= len(wanted) <= MOST:
        raise ComparisonError(f"{LEAST} to {MOST} different runs can be compared, not {len(wanted)}.")
    found = reader.rows(TEMPLATE, {"run_ids": wanted}, is_moving=_is_moving, fresh=fresh)
    by_id = {row["REQUESTED_ID"]: row for row in found}
    if unknown := [run_id for run_id in wanted if run_id not in by_id]:
        raise UnknownRunsError(f"No run has the id {', '.join(unknown)}. Take the ids from the list of runs.")
    rows = list({by_id[run_id]["RUN_ID"]: by_id[run_id] for run_id in wanted}.values())
    if len(rows) < LEAST:
        raise ComparisonError("The ids are of one and the same run. Choose another one to compare it with.")
    runs = tuple(_run(row) for row in rows)
    return Comparison(
        runs=runs,
        configuration=configurations(rows),
        metrics=tuple(compared(metric, [metric.read(row) for row in rows], runs) for metric in METRICS),
        note=NOISE,
        data_complete=_all_complete(runs),
        data_available_until=min((run.data_available_until for run in runs if run.data_available_until), default=None),
    )


def _is_moving(rows: Sequence[Row]) -> bool:
    return any(row["ENRICHMENT_STATUS"] is None or row["ENRICHMENT_STATUS"] in MOVING for row in rows)


def _run(row: Row) -> ComparedRun:
    looks: Mapping[str, Mapping[str, Any]] = structure(row["COMPLETENESS"]) or {}
    return ComparedRun(
        run_id=row["RUN_ID"],
        name=row["TEST_NAME"],
        table_type=row["TABLE_TYPE"],
        status=row["RUN_STATUS"],
        started_at=moment(row["RUN_STARTED_AT"]),
        ended_at=moment(row["RUN_ENDED_AT"]),
        enrichment_status=row["ENRICHMENT_STATUS"],
        data_complete=row["DATA_COMPLETE"],
        data_available_until=moment(row["DATA_AVAILABLE_UNTIL"]),
        eta_at=moment(row["ETA_AT"]),
        pending_types=tuple(sorted(name for name, look in looks.items() if look.get("status") in MOVING)),
    )


def _all_complete(runs: Sequence[ComparedRun]) -> bool | None:
    states = {run.data_complete for run in runs}
    return False if False in states else None if None in states else True


def compared(metric: Metric, values: Sequence[Bounded], runs: Sequence[ComparedRun] = ()) -> ComparedMetric:
    """What can be told of a metric's values, the first of which is the baseline.

    :param runs: in the order of the values
    """
    coming = [metric.enrichment_type in run.pending_types for run in runs] or [False] * len(values)
    best = _best(values, is_lower_better=metric.is_lower_better)
    return ComparedMetric(
        name=metric.name,
        title=metric.title,
        group=metric.group,
        unit=metric.unit,
        is_lower_better=metric.is_lower_better,
        values=tuple(
            ComparedValue(
                value=item.value,
                low=item.low,
                high=item.high,
                is_estimated=item.is_known and (item.low is None or item.low != item.high),
                is_coming=not item.is_known and coming[place],
                delta_pct=_delta(item, values[0]) if place else None,
                verdict=_verdict(item, values[0]) if place else Verdict.BASELINE,
                is_best=best[place],
            )
            for place, item in enumerate(values)
        ),
    )


def _delta(item: Bounded, baseline: Bounded) -> float | None:
    if item.value is None or not baseline.value:
        return None
    return (item.value - baseline.value) / abs(baseline.value) * 100


def _verdict(item: Bounded, baseline: Bounded) -> Verdict:
    if not item.is_known or not baseline.is_known:
        return Verdict.UNKNOWN
    if item.is_below(baseline):
        return Verdict.LOWER
    return Verdict.HIGHER if baseline.is_below(item) else Verdict.NOT_DISTINGUISHABLE


def _best(values: Sequence[Bounded], *, is_lower_better: bool | None) -> list[bool]:
    """Which runs nobody beats. All of them, or too few known ones: none is marked."""
    known = [item for item in values if item.is_known]
    if is_lower_better is None or len(known) < LEAST:
        return [False] * len(values)

    def is_beaten(item: Bounded) -> bool:
        return any(other.is_below(item) if is_lower_better else item.is_below(other) for other in known)

    marked = [item.is_known and not is_beaten(item) for item in values]
    return [False] * len(values) if sum(marked) == len(known) else marked


def _bounds(column: str) -> Callable[[Row], Bounded]:
    def read(row: Row) -> Bounded:
        return Bounded(*(number(row[f"{column}{end}"]) for end in ("_MS", "_LOW_MS", "_HIGH_MS")))

    return read


def _exact(column: str) -> Callable[[Row], Bounded]:
    return lambda row: Bounded.exact(row[column])


def _pruned(row: Row) -> Bounded:
    return Bounded.exact(pct_pruned(row["PARTITIONS_SCANNED"], row["PARTITIONS_TOTAL"]))


def _spilled(row: Row) -> Bounded:
    parts = [count(row[f"BYTES_SPILLED_{place}"]) for place in ("LOCAL", "REMOTE")]
    return Bounded.exact(None if None in parts else sum(part or 0 for part in parts))


_AGGREGATE, _EXECUTIONS, _LOCKS = "AGGREGATE", "QUERY_HISTORY", "LOCK_CONTENTION"


def _server(metric: str, title: str) -> Iterator[Metric]:
    prefix = metric.lower()
    yield Metric(f"{prefix}_avg", "mean", title, "ms", True, _exact(f"{metric}_AVG_MS"), _AGGREGATE)
    for name, column in STORED.items():
        yield Metric(f"{prefix}_{name}", name, title, "ms", True, _bounds(f"{metric}_{column}"), _AGGREGATE)
    yield Metric(f"{prefix}_max", "max", title, "ms", True, _exact(f"{metric}_MAX_MS"), _AGGREGATE)


_CLIENT, _REQUESTS = "Client latency", "Throughput and errors"
METRICS: tuple[Metric, ...] = (
    *_server("EXEC", "Server execution"),
    *_server("COMPILE", "Compilation"),
    *_server("ELAPSED", "Total elapsed in Snowflake"),
    Metric("client_avg", "mean", _CLIENT, "ms", True, _exact("CLIENT_AVG_MS"), _EXECUTIONS),
    Metric("client_p50", "p50", _CLIENT, "ms", True, _exact("CLIENT_MEDIAN_MS"), _EXECUTIONS),
    Metric("client_p95", "p95", _CLIENT, "ms", True, _exact("CLIENT_P95_MS"), _EXECUTIONS),
    Metric("client_p99", "p99", _CLIENT, "ms", True, _exact("CLIENT_P99_MS"), _EXECUTIONS),
    Metric("outside_server", "outside the server", _CLIENT, "percent", None, _exact("PCT_OUTSIDE_SERVER"), _AGGREGATE),
    Metric("qps", "operations per second", _REQUESTS, "per_second", False, _exact("QPS")),
    Metric("calls", "calls that the server counted", _REQUESTS, "count", None, _exact("QUERY_COUNT"), _AGGREGATE),
    Metric("errors", "errors that the server counted", _REQUESTS, "count", True, _exact("ERRORS_COUNT"), _AGGREGATE),
    Metric("throttled", "throttled requests", _REQUESTS, "count", True, _exact("THROTTLED_QUERY_COUNT"), _AGGREGATE),
    Metric(
        "queued", "time in the queue, all calls", "Waiting", "ms", True, _exact("QUEUED_OVERLOAD_SUM_MS"), _AGGREGATE
    ),
    Metric(
        "lock_waits", "lock waits of about 5 s or more", "Waiting", "count", True, _exact("LOCK_WAIT_COUNT"), _LOCKS
    ),
    Metric("lock_wait_total", "time in lock waits", "Waiting", "ms", True, _exact("LOCK_WAIT_TOTAL_MS"), _LOCKS),
    Metric("pruned", "partitions pruned", "Scans", "percent", False, _pruned, _EXECUTIONS),
    Metric("spilled", "spilled", "Scans", "bytes", True, _spilled, _EXECUTIONS),
)
