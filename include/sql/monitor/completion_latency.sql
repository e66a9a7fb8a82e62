-- Purpose:    how long after they were due tasks completed in the last 24 hours; the plan warns above 30 minutes,
--             critical above 60.
-- Group:      alert
-- Grain:      one row per enrichment type of which a task completed.
-- Write mode: reads only.
-- Limits:     without backfill. A task that waited for Snowflake counts from its last due time, one that was made after
--             its due time, at installation or by hand, from then: what is measured is our own delay. A task that was
--             cleared by hand long after it was due counts as late.
-- Corrects:   the plan named this metric without a query; its "eligible time" is that of the job, the types are due
--             each by itself.
SELECT
  ENRICHMENT_TYPE,
  COUNT(*) AS TASKS,
  AVG(DATEDIFF('second', GREATEST(DUE_AT, CREATED_AT), COMPLETED_AT)) / 60 AS AVG_MINUTES,
  MEDIAN(DATEDIFF('second', GREATEST(DUE_AT, CREATED_AT), COMPLETED_AT)) / 60 AS MEDIAN_MINUTES,
  MAX(DATEDIFF('second', GREATEST(DUE_AT, CREATED_AT), COMPLETED_AT)) / 60 AS MAX_MINUTES
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE
  STATUS = 'COMPLETED'
  AND PRIORITY <= 0
  AND COMPLETED_AT >= DATEADD('hour', -24, SYSDATE())
GROUP BY ENRICHMENT_TYPE
ORDER BY MAX_MINUTES DESC, ENRICHMENT_TYPE;
