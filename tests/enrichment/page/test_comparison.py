"""Two values are called different only where their bounds do not overlap."""

from __future__ import annotations

import pytest

from include.enrichment.page.compare import Bounded, ComparedMetric, Metric, Verdict, compared
from include.enrichment.page.configuration import configurations

SLOW, FAST = Bounded(40, 35, 45), Bounded(20, 15, 25)
OVERLAPPING = Bounded(38, 30, 41)
UNKNOWN = Bounded(None, None, None)


def verdicts(*values: Bounded, is_lower_better: bool | None = True) -> ComparedMetric:
    return compared(Metric("p95", "p95", "Server execution", "ms", is_lower_better, lambda _row: UNKNOWN), values)


def test_values_whose_bounds_overlap_are_not_called_different() -> None:
    metric = verdicts(SLOW, OVERLAPPING)

    assert metric.values[1].verdict is Verdict.NOT_DISTINGUISHABLE
    assert metric.values[1].delta_pct == pytest.approx(-5)
    assert not any(item.is_best for item in metric.values)


def test_values_whose_bounds_do_not_overlap_are_lower_or_higher_and_the_best_is_marked() -> None:
    assert [item.verdict for item in verdicts(SLOW, FAST).values] == [Verdict.BASELINE, Verdict.LOWER]
    assert [item.verdict for item in verdicts(FAST, SLOW).values] == [Verdict.BASELINE, Verdict.HIGHER]
    assert [item.is_best for item in verdicts(SLOW, FAST).values] == [False, True]
    assert [item.is_best for item in verdicts(SLOW, FAST, is_lower_better=False).values] == [True, False]


def test_bounds_that_touch_overlap() -> None:
    assert verdicts(Bounded(1, 1, 2), Bounded(3, 2, 4)).values[1].verdict is Verdict.NOT_DISTINGUISHABLE


def test_runs_that_nobody_beats_share_the_mark() -> None:
    marks = [item.is_best for item in verdicts(SLOW, FAST, Bounded(22, 18, 30)).values]

    assert marks == [False, True, True]


def test_what_is_not_known_yet_is_neither_different_nor_best_nor_zero() -> None:
    metric = verdicts(FAST, UNKNOWN, SLOW)

    assert metric.values[1].verdict is Verdict.UNKNOWN
    assert (metric.values[1].value, metric.values[1].delta_pct, metric.values[1].is_best) == (None, None, False)
    assert metric.values[0].is_best


def test_a_value_without_bounds_cannot_be_told_from_any_other() -> None:
    metric = verdicts(FAST, Bounded(400, None, None))

    assert metric.values[1].verdict is Verdict.NOT_DISTINGUISHABLE
    assert metric.values[1].is_estimated


def test_where_neither_more_nor_less_is_better_nothing_is_marked() -> None:
    assert not any(item.is_best for item in verdicts(SLOW, FAST, is_lower_better=None).values)


def test_a_difference_from_zero_has_no_percentage() -> None:
    metric = verdicts(Bounded.exact(0), Bounded.exact(5))

    assert (metric.values[1].delta_pct, metric.values[1].verdict) == (None, Verdict.HIGHER)


CONFIGURATION = dict.fromkeys(
    (
        "TABLE_TYPE",
        "TABLE_NAME",
        "SCENARIO_NAME",
        "WAREHOUSE",
        "WAREHOUSE_SIZE",
        "WORKER_COUNT",
        "CONCURRENT_CONNECTIONS",
    )
)


def test_differences_of_the_configuration_come_first_and_secrets_never() -> None:
    small = {"template_config": {"warehouse_size": "SMALL", "api_token": "x1", "scaling": {"min_workers": 1}}}
    large = {"template_config": {"warehouse_size": "LARGE", "api_token": "x2", "scaling": {"min_workers": 1}}}
    found = configurations(
        [CONFIGURATION | {"TABLE_TYPE": "HYBRID", "TEST_CONFIG": config} for config in (small, large)]
    )

    assert [(item.name, item.values, item.is_different) for item in found] == [
        ("template_config.warehouse_size", ("SMALL", "LARGE"), True),
        ("table type", ("HYBRID", "HYBRID"), False),
        ("template_config.scaling.min_workers", ("1", "1"), False),
    ]


def test_an_item_that_a_run_does_not_have_differs() -> None:
    rows = [CONFIGURATION | {"TEST_CONFIG": config} for config in ({"warmup": 30}, None)]

    assert [(item.values, item.is_different) for item in configurations(rows)] == [(("30", None), True)]
