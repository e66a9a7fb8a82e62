"""The data of the charts: plain values; static/charts.js draws them, in the colours of the page."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from enrichment_view.run_formats import shortened
from include.enrichment.page.compare import Comparison
from include.enrichment.page.lock_contention import LockContention, LockWait
from include.enrichment.page.percentiles import STORED
from include.enrichment.page.server_metrics import ServerMetrics

_COMPARED = tuple(f"exec_{name}" for name in STORED)


def lock_wait_chart(found: LockContention) -> dict[str, Any] | None:
    """A bar per wait, from request to acquisition, one line per waiting query; None: there is nothing to draw."""
    waits = [
        {
            "waiter": shortened(wait.query_id),
            "from": wait.requested_at.isoformat(),
            "ms": wait.wait_ms,
            "blocker": _blocker(wait),
            "is_blocker_known": bool(wait.blockers),
        }
        for wait in found.waits
        if wait.requested_at is not None and wait.wait_ms is not None
    ]
    return _chart("lock-waits", waits=waits) if waits else None


def server_latency_chart(found: ServerMetrics) -> dict[str, Any] | None:
    """Server execution by percentile with its bounds, beside what the client waited; None: there is nothing to draw."""
    points = [
        {"name": item.name, "value": item.value, "low": item.low, "high": item.high, "is_estimated": item.is_estimated}
        for item in found.execution.percentiles
        if item.value is not None
    ]
    if not points:
        return None
    client = found.client
    waited = {"p50": client.p50, "p95": client.p95, "p99": client.p99} if client else {}
    known = [{"name": name, "value": value} for name, value in waited.items() if value is not None]
    return _chart("server-latency", points=points, client=known)


def latency_comparison_chart(found: Comparison) -> dict[str, Any] | None:
    """Server execution of each run by percentile with its bounds; None: no run has any."""
    metrics = [metric for metric in found.metrics if metric.name in _COMPARED]
    runs = [
        {
            "name": f"{place + 1}. {run.name or run.run_id}",
            "points": [
                {"name": metric.title, "value": value.value, "low": value.low, "high": value.high}
                for metric in metrics
                if (value := metric.values[place]).value is not None
            ],
        }
        for place, run in enumerate(found.runs)
    ]
    return _chart("latency-comparison", runs=runs) if any(run["points"] for run in runs) else None


def _chart(kind: str, **data: Any) -> dict[str, Any]:
    """With the version of the library, so that a browser keeps its script until there is another."""
    return {"kind": kind, "library": version("plotly"), **data}


def _blocker(wait: LockWait) -> str:
    if not wait.blockers:
        return "unknown"
    first = wait.blockers[0]
    name = shortened(first.query_id) if first.query_id else f"transaction {first.transaction_id}"
    further = len(wait.blockers) - 1
    return f"{name} and {further} more" if further else name
