-- Purpose:    fails with 000904, invalid identifier, when FlakeBench has dropped a column of the mirror.
-- Grain:      no row; the answer is whether the statements compile.
-- Binds:      child_ids (none exists by that name; QUERY_EXECUTIONS is never read without its children).
-- Write mode: reads only.
-- Limits:     names the columns of schema/0003_mirror.sql; a test keeps the two in step.
SELECT
  DELAYED_ENRICHMENT_STATUS,
  DELAYED_ENRICHMENT_ERROR,
  DELAYED_ENRICHMENT_COMPLETED_AT,
  AGGREGATE_ENRICHMENT_STATUS,
  THROTTLED_QUERY_COUNT,
  HYBRID_CREDITS_USED,
  HYBRID_CREDITS_REQUESTS,
  HYBRID_CREDITS_START_TIME,
  HYBRID_CREDITS_END_TIME,
  LOCK_WAIT_COUNT,
  LOCK_WAIT_TOTAL_MS,
  LOCK_WAIT_MAX_MS,
  QUERY_INSIGHTS_COUNT,
  QUERY_INSIGHTS_HIGH_SEVERITY_COUNT
FROM {{ results }}.TEST_RESULTS
LIMIT 0;

SELECT QUERY_PARAMETERIZED_HASH
FROM {{ results }}.QUERY_EXECUTIONS
WHERE TEST_ID IN (%(child_ids)s)
LIMIT 0;
