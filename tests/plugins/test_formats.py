"""Numbers and times in the words of the page: what is not known is not 0, nothing is rounded up to all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from enrichment_view import formats

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.4, "<1 ms"),
        (1, "1.0 ms"),
        (999.94, "999.9 ms"),
        (999.96, "1.0 s"),
        (1200, "1.2 s"),
        (59_949, "59.9 s"),
        (59_960, "1:00"),
        (60_000, "1:00"),
        (3_725_000, "62:05"),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    assert formats.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0 %"), (0.5, "50 %"), (0.99996, "99.9 %"), (1, "100 %"), (0.123, "12.3 %")]
)
def test_a_share_is_never_rounded_up_to_all(value: float | None, text: str) -> None:
    assert formats.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (5 * 1024**3, "5.0 GB")]
)
def test_sizes(value: float | None, text: str) -> None:
    assert formats.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "– queries"), (0, "0 queries"), (1, "1 query"), (1200, "1,200 queries")]
)
def test_what_is_counted_is_named_in_its_number(value: int | None, text: str) -> None:
    assert formats.numbered(value, "query", "queries") == text


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (timedelta(seconds=-10), "just now"),
        (timedelta(minutes=-5), "5 min ago"),
        (timedelta(minutes=20), "in 20 min"),
        (timedelta(hours=-3), "3 h ago"),
        (timedelta(days=-3), "3 d ago"),
    ],
)
def test_ages_look_back_and_ahead(offset: timedelta, text: str) -> None:
    assert formats.ago(NOW + offset, NOW) == text


def test_an_unknown_time_is_no_time() -> None:
    assert (formats.ago(None, NOW), formats.moment(None), formats.iso(None)) == ("–", "–", "")


def test_times_are_shown_and_marked_up_as_utc() -> None:
    assert formats.moment(NOW) == "2026-11-02 12:00 UTC"
    assert formats.iso(NOW) == "2026-11-02T12:00:00Z"
