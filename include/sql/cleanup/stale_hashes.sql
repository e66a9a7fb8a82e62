-- Purpose:    of a group of runs those whose hashes on FlakeBench's QUERY_EXECUTIONS differ from ours.
-- Grain:      one row per run.
-- Binds:      run_ids, child_ids (QUERY_EXECUTIONS is clustered by TEST_ID: always restrict to the children).
-- Write mode: reads only, so that a group in which nothing differs takes no lock on a table that a live benchmark
--             writes to.
SELECT DISTINCT metrics.RUN_ID
FROM {{ results }}.QUERY_EXECUTIONS AS executions
INNER JOIN {{ enrichment }}.QUERY_EXECUTION_METRICS AS metrics
  ON executions.TEST_ID = metrics.TEST_ID AND executions.QUERY_ID = metrics.QUERY_ID
WHERE
  executions.TEST_ID IN (%(child_ids)s)
  AND metrics.RUN_ID IN (%(run_ids)s)
  AND metrics.QUERY_PARAMETERIZED_HASH IS NOT NULL
  AND executions.QUERY_PARAMETERIZED_HASH IS DISTINCT FROM metrics.QUERY_PARAMETERIZED_HASH;
