-- Purpose:    how long after the end of a run its data was there, in the last seven days.
-- Group:      monitor
-- Grain:      one row per enrichment type and quarter of an hour after the end; NULL: the run's end is unknown.
-- Write mode: reads only.
-- Limits:     without backfill, which is late by design. A task that was retried counts from the end of its run as well.
-- Corrects:   the plan measured jobs, and so the slowest type only; counted each minute by itself; compared UTC with the
--             session's zone; and took backfilled runs for slow ones.
WITH completed AS (
  SELECT
    tasks.ENRICHMENT_TYPE,
    DATEDIFF('minute', jobs.TEST_END_TIME, tasks.COMPLETED_AT) AS ENRICHMENT_MINUTES
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
  WHERE
    tasks.STATUS = 'COMPLETED'
    AND tasks.PRIORITY <= 0
    AND tasks.COMPLETED_AT >= DATEADD('day', -7, SYSDATE())
)

SELECT
  ENRICHMENT_TYPE,
  FLOOR(ENRICHMENT_MINUTES / 15) * 15 AS FROM_MINUTES,
  FLOOR(ENRICHMENT_MINUTES / 15) * 15 + 15 AS BELOW_MINUTES,
  COUNT(*) AS TASKS
FROM completed
GROUP BY ENRICHMENT_TYPE, FLOOR(ENRICHMENT_MINUTES / 15)
ORDER BY ENRICHMENT_TYPE, FROM_MINUTES;
