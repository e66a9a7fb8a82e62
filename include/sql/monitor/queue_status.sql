-- Purpose:    how many tasks are in which status.
-- Group:      verify
-- Grain:      one row per enrichment type and status.
-- Write mode: reads only.
-- Corrects:   the plan counted jobs, which are a roll-up: a job is PENDING as long as any of its types is, and its
--             ATTEMPTS is the largest of them. The tasks are the truth.
SELECT
  ENRICHMENT_TYPE,
  STATUS,
  COUNT(*) AS TASKS,
  COUNT(DISTINCT RUN_ID) AS RUNS,
  AVG(ATTEMPTS) AS AVG_ATTEMPTS,
  MAX(ATTEMPTS) AS MAX_ATTEMPTS,
  COUNT_IF(DATA_COMPLETE = FALSE) AS INCOMPLETE,
  MIN(CASE WHEN STATUS = 'PENDING' THEN DUE_AT END) AS NEXT_TRY_AT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
GROUP BY ENRICHMENT_TYPE, STATUS
ORDER BY ENRICHMENT_TYPE, STATUS;
