"""Reading values out of the rows that a template returned."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.enrichment.page.reader import Reader

Row = Mapping[str, Any]

MOVING = frozenset({"PENDING", "IN_PROGRESS"})
"""Statuses of a task that will change by itself."""


class UnknownRunError(LookupError):
    """No run and no child of a run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"No run has the id {run_id}. Take it from TEST_RESULTS.RUN_ID or from FlakeBench's list of runs; a "
            "child's TEST_ID will do."
        )
        self.run_id = run_id


def moment(value: Any) -> datetime | None:
    """A TIMESTAMP_NTZ, which the package writes in UTC, as an aware datetime."""
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def number(value: Any) -> float | None:
    """A NUMBER or FLOAT; NULL stays None, which is not 0."""
    return None if value is None else float(value)


def count(value: Any) -> int | None:
    """An integer; NULL stays None, which is not 0."""
    return None if value is None else int(value)


def structure(value: Any) -> Any:
    """A VARIANT, which the connector hands over as JSON text."""
    return json.loads(value) if isinstance(value, str) else value


def is_moving(rows: Sequence[Row]) -> bool:
    """Whether something that the rows tell will change by itself, so that they are not worth keeping for long."""
    return any(row["STATUS"] in MOVING or (row["STATUS"] is None and row["RUN_STATUS"] is not None) for row in rows)


def page_of(
    reader: Reader,
    template: str,
    run_id: str,
    *,
    limit: int,
    offset: int,
    fresh: bool,
    is_moving: Callable[[Sequence[Row]], bool] = is_moving,
) -> Sequence[Row]:
    """The rows of a section: its head, and one page of its list.

    :param template: of ``include/sql/page``
    :param run_id: of the run or of one of its children
    :param fresh: ask Snowflake, whatever is kept
    :param is_moving: whether the rows will change by themselves
    :raises Unavailable: no answer now
    """
    binds = {"run_id": run_id, "page_size": limit, "page_offset": offset}
    return reader.rows(template, binds, is_moving=is_moving, fresh=fresh)


def listed(rows: Sequence[Row], place: str) -> list[Row]:
    """The rows of a list that is joined to a head: a head without any has one row with a place of NULL."""
    return [row for row in rows if row[place] is not None]
