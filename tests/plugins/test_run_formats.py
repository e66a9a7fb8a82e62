"""How a run's page writes its values."""

from __future__ import annotations

import pytest

from enrichment_view.run_formats import credits_used, delta, grants, insight_name, latency, shortened


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (0.25, "0.25"), (0.000000001, "0.000000001"), (1234.5, "1,234.5")]
)
def test_credits_have_the_digits_that_they_need_and_unknown_is_not_zero(value: float | None, text: str) -> None:
    assert credits_used(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (-12.34, "−12.3 %"), (5, "+5.0 %"), (0, "+0.0 %"), (4900, "×50")]
)
def test_differences_have_a_sign_and_large_ones_are_a_factor(value: float | None, text: str) -> None:
    assert delta(value) == text


def test_ids_are_cut_where_they_no_longer_differ() -> None:
    assert shortened("01c00083-b25f-9a6a-0000-85606d9445e2") == "01c00083-b25f…"
    assert shortened("q1") == "q1"
    assert shortened(None) == "unknown"


def test_the_grants_in_a_message_are_found_for_copying() -> None:
    assert grants("As ACCOUNTADMIN run: GRANT A TO ROLE R; GRANT B TO ROLE R; It is tried again.") == (
        "GRANT A TO ROLE R; GRANT B TO ROLE R;"
    )
    assert grants("Nothing is missing.") == ""


def test_names_and_latencies_are_for_people() -> None:
    assert insight_name("QUERY_INSIGHT_REMOTE_SPILLAGE") == "Remote spillage"
    assert latency(195) == "3 h 15 min"
