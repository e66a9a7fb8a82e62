-- Purpose:    brings every stale job in line with its tasks.
-- Grain:      rows of DELAYED_ENRICHMENT_QUEUE that differ from V_DELAYED_ENRICHMENT_ROLLUP.
-- Write mode: a function of the task rows; running it again changes nothing, and it heals what a crash left.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
SET
  STATUS = fresh.STATUS,
  EARLIEST_ENRICHMENT_TIME = COALESCE(fresh.NEXT_DUE_AT, fresh.EARLIEST_ENRICHMENT_TIME),
  ATTEMPTS = fresh.ATTEMPTS,
  LAST_ATTEMPT_AT = fresh.LAST_ATTEMPT_AT,
  LAST_ERROR = fresh.LAST_ERROR,
  CLAIMED_AT = fresh.CLAIMED_AT,
  CLAIMED_BY = fresh.CLAIMED_BY,
  COMPLETED_AT = fresh.COMPLETED_AT,
  COMPLETED_TYPES = PARSE_JSON(fresh.COMPLETED_JSON),
  UPDATED_AT = SYSDATE()
FROM (
  SELECT
    rolled_up.JOB_ID,
    rolled_up.STATUS,
    rolled_up.NEXT_DUE_AT,
    jobs.EARLIEST_ENRICHMENT_TIME,
    rolled_up.ATTEMPTS,
    rolled_up.LAST_ATTEMPT_AT,
    rolled_up.LAST_ERROR,
    rolled_up.CLAIMED_AT,
    rolled_up.CLAIMED_BY,
    rolled_up.COMPLETED_AT,
    rolled_up.COMPLETED_JSON
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
  INNER JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON jobs.JOB_ID = rolled_up.JOB_ID
  WHERE {% include 'queue/_stale_jobs.sql' %}
) AS fresh
WHERE DELAYED_ENRICHMENT_QUEUE.JOB_ID = fresh.JOB_ID;
