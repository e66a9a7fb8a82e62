"""What a try changed of the values that an earlier one had stored: the history of each number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

Change = dict[str, Any]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    """The values that differ, by column: ``{"from": ..., "to": ...}``.

    Empty when nothing was stored before: a first value changes none.

    :param before, after: the same columns, as the connector returns them
    """
    if all(value is None for value in before.values()):
        return {}
    return {
        name: {"from": _plain(value), "to": _plain(after[name])}
        for name, value in before.items()
        if not _is_equal(value, after[name])
    }


def as_bind(found: Mapping[str, Change]) -> str | None:
    """For ``DELAYED_ENRICHMENT_ATTEMPTS.CHANGES``: JSON, or None when nothing changed."""
    return json.dumps(found) if found else None


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (float, int, Decimal)):
        return math.isclose(one, other, rel_tol=1e-9)  # Snowflake adds floats in no fixed order
    return bool(one == other)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value
