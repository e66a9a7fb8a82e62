-- Purpose:    the children whose queries have a parameterized hash, to be compared with FlakeBench's copy.
-- Grain:      one row per (run, child).
-- Write mode: reads only.
SELECT DISTINCT
  RUN_ID,
  TEST_ID
FROM {{ enrichment }}.QUERY_EXECUTION_METRICS
WHERE QUERY_PARAMETERIZED_HASH IS NOT NULL AND TEST_ID IS NOT NULL
ORDER BY RUN_ID, TEST_ID;
