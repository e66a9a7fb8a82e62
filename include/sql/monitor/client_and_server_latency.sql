-- Purpose:    the latency that the client measured beside the server's, for the hybrid runs of the last 30 days.
-- Group:      verify
-- Grain:      one row per hybrid or unistore run that has a job, the newest first.
-- Write mode: reads only.
-- Limits:     server values are NULL until AGGREGATE is written. Percentiles of two distributions: their quotient tells
--             where time goes, not how long a statement took.
-- Corrects:   the plan compared the client with the MAX over the patterns of the execution time alone, where the client
--             waits for compilation and queueing too: here it is the run's total elapsed time. Division by a client
--             value of 0 failed, runs still pending were left out, lower-case table types and UNISTORE too.
WITH tasks AS (
  SELECT
    RUN_ID,
    STATUS,
    DATA_COMPLETE
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  WHERE ENRICHMENT_TYPE = 'AGGREGATE'
  QUALIFY ROW_NUMBER() OVER (PARTITION BY RUN_ID ORDER BY CREATED_AT DESC, JOB_ID) = 1
)

SELECT
  runs.RUN_ID,
  runs.TEST_NAME,
  runs.TABLE_TYPE,
  runs.TEST_END_TIME,
  tasks.STATUS,
  tasks.DATA_COMPLETE,
  parents.P50_LATENCY_MS AS CLIENT_MEDIAN_MS,
  runs.ELAPSED_MEDIAN_MS AS SERVER_MEDIAN_MS,
  parents.P95_LATENCY_MS AS CLIENT_P95_MS,
  runs.ELAPSED_P95_MS AS SERVER_P95_MS,
  runs.ELAPSED_P95_LOW_MS AS SERVER_P95_LOW_MS,
  runs.ELAPSED_P95_HIGH_MS AS SERVER_P95_HIGH_MS,
  runs.EXEC_P95_MS AS SERVER_P95_EXEC_MS,
  runs.ELAPSED_P95_MS / NULLIF(parents.P95_LATENCY_MS, 0) * 100 AS SERVER_PCT_OF_CLIENT,
  runs.PERCENTILE_METHOD
FROM {{ enrichment }}.V_RUN_ENRICHMENT AS runs
LEFT JOIN tasks ON runs.RUN_ID = tasks.RUN_ID
LEFT JOIN {{ results }}.TEST_RESULTS AS parents ON runs.RUN_ID = parents.TEST_ID AND parents.TEST_ID = parents.RUN_ID
WHERE
  UPPER(runs.TABLE_TYPE) IN ('HYBRID', 'UNISTORE')
  AND runs.TEST_END_TIME >= DATEADD('day', -30, SYSDATE())
-- keys are not enforced: a parent row may be there twice
QUALIFY ROW_NUMBER() OVER (PARTITION BY runs.RUN_ID ORDER BY parents.CREATED_AT DESC) = 1
ORDER BY runs.TEST_END_TIME DESC, runs.RUN_ID;
