"""Words of a run's page and of the comparison, beside those that every page has."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from enrichment_view import formats
from include.enrichment.page.compare import ComparedMetric
from include.enrichment.page.sections import minutes

_SHOWN_OF_ID = 13
_INSIGHT_PREFIX = "QUERY_INSIGHT_"
_DELTA_LIMIT = 1000
_GRANT = re.compile(r"GRANT [^;]+;")


def shortened(query_id: str | None) -> str:
    """The beginning of a query id; the ids of one run differ there, their ends are the account's."""
    if not query_id:
        return "unknown"
    return query_id if len(query_id) <= 2 * _SHOWN_OF_ID else f"{query_id[:_SHOWN_OF_ID]}…"


def latency(value: int) -> str:
    """Minutes in hours and minutes: ``3 h 15 min``."""
    return minutes(timedelta(minutes=value))


def credits_used(value: float | None) -> str:
    """Credits, with as many digits as they need, at most nine."""
    if value is None:
        return formats.UNKNOWN
    return f"{value:,.9f}".rstrip("0").rstrip(".") if value else "0"


def insight_name(value: str) -> str:
    """An insight type for people: ``Remote spillage``."""
    return value.removeprefix(_INSIGHT_PREFIX).replace("_", " ").capitalize()


def in_unit(value: float | None, metric: ComparedMetric) -> str:
    """A compared value in the unit of its metric."""
    if value is None:
        return formats.UNKNOWN
    match metric.unit:
        case "ms":
            return formats.milliseconds(value)
        case "percent":
            return formats.percent(value / 100)
        case "bytes":
            return formats.size(value)
        case "per_second":
            return f"{value:,.2f} / s"
    return formats.count(value)


def delta(value: float | None) -> str:
    """A difference in percent, with its sign; beyond ten times as a factor."""
    if value is None:
        return ""
    if value >= _DELTA_LIMIT:
        return f"×{value / 100 + 1:,.0f}"
    return f"{value:+.1f} %".replace("-", "−")


def grants(text: str) -> str:
    """The GRANT statements in a message; empty: there are none."""
    return " ".join(_GRANT.findall(text))


FILTERS: dict[str, Callable[..., Any]] = {
    "shortened": shortened,
    "latency": latency,
    "grants": grants,
    "credits": credits_used,
    "insight_name": insight_name,
    "in_unit": in_unit,
    "delta": delta,
}
"""Jinja filters."""
