-- Purpose:    how much work is due now; the plan warns above 50 jobs, critical above 200.
-- Group:      alert
-- Grain:      one row.
-- Write mode: reads only.
-- Limits:     backfill is counted apart: it waits on purpose.
-- Corrects:   the plan counted every PENDING job, also those whose data Snowflake cannot have yet.
SELECT
  COUNT(DISTINCT CASE WHEN IS_DUE AND NOT IS_BACKFILL THEN JOB_ID END) AS DUE_JOBS,
  COUNT_IF(IS_DUE AND NOT IS_BACKFILL) AS DUE_TASKS,
  COUNT_IF(IS_DUE AND IS_BACKFILL) AS DUE_BACKFILL_TASKS,
  COUNT_IF(NOT IS_DUE) AS LATER_TASKS,
  MIN(DUE_AT) AS NEXT_TRY_AT
FROM (
  SELECT
    JOB_ID,
    DUE_AT,
    PRIORITY > 0 AS IS_BACKFILL,
    COALESCE(DUE_AT <= SYSDATE(), FALSE) AS IS_DUE
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  WHERE STATUS = 'PENDING'
) AS pending;
