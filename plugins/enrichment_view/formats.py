"""Numbers and times in the words of the page: what is not known yet is never 0."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import floor
from typing import Any

UNKNOWN = "–"
"""What stands for a value that is not known; never for one that is 0."""

_MINUTE_MS = 60_000
_UNITS = ("B", "KB", "MB", "GB", "TB")


def milliseconds(value: Any) -> str:
    """A duration: ``<1 ms``, one decimal below a second, ``1.2 s`` below a minute, ``m:ss`` above."""
    if value is None:
        return UNKNOWN
    number = float(value)
    if number == 0:
        return "0 ms"
    if number < 1:
        return "<1 ms"
    if number < 999.95:
        return f"{number:.1f} ms"
    if number < _MINUTE_MS - 50:
        return f"{number / 1000:.1f} s"
    seconds = round(number / 1000)
    return f"{seconds // 60:,}:{seconds % 60:02d}"


def count(value: Any) -> str:
    """A whole number with separators."""
    return UNKNOWN if value is None else f"{int(value):,}"


def percent(value: Any, digits: int = 1) -> str:
    """A share of 0 to 1; never rounded up to 100 %."""
    if value is None:
        return UNKNOWN
    scale = 10**digits
    rounded = floor(float(value) * 100 * scale) / scale
    return f"{rounded:.{digits}f}".removesuffix("." + "0" * digits) + " %"


def size(value: Any) -> str:
    """Bytes in units of 1024."""
    if value is None:
        return UNKNOWN
    number, unit = float(value), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def moment(value: datetime | None) -> str:
    """A time to the minute, UTC."""
    return UNKNOWN if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def iso(value: datetime | None) -> str:
    """For ``<time datetime>``."""
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(value: datetime | None, now: datetime) -> str:
    """How long it is past or ahead, in one unit: ``5 min ago``, ``in 3 h``."""
    if value is None:
        return UNKNOWN
    seconds = (now - value).total_seconds()
    text = _largest_unit(abs(seconds))
    if text is None:
        return "just now" if seconds >= 0 else "now"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def minutes(value: Any) -> str:
    """A number of minutes in one unit."""
    if value is None:
        return UNKNOWN
    return _largest_unit(abs(float(value)) * 60) or "<1 min"


def numbered(value: Any, singular: str, plural: str | None = None) -> str:
    """A count with what is counted: ``1 query``, ``2 queries``.

    :param plural: ``singular`` with an s unless given
    """
    return f"{count(value)} {singular if value == 1 else plural or f'{singular}s'}"


def type_name(value: str) -> str:
    """An enrichment type for people: ``Query history``."""
    return value.replace("_", " ").capitalize()


def _largest_unit(seconds: float) -> str | None:
    for unit, length, limit in (("min", 60, 3600), ("h", 3600, 172_800), ("d", 86_400, float("inf"))):
        if seconds < limit:
            number = round(seconds / length)
            return f"{number:,} {unit}" if number else None
    return None


FILTERS: dict[str, Callable[..., str]] = {
    "milliseconds": milliseconds,
    "count_of": count,
    "numbered": numbered,
    "percent": percent,
    "size": size,
    "moment": moment,
    "iso": iso,
    "ago": ago,
    "minutes": minutes,
    "type_name": type_name,
}
"""Jinja filters of the templates."""
