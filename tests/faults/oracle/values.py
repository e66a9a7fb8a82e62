"""What a value of a view is worth: a number, a text, a truth, a moment, or unknown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]
LIMIT = 1e18
"""A statistic that reaches it measures nothing; and NaN and infinity are no numbers."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRUE, _FALSE = {"true", "t", "yes", "y", "on", "1"}, {"false", "f", "no", "n", "off", "0"}


def number(value: Any) -> float | None:
    """A statistic inside an OBJECT; text that reads as a number is one."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and abs(value) < LIMIT else None


def whole(value: Any, *, digits: int = 38) -> int | None:
    """A count or an id inside a VARIANT, rounded half away from zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or not _NUMBER.fullmatch(str(value)):
        return None
    rounded = Decimal(str(value)).to_integral_value(ROUND_HALF_UP)
    return int(rounded) if abs(rounded) < 10**digits else None


def text(value: Any) -> str | None:
    """What a VARIANT says as VARCHAR; JSON unless it is a text."""
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def truth(value: Any) -> bool | None:
    """A boolean inside a VARIANT, as TRY_TO_BOOLEAN reads its text."""
    said = str(value).lower() if isinstance(value, (bool, int, str)) else ""
    return True if said in _TRUE else False if said in _FALSE else None


def element(container: Any, key: str) -> Any:
    """A key of an OBJECT; None when it is missing, or when that is no OBJECT at all."""
    return container.get(key) if isinstance(container, dict) else None


def elements(container: Any) -> list[Row]:
    """The OBJECTs in an ARRAY; whatever else is in it says nothing."""
    return [item for item in container if isinstance(item, dict)] if isinstance(container, list) else []


def utc(moment: datetime | None) -> datetime | None:
    """A moment as it is stored: naive UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None and moment.tzinfo else moment


def within(moment: datetime | None, start: datetime, end: datetime) -> bool:
    """Whether a moment lies in a window; an unknown one lies in none."""
    found = utc(moment)
    return found is not None and start <= found < end


def identity(row: Row) -> str:
    """All columns of a view's row, as one text; a missing column is NULL."""
    return json.dumps({key: utc(item) if isinstance(item, datetime) else item for key, item in row.items() if item
                       is not None}, sort_keys=True, default=str)  # fmt: skip


def rank(values: Iterable[Any]) -> tuple[tuple[bool, Any], ...]:
    """A key by which the largest wins and an unknown value loses."""
    plain = (utc(item) if isinstance(item, datetime) else item for item in values)
    texts = (json.dumps(item, separators=(",", ":")) if isinstance(item, (list, dict)) else item for item in plain)
    return tuple((item is not None, item if item is not None else 0) for item in texts)


def total(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [item for item in values if item is not None]
    return sum(known) if known else None


def largest(values: Iterable[float | None]) -> float | None:
    return max((item for item in values if item is not None), default=None)
