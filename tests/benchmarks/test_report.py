"""A bar that is missed must be seen, whatever the other benchmarks do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import report
from benchmarks.report import Result, Row

HELD = Row("speed", "1 s", "0.5 x the other", "<= 2 s", True)
MISSED = Row("memory", "9 MB", "3 x the other", "<= 6 MB", False)
SEEN = Row("size", "5 rows", "")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for what is published."""
    for module in (report, bench):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(bench, "stop_on_signals", lambda: None)  # the signals are the test session's
    return tmp_path


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bench.Benchmark]:
    """A benchmark made of the lines of a script."""

    def make(script: str) -> bench.Benchmark:
        monkeypatch.setattr(bench.Benchmark, "command", property(lambda self: [sys.executable, "-c", self.module]))
        preamble = (
            "from pathlib import Path\nfrom benchmarks import report\nfrom benchmarks.report import Row, publish\n"
            f"report.RESULTS = Path({str(tmp_path)!r})\n"
        )
        return bench.Benchmark(preamble + script, 1)

    return make


def test_what_was_published_is_read_back(results: Path) -> None:
    assert report.publish("one", [HELD, SEEN]) is True
    (file,) = results.glob("*.json")
    assert Result.read(file) == Result("one", (HELD, SEEN))
    assert json.loads(file.read_text())["cores"] >= 1


def test_a_missed_bar_is_told_to_the_caller(results: Path) -> None:
    assert report.publish("one", [HELD, MISSED, SEEN]) is False


@pytest.mark.parametrize(("bar", "holds"), [("<= 1 s", None), ("", True)])
def test_a_bar_without_a_verdict_is_refused_and_so_is_a_verdict_without_a_bar(bar: str, holds: bool | None) -> None:
    with pytest.raises(ValueError, match="belong together"):
        Row("speed", "1 s", "", bar, holds)


@pytest.mark.usefixtures("results")
def test_one_benchmark_that_fails_does_not_hide_what_the_others_found(
    benchmark: Callable[[str], bench.Benchmark], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = benchmark("raise SystemExit('no server')")
    good = benchmark("publish('good', [Row('speed', '1 s', 'the other', '<= 2 s', True)])")
    monkeypatch.setattr(bench, "BENCHMARKS", (broken, good))
    assert bench.main([]) == 1
    printed = capsys.readouterr().out
    assert "3 bars, 1 missed" in printed


def test_every_bar_held_is_success_and_one_missed_is_not(
    benchmark: Callable[[str], bench.Benchmark], monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    line = "raise SystemExit(not publish('one', [Row('speed', '1 s', 'the other', '<= 2 s', {})]))"
    monkeypatch.setattr(bench, "BENCHMARKS", (benchmark(line.format(True)),))
    assert bench.main([]) == 0
    for file in results.glob("*.json"):
        file.unlink()
    monkeypatch.setattr(bench, "BENCHMARKS", (benchmark(line.format(False)),))
    assert bench.main([]) == 1


@pytest.mark.usefixtures("results")
def test_a_benchmark_that_hangs_is_stopped(
    benchmark: Callable[[str], bench.Benchmark], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_PATIENCE", 0.0001)
    outcome = bench.run(benchmark("import threading\nthreading.Event().wait()"))
    assert outcome.status < 0
    ((_, row),) = bench.closing_rows([outcome], is_whole=False)
    assert (row.measured, row.holds) == ("the benchmark itself", False)


def test_a_failure_after_bars_that_hold_is_a_failure() -> None:
    outcome = bench.Outcome(bench.Benchmark("drain", 4), 1, 0.1, (Result("drain", (HELD,)),))
    rows = [row for _, row in bench.closing_rows([outcome], is_whole=False)]
    assert [row.holds for row in rows] == [True, False]


def test_a_time_above_the_budget_of_all_is_a_missed_bar() -> None:
    slow = bench.Outcome(bench.Benchmark("drain", 4), 0, bench.MOST_MINUTES + 1, (Result("drain", (HELD,)),))
    assert [row.holds for _, row in bench.closing_rows([slow], is_whole=True)] == [True, False]


def test_the_plan_of_all_benchmarks_fits_into_the_budget() -> None:
    assert sum(item.minutes for item in bench.BENCHMARKS) <= bench.MOST_MINUTES


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(SystemExit):
        bench.main(["no_such_benchmark"])
