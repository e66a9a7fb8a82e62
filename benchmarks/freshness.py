"""From the end of a run to its first numbers of each enrichment type, on a real scheduler.

The latencies are the real ones: nobody waits for them, because the runs ended so long ago that each type becomes due
while the benchmark watches, at different moments of the schedule's interval.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.origin_plan import DUE_AFTER, POLL_SECONDS
from benchmarks.report import Row, publish
from include.enrichment.catalogue import CATALOGUE, HYBRID_TABLE_TYPES, EnrichmentType
from local.deployment import Deployment, deploy
from local.environment import QUIET
from local.processes import StoppedError, stop_on_signals
from local.sample.foreign import background
from local.sample.lineup import PLANS
from local.sample_account import Account, build_account

SCHEDULE_MINUTES = 1
ALLOWED_SECONDS = 30
"""Largest time allowed from due to written, beyond one interval of the schedule."""

PHASES = (timedelta(seconds=25), timedelta(seconds=45), timedelta(seconds=65))
"""When the runs become due, counted from the moment they are made: thirds of the schedule's interval."""

_STANDARD, _HYBRID = "standard-fresh", "hybrid-fresh"
_PATIENCE_SECONDS = 300.0
_SEED = 30_000
_SHIFT = """
UPDATE TEST_RESULTS SET END_TIME = %(ended_at)s::TIMESTAMP_NTZ WHERE RUN_ID = %(run_id)s AND END_TIME IS NOT NULL
"""
_TASK = """
SELECT
  STATUS,
  SNOOZES,
  DATEDIFF('millisecond', DUE_AT, COMPLETED_AT) / 1000 AS SECONDS_AFTER_DUE,
  DATEDIFF('second', %(ended_at)s::TIMESTAMP_NTZ, DUE_AT) / 60 AS MINUTES_DUE_AFTER_END
FROM DELAYED_ENRICHMENT_TASKS
WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(type)s
"""
_OPEN = """
SELECT COUNT(*) AS N FROM DELAYED_ENRICHMENT_TASKS
WHERE RUN_ID = %(run_id)s AND ENRICHMENT_TYPE = %(type)s AND STATUS NOT IN ('PENDING', 'IN_PROGRESS')
"""


@dataclass(frozen=True)
class Watched:
    """A run of which one type becomes due while the benchmark watches.

    :param ended_at: aware UTC; the account's runs end at full minutes, so it is written over theirs
    """

    entry: EnrichmentType
    account: Account
    ended_at: datetime

    @property
    def run_id(self) -> str:
        return self.account.runs[0].run_id


def main(arguments: list[str] | None = None) -> int:
    """Measure and publish.

    :returns: 0; 1 when a bar is missed
    """
    argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__).parse_args(arguments)
    os.environ.update(QUIET)
    stop_on_signals()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            deploy(
                Path(folder),
                FLAKEBENCH_ENRICHMENT_SCHEDULE_MINUTES=str(SCHEDULE_MINUTES),
                AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="True",  # until all runs are there
            ) as deployment,
        ):
            return 0 if publish("freshness", measure(deployment)) else 1
    except StoppedError:
        return 128 + signal.SIGINT


def measure(deployment: Deployment) -> list[Row]:
    """Let the runs be there, the schedule go on, and wait for the numbers.

    :param deployment: whose DAGs are paused
    """
    watched = list(runs_about_to_be_due(datetime.now(UTC)))
    for item in watched:
        deployment.write(item.account)
        deployment.rows(_SHIFT, run_id=item.run_id, ended_at=_naive(item.ended_at))
    deployment.client.pause(paused=False)
    for item in watched:
        binds = {"run_id": item.run_id, "type": item.entry.name}
        deployment.wait(lambda binds=binds: deployment.rows(_OPEN, **binds)[0]["N"] == 1, _PATIENCE_SECONDS)  # type: ignore[misc]
    deployment.wait_until_quiet()
    entries = list(dict.fromkeys(item.entry for item in watched))
    return [figure(deployment, entry, [item for item in watched if item.entry is entry]) for entry in entries]


def runs_about_to_be_due(now: datetime) -> Iterator[Watched]:
    """A run for each type and phase, but for optional types and HYBRID_CREDITS: no run that ends now has these."""
    usual = [entry for entry in CATALOGUE if not entry.is_optional]
    entries = [entry for entry in usual if entry.ended is None or now.date() < entry.ended]
    for number, (entry, phase) in enumerate((entry, phase) for entry in entries for phase in PHASES):
        ended_at = now + phase - entry.due_after
        kind = _HYBRID if entry.table_types == HYBRID_TABLE_TYPES else _STANDARD
        usual_age = next(plan.ended for plan in PLANS if plan.name == kind)
        if isinstance(usual_age, datetime):
            raise ValueError(f"{kind} ended at a fixed time")
        account = build_account(ended_at + usual_age, seed=_SEED + number, include=[kind])
        others = background(now, seed=_SEED) if number == 0 else ()
        yield Watched(entry, replace(account, background=others), ended_at)


def figure(deployment: Deployment, entry: EnrichmentType, watched: Sequence[Watched]) -> Row:
    """How long after due the numbers of a type were there."""
    delays, wrong = [], []
    for item in watched:
        binds = {"run_id": item.run_id, "type": entry.name, "ended_at": _naive(item.ended_at)}
        (task,) = deployment.rows(_TASK, **binds)
        due_after = entry.due_after.total_seconds() / 60
        if (task["STATUS"], task["SNOOZES"]) != ("COMPLETED", 0) or abs(
            task["MINUTES_DUE_AFTER_END"] - due_after
        ) > 0.05:
            wrong.append(f"{item.run_id}: {task}")
        else:
            delays.append(float(task["SECONDS_AFTER_DUE"]))
    if wrong:
        raise RuntimeError(f"{entry.name} was not written at the first look: {'; '.join(wrong)}")
    interval, due = SCHEDULE_MINUTES * 60, entry.due_after.total_seconds()
    origin = DUE_AFTER.total_seconds() + POLL_SECONDS
    most = interval + ALLOWED_SECONDS
    return Row(
        f"{entry.name}, from the end of the run to its numbers",
        f"{due / 60:.0f} min + {statistics.median(delays):.0f} s (median), + {max(delays):.0f} s (largest)",
        f"{max(delays) / interval:.2f} x the schedule's interval of {interval} s; with the default of 5 minutes "
        f"{(due + 300 + max(delays)) / origin:.2f} x the origin plan's {origin / 60:.0f} min",
        f"<= {due / 60:.0f} min + {interval} s + {ALLOWED_SECONDS} s",
        max(delays) <= most,
    )


def _naive(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ")


if __name__ == "__main__":
    sys.exit(main())
