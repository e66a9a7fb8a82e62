{#- Fragment: predicate, a job in the queue differs from the roll-up of its tasks.
    Compares contents, not times of change: a task row that commits late with an early time is not missed. -#}
(
  jobs.STATUS IS DISTINCT FROM rolled_up.STATUS
  OR (jobs.EARLIEST_ENRICHMENT_TIME IS DISTINCT FROM rolled_up.NEXT_DUE_AT AND rolled_up.NEXT_DUE_AT IS NOT NULL)
  OR jobs.ATTEMPTS IS DISTINCT FROM rolled_up.ATTEMPTS
  OR jobs.LAST_ATTEMPT_AT IS DISTINCT FROM rolled_up.LAST_ATTEMPT_AT
  OR jobs.LAST_ERROR IS DISTINCT FROM rolled_up.LAST_ERROR
  OR jobs.CLAIMED_AT IS DISTINCT FROM rolled_up.CLAIMED_AT
  OR jobs.CLAIMED_BY IS DISTINCT FROM rolled_up.CLAIMED_BY
  OR jobs.COMPLETED_AT IS DISTINCT FROM rolled_up.COMPLETED_AT
  -- compared as text: whatever somebody put there is no reason to fail
  OR COALESCE(TO_JSON(jobs.COMPLETED_TYPES), '') <> rolled_up.COMPLETED_JSON
)
