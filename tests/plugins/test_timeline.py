"""The timeline has one scale for all types, and says where it ends."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from enrichment_view.timeline import timeline
from include.enrichment.page.run_page import RunPage, TypeStanding

ENDED_AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
NOW = ENDED_AT + timedelta(hours=2)


def standing(name: str, status: str, due: int, written: int | None = None) -> TypeStanding:
    """A type that is due, and was written, so many minutes after the end of the run; everything else is not known."""
    known = {
        "enrichment_type": name,
        "status": status,
        "due_at": ENDED_AT + timedelta(minutes=due),
        "written_at": None if written is None else ENDED_AT + timedelta(minutes=written),
    }
    return TypeStanding(**dict.fromkeys(item.name for item in fields(TypeStanding)) | known)


def run(*types: TypeStanding, ended_at: datetime | None = ENDED_AT) -> RunPage:
    known = {"run_id": "run-1", "ended_at": ended_at, "types": types}
    return RunPage(**dict.fromkeys(item.name for item in fields(RunPage)) | known)


def test_due_and_written_are_on_the_scale_of_all_types() -> None:
    found = timeline(run(standing("A", "COMPLETED", 50, 60), standing("B", "PENDING", 195)), NOW)

    assert found is not None
    first, second = found.bars
    assert first.due == pytest.approx(100 * 50 / 240, abs=0.01)
    assert first.written == pytest.approx(100 * 60 / 240, abs=0.01)
    assert second.due == pytest.approx(100 * 195 / 240, abs=0.01)
    assert second.written is None
    assert found.now == pytest.approx(50)


def test_what_was_written_months_later_lies_at_the_end_of_the_scale() -> None:
    found = timeline(run(standing("A", "COMPLETED", 50, 60 * 24 * 90)), NOW)

    assert found is not None
    assert (found.bars[0].written, found.bars[0].is_beyond) == (100, True)
    assert [hour for _, hour in found.marks] == [0, 3, 6, 9, 12]


def test_what_does_not_apply_has_no_bar_and_a_run_without_an_end_no_timeline() -> None:
    pending = standing("A", "PENDING", 50)

    assert timeline(run(replace(pending, status="NOT_APPLICABLE")), NOW) is None
    assert timeline(run(pending, ended_at=None), NOW) is None
