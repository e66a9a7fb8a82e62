-- Purpose:    what the sensor asks: is there anything to do, and if not, from when?
-- Grain:      one row: NEXT_DUE_AT earliest due time of a pending task or second look; NEXT_LEASE_END earliest end of a
--             lease;
--             NEWEST_UNKNOWN_END end of the newest finished run without a job; STALE_JOBS jobs whose roll-up
--             or asset event is missing, or that somebody queued by hand.
-- Binds:      statuses, recheck_hours (0: no second looks).
-- Write mode: reads only.
-- Limits:     no clock and no hybrid table, so that Snowflake answers an unchanged question from the result
--             cache without a warehouse; the comparison with now is Python's.
WITH
{% include 'queue/_finished_runs.sql' %},

-- the cleanup purges old jobs; their tasks stay and can be tried again
lost_jobs AS (
  SELECT DISTINCT tasks.JOB_ID
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
  WHERE jobs.JOB_ID IS NULL AND tasks.EVENT_EMITTED_AT IS NULL
),

stale_jobs AS (
  SELECT jobs.JOB_ID
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
  LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON jobs.JOB_ID = rolled_up.JOB_ID
  WHERE
    (rolled_up.JOB_ID IS NULL AND jobs.STATUS = 'PENDING')
    OR (rolled_up.JOB_ID IS NULL AND jobs.STATUS = 'NOT_APPLICABLE' AND jobs.COMPLETED_AT IS NULL)
    OR (rolled_up.IS_SETTLED AND rolled_up.EVENT_MISSING)
    OR (rolled_up.JOB_ID IS NOT NULL AND {% include 'queue/_stale_jobs.sql' %})
  UNION ALL
  SELECT JOB_ID FROM lost_jobs
)

SELECT
  (
    SELECT MIN(CASE WHEN STATUS = 'COMPLETED' THEN RECHECK_AT ELSE DUE_AT END)
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
    WHERE STATUS = 'PENDING' OR (STATUS = 'COMPLETED' AND LEASE_EXPIRES_AT IS NULL AND %(recheck_hours)s > 0)
  ) AS NEXT_DUE_AT,
  (
    SELECT MIN(LEASE_EXPIRES_AT) FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS WHERE {% include 'queue/_is_held.sql' %}
  ) AS NEXT_LEASE_END,
  (SELECT MAX(AGED_FROM) FROM unknown_runs) AS NEWEST_UNKNOWN_END,
  (SELECT COUNT(*) FROM stale_jobs) AS STALE_JOBS;
