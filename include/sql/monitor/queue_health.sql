-- Purpose:    the jobs that are open, whatever their age, and those that settled in the last day.
-- Group:      monitor
-- Grain:      one row per status.
-- Write mode: reads only.
-- Limits:     PARTIAL counts COMPLETED jobs of which a type failed. A second job for a run is left out.
-- Corrects:   the plan took jobs that were created in the last day, so that one stuck for longer disappeared; compared
--             UTC with the session's zone (CURRENT_TIMESTAMP); and read the status as last rolled up, not that of the
--             tasks.
WITH jobs AS (
  SELECT
    COALESCE(rolled_up.STATUS, queued.STATUS) AS STATUS,
    COALESCE(rolled_up.ATTEMPTS, queued.ATTEMPTS) AS ATTEMPTS,
    COALESCE(rolled_up.COMPLETED_AT, queued.COMPLETED_AT) AS COMPLETED_AT,
    STARTSWITH(COALESCE(rolled_up.LAST_ERROR, ''), 'Partial success') AS IS_PARTIAL,
    rolled_up.DATA_COMPLETE,
    queued.CREATED_AT
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued
  LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON queued.JOB_ID = rolled_up.JOB_ID
  WHERE NOT STARTSWITH(COALESCE(queued.LAST_ERROR, ''), 'DUPLICATE_JOB')
)

SELECT
  STATUS,
  COUNT(*) AS JOBS,
  COUNT_IF(IS_PARTIAL) AS PARTIAL,
  COUNT_IF(DATA_COMPLETE = FALSE) AS INCOMPLETE,
  AVG(ATTEMPTS) AS AVG_ATTEMPTS,
  MAX(ATTEMPTS) AS MAX_ATTEMPTS,
  MIN(CREATED_AT) AS OLDEST_CREATED_AT
FROM jobs
WHERE STATUS IN ('PENDING', 'IN_PROGRESS') OR COMPLETED_AT >= DATEADD('day', -1, SYSDATE())
GROUP BY STATUS
ORDER BY STATUS;
