-- Purpose:    copies the parameterized hash to FlakeBench's QUERY_EXECUTIONS, for joins with AGGREGATE_QUERY_METRICS.
-- Grain:      the executions of the runs of written_children.sql whose hash differs.
-- Binds:      run_ids, child_ids (QUERY_EXECUTIONS is clustered by TEST_ID: always restrict to the children).
-- Write mode: one statement per pass; a dropped column postpones it.
UPDATE {{ results }}.QUERY_EXECUTIONS
SET QUERY_PARAMETERIZED_HASH = metrics.QUERY_PARAMETERIZED_HASH
FROM (
  SELECT
    QUERY_ID,
    MAX(QUERY_PARAMETERIZED_HASH) AS QUERY_PARAMETERIZED_HASH
  FROM {{ enrichment }}.QUERY_EXECUTION_METRICS
  WHERE RUN_ID IN (%(run_ids)s)
  GROUP BY QUERY_ID
) AS metrics
WHERE
  QUERY_EXECUTIONS.TEST_ID IN (%(child_ids)s)
  AND QUERY_EXECUTIONS.QUERY_ID = metrics.QUERY_ID
  AND QUERY_EXECUTIONS.QUERY_PARAMETERIZED_HASH IS DISTINCT FROM metrics.QUERY_PARAMETERIZED_HASH;
