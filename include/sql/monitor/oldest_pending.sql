-- Purpose:    the pending task of each type that has waited longest; the plan warns above 6 hours, critical above 12.
-- Group:      alert
-- Grain:      one row per enrichment type with a pending task; no row: nothing is pending.
-- Write mode: reads only.
-- Limits:     without backfill, which waits on purpose. AGE_MINUTES counts from the end of the run, or from when the task
--             was made if that was later; OVERDUE_MINUTES from when the task may be tried next; negative: not yet.
--             A task that is old but not overdue waits for Snowflake (REASON_CODE says why), an overdue one for us.
-- Corrects:   the plan named this metric without a query.
WITH pending AS (
  SELECT
    tasks.ENRICHMENT_TYPE,
    tasks.RUN_ID,
    tasks.JOB_ID,
    GREATEST(tasks.CREATED_AT, COALESCE(jobs.TEST_END_TIME, tasks.CREATED_AT)) AS WAITING_SINCE,
    tasks.DUE_AT,
    tasks.ATTEMPTS,
    tasks.SNOOZES,
    tasks.REASON_CODE
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
  WHERE tasks.STATUS = 'PENDING' AND tasks.PRIORITY <= 0
)

SELECT
  ENRICHMENT_TYPE,
  RUN_ID,
  FLOOR(DATEDIFF('second', WAITING_SINCE, SYSDATE()) / 60) AS AGE_MINUTES,
  DUE_AT,
  FLOOR(DATEDIFF('second', DUE_AT, SYSDATE()) / 60) AS OVERDUE_MINUTES,
  ATTEMPTS,
  SNOOZES,
  REASON_CODE
FROM pending
QUALIFY ROW_NUMBER() OVER (PARTITION BY ENRICHMENT_TYPE ORDER BY WAITING_SINCE, JOB_ID) = 1
ORDER BY AGE_MINUTES DESC, ENRICHMENT_TYPE;
