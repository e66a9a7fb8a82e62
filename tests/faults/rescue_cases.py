"""What a pass may find of tasks that an earlier one claimed: the rescue cases of other queues, said in our words.

River's are all here (``internal/maintenance/job_rescuer_test.go``). A job is a task, its horizon is the end of the
lease, *retryable* is given back, *discarded* is FAILED.

=================================================  ===================================================================
river                                              here
=================================================  ===================================================================
DoesNotRescueWorkerInheritingDisabledTimeout       a lease cannot be switched off: a task without one was not claimed
                                                   by this package, nobody holds it, and it is given back
Defaults                                           ``tests/enrichment/test_settings.py``: task < pass < lease
RescuesStuckJobs, 13 jobs                          a case each. There is no request to cancel: a person settles the
                                                   row, and it stays settled. A timeout per kind is a longer lease,
                                                   because each row has its own
RescuesInBatches                                   one UPDATE, so there are no batches: 5,100 tasks in one pass
RescuesPastFullBatchOfJobsWithNoTimeout            more tasks than a batch that live, and one behind them that does not
RespectsContextCancellation, StopsImmediately      a pass that is stopped has rescued nothing; the next rescues all
ReducedBatchSizeBreakerTrips, ...ResetsOnSuccess   the UPDATE times out: nothing happened; the next pass does it all
UnmarshalErrorDiscardsAtMaxAttempts, ...Retries    an enrichment type that the catalogue no longer knows: as any other
CanRunMultipleTimes                                two passes
StartStopStress, CustomizableInterval              no loop of ours to start, stop or time: a pass is an Airflow task,
                                                   the schedule a setting of the DAG
UsesPilot, UsesExecutorFallback...                 no exchangeable database driver
=================================================  ===================================================================

Of graphile-worker they are those of resetLockedAt, of procrastinate those of stalled jobs, of pg-boss those of expiry
and heartbeat that have a meaning here (a worker has no heartbeat; its lease is one that nobody renews).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.sql.account import Row

GIVEN_BACK, FAILED, LEFT_ALONE = "given back", "failed", "left alone"


@dataclass(frozen=True)
class Found:
    """A task, and what is to become of it.

    :param outcome: see above
    :param was_tried: a try was started under the claim and is lost with it
    """

    row: Row
    outcome: str
    was_tried: bool


@dataclass(frozen=True)
class Case:
    """What a pass finds.

    :param later: what a second pass finds as well
    :param fault: of a statement of the first pass; it fails, and the second does its work
    """

    tasks: Sequence[Found]
    later: Sequence[Found] = ()
    fault: dict[str, Any] | None = None


def stuck(outcome: str, lease: str | None = "-60m", *, was_tried: bool = True, **columns: Any) -> Found:
    """A task that another DAG run claimed 10 hours ago; a try of it was started, and nothing was heard of it since.

    :param lease: when its lease ends
    """
    job = columns.get("JOB_ID", "job-1")
    row = {
        "JOB_ID": job,
        "STATUS": "IN_PROGRESS",
        "CLAIM_TOKEN": f"{job}:1" if was_tried else job,
        "CLAIMED_BY": "delayed_enrichment/an-earlier-pass",
        "CLAIMED_AT": "-600m",
        "STARTED_AT": "-599m" if was_tried else None,
        "LEASE_EXPIRES_AT": lease,
        "ATTEMPTS": 1,
        "EVENT_EMITTED_AT": "-600m",
        **columns,
    }
    return Found(row, outcome, was_tried)


def settled(status: str, lease: str = "-60m", **columns: Any) -> Found:
    """A task that has ended; its old lease is still there."""
    return stuck(LEFT_ALONE, lease, STATUS=status, COMPLETED_AT="-30m", **columns)


def fault(match: str, errno: int, message: str) -> dict[str, Any]:
    return {"match": match, "errno": errno, "sqlstate": "57014", "message": message, "times": 1}


TIMED_OUT_RESCUE = fault(r"\bSTATUS = CASE\b.*'LEASE_EXPIRED'", 630, "Statement reached its timeout")
STOPPED_CLAIM = fault(r"\bWITH due_tasks\b", 604, "SQL execution canceled")

RIVER = {
    "DoesNotRescueWorkerInheritingDisabledClientTimeout": Case([stuck(GIVEN_BACK, None)]),
    "RescuesStuckJobs: stuckToRetryJob1": Case([stuck(GIVEN_BACK, "now-60m")]),
    "RescuesStuckJobs: stuckToRetryJob2": Case([stuck(GIVEN_BACK, "now-1m")]),
    "RescuesStuckJobs: stuckToRetryJob3": Case([stuck(LEFT_ALONE, "now+1m")]),
    "RescuesStuckJobs: stuckToDiscardJob1": Case([stuck(FAILED, "now-60m", ATTEMPTS=3)]),
    "RescuesStuckJobs: stuckToDiscardJob2": Case([stuck(LEFT_ALONE, "now+1m", ATTEMPTS=3)]),
    "RescuesStuckJobs: stuckToCancelJob1": Case([settled("SKIPPED", "now-60m", REASON_CODE="BY_HAND")]),
    "RescuesStuckJobs: stuckToCancelJob2": Case([settled("SKIPPED", "now+1m", REASON_CODE="BY_HAND")]),
    "RescuesStuckJobs: notRunningJob1": Case([settled("COMPLETED")]),
    "RescuesStuckJobs: notRunningJob2": Case([settled("FAILED", REASON_CODE="TIMEOUT", ATTEMPTS=3)]),
    "RescuesStuckJobs: notRunningJob3": Case([settled("NOT_APPLICABLE")]),
    "RescuesStuckJobs: longTimeOutJob1": Case([stuck(LEFT_ALONE, "now+5m", CLAIMED_AT="-9d", STARTED_AT="-9d")]),
    "RescuesStuckJobs: longTimeOutJob2": Case([stuck(GIVEN_BACK, "now-1m", CLAIMED_AT="-9d", STARTED_AT="-9d")]),
    "RescuesInBatches": Case([stuck(GIVEN_BACK, JOB_ID=f"job-{n}") for n in range(5_100)]),
    "RescuesPastFullBatchOfJobsWithNoTimeout": Case(
        [
            *(stuck(LEFT_ALONE, "+60m", JOB_ID=f"lives-{n}", CLAIMED_AT="-9d", DUE_AT="-9d") for n in range(150)),
            stuck(GIVEN_BACK, "now-1m"),
        ]
    ),
    "RespectsContextCancellation": Case(
        [stuck(GIVEN_BACK), stuck(FAILED, JOB_ID="job-2", ATTEMPTS=3)], fault=STOPPED_CLAIM
    ),
    "ReducedBatchSizeBreakerTrips": Case(
        [stuck(GIVEN_BACK, JOB_ID=f"job-{n}") for n in range(120)], fault=TIMED_OUT_RESCUE
    ),
    "UnmarshalErrorDiscardsAtMaxAttempts": Case([stuck(FAILED, ENRICHMENT_TYPE="REMOVED", ATTEMPTS=3)]),
    "UnmarshalErrorRetriesWithClientPolicy": Case([stuck(GIVEN_BACK, ENRICHMENT_TYPE="REMOVED")]),
    "CanRunMultipleTimes": Case(
        [stuck(FAILED, ATTEMPTS=3)], later=[stuck(FAILED, "now-1m", JOB_ID="job-2", ATTEMPTS=3)]
    ),
}

OTHERS = {
    "graphile-worker resetLockedAt: unlocked": Case([stuck(LEFT_ALONE, None, STATUS="PENDING", DUE_AT="+10m")]),
    "graphile-worker resetLockedAt: locked_recently": Case(
        [stuck(LEFT_ALONE, "+85m", CLAIMED_AT="-5m", STARTED_AT="-5m")]
    ),
    "graphile-worker resetLockedAt: locked_ages_ago": Case(
        [stuck(GIVEN_BACK, "-151m", CLAIMED_AT="-241m", STARTED_AT="-240m")]
    ),
    "procrastinate: no sign of life for 35 minutes": Case([stuck(GIVEN_BACK, "-35m")]),
    "procrastinate: age alone is no reason, the lease was renewed": Case([stuck(LEFT_ALONE, "+89m", ATTEMPTS=3)]),
    "procrastinate: the worker is gone before it began": Case([stuck(GIVEN_BACK, was_tried=False, ATTEMPTS=0)]),
    "pg-boss expire: the retries are used up": Case(
        [stuck(FAILED, ATTEMPTS=3), stuck(GIVEN_BACK, JOB_ID="job-2", ATTEMPTS=2)]
    ),
    "pg-boss expire: begun under an earlier claim only": Case(
        [stuck(GIVEN_BACK, was_tried=False, STARTED_AT="-900m", ATTEMPTS=3)]
    ),
    "pg-boss heartbeat: one of two misses it": Case(
        [stuck(GIVEN_BACK, "now-1s"), stuck(LEFT_ALONE, "+1m", JOB_ID="job-2")]
    ),
    "pg-boss heartbeat: old, of a job that is completed": Case([settled("COMPLETED", "-600m")]),
}
