"""The cleanup without a server: when its loops end, and which settings it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from include.enrichment import cleanup
from include.enrichment.settings import Settings


class Answers:
    """A hook whose template runs return these rows in turn; one more is an error."""

    def __init__(self, *answers: list[int | None]) -> None:
        self.left = list(answers)

    def run(self, *_: Any, **__: Any) -> list[int | None]:
        return self.left.pop(0)


@pytest.mark.parametrize(
    ("rounds", "batches"),
    [
        ([(0, 0, 0)], 1),
        ([(2, 9, 5)], 1),
        ([(2, 3, 10), (0, 0, 0)], 2),
        ([(0, 4, 10), (0, 0, 10)], 2),  # every chosen job is queued again: somebody must not keep it busy for ever
        ([(0, 0, 10)], 1),
    ],
)
def test_settled_jobs_end_with_a_batch_that_is_not_full_or_deletes_nothing(
    settings: Settings, rounds: list[tuple[int, int, int]], batches: int
) -> None:
    settings = settings.model_copy(update={"cleanup_batch_size": 10})
    hook: Any = Answers(*([None, None, tries, jobs, None, chosen] for tries, jobs, chosen in rounds))
    counts = cleanup.delete_settled_jobs(hook, settings, dry_run=False)
    assert counts == {
        "attempts": sum(tries for tries, _, _ in rounds),
        "queue_rows": sum(jobs for _, jobs, _ in rounds),
        "batches": batches,
    }
    assert hook.left == []


@pytest.mark.parametrize(("rounds", "batches"), [([0], 1), ([9], 1), ([10, 0], 2), ([12, 10, 3], 3)])
def test_other_steps_end_with_a_batch_that_is_not_full(settings: Settings, rounds: list[int], batches: int) -> None:
    settings = settings.model_copy(update={"cleanup_batch_size": 10})
    hook: Any = Answers(*([deleted] for deleted in rounds))
    counts = cleanup.delete_expired_insights(hook, settings, dry_run=False)
    assert counts == {"insights": sum(rounds), "batches": batches}
    assert hook.left == []


def test_defaults_are_those_of_the_specification() -> None:
    assert (Settings().queue_retention_days, Settings().cleanup_batch_size) == (30, 10_000)
    assert cleanup.OPERATION_RETENTION_DAYS == 365
