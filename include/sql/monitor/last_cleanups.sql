-- Purpose:    what the last cleanups deleted and repaired.
-- Grain:      one row per cleanup, the newest first, at most thirty. A count is NULL when its step failed; in a dry run
--             counts say what would be deleted.
-- Write mode: reads only.
-- Limits:     records are kept for a year; the counts of a step are those of its last try.
SELECT
  STARTED_AT,
  ENDED_AT,
  STATUS,
  PERFORMED_BY,
  DETAILS:"dry_run"::BOOLEAN AS IS_DRY_RUN,
  ARRAY_TO_STRING(DETAILS:"failed_steps", ', ') AS FAILED_STEPS,
  DETAILS:"delete_settled_jobs":"queue_rows"::INTEGER AS QUEUE_ROWS,
  DETAILS:"delete_settled_jobs":"attempts"::INTEGER AS ATTEMPTS,
  DETAILS:"delete_orphaned_rows":"rows"::INTEGER AS ORPHANED_ROWS,
  DETAILS:"delete_expired_insights":"insights"::INTEGER AS EXPIRED_INSIGHTS,
  DETAILS:"delete_old_operations":"operations"::INTEGER AS OLD_OPERATIONS,
  DETAILS:"repair_mirror":"columns_added"::BOOLEAN AS MIRROR_COLUMNS_ADDED,
  DETAILS:"repair_mirror":"runs"::INTEGER AS MIRROR_RUNS,
  DETAILS:"repair_mirror":"executions"::INTEGER AS MIRROR_EXECUTIONS
FROM {{ enrichment }}.ENRICHMENT_OPERATIONS
WHERE OPERATION = 'CLEANUP'
ORDER BY STARTED_AT DESC
LIMIT 30;
