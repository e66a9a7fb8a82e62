"""What a try changed is told value by value, and only what it changed."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from include.enrichment.changes import as_bind, changes


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        pytest.param(Decimal("1.500"), Decimal("1.5"), False, id="another scale is the same number"),
        pytest.param(0.1 + 0.2, 0.3, False, id="floats that were added in another order"),
        pytest.param(0.3, 0.3001, True, id="floats that differ"),
        pytest.param(1, 2, True, id="a number"),
        pytest.param(0, None, True, id="zero is not unknown"),
        pytest.param(None, 0, True, id="unknown is not zero"),
        pytest.param(False, True, True, id="a flag"),
        pytest.param("EXACT", "MIXTURE", True, id="a text"),
    ],
)
def test_a_value_is_told_when_it_differs(before: Any, after: Any, is_told: bool) -> None:
    found = changes({"A": before, "SAME": 1}, {"A": after, "SAME": 1})
    assert list(found) == (["A"] if is_told else [])


def test_the_first_values_change_nothing() -> None:
    assert changes({"A": None, "B": None}, {"A": 1, "B": 2}) == {}
    assert as_bind({}) is None


def test_values_of_snowflake_become_json() -> None:
    before = {"N": Decimal("7"), "D": Decimal("1.25"), "T": datetime(2026, 1, 1)}
    told = json.loads(as_bind(changes(before, {"N": Decimal("8"), "D": None, "T": datetime(2026, 1, 2)})) or "")
    assert told == {
        "N": {"from": 7, "to": 8},
        "D": {"from": 1.25, "to": None},
        "T": {"from": "2026-01-01T00:00:00", "to": "2026-01-02T00:00:00"},
    }
