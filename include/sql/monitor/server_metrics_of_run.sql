-- Purpose:    the server-side latency, throttling and errors of one run.
-- Group:      verify
-- Grain:      one row.
-- Binds:      run_id (of the run or of one of its children).
-- Write mode: reads only.
-- Limits:     every value is NULL until AGGREGATE is written; STATUS is NULL when the run has no such task. A percentile
--             that is merged from several rows is an estimate (PERCENTILE_METHOD = 'MIXTURE') within its bounds.
-- Corrects:   the plan took the MAX of the patterns' percentiles, which is no percentile of the run; and it returned no
--             row for a run that is still pending or was given by a child's id.
WITH
{% include 'monitor/_run_and_its_tasks.sql' %}

SELECT
  run.RUN_ID,
  tasks.STATUS,
  tasks.REASON_CODE,
  tasks.DUE_AT,
  tasks.DATA_COMPLETE,
  tasks.COVERAGE,
  stats.UNIQUE_QUERY_PATTERNS,
  stats.TOTAL_QUERIES,
  stats.WEIGHTED_AVG_EXEC_MS,
  stats.MEDIAN_EXEC_MS,
  stats.P90_EXEC_MS,
  stats.P95_EXEC_MS,
  stats.P95_EXEC_LOW_MS,
  stats.P95_EXEC_HIGH_MS,
  stats.P99_EXEC_MS,
  stats.P99_EXEC_LOW_MS,
  stats.P99_EXEC_HIGH_MS,
  stats.MAX_EXEC_MS,
  stats.PERCENTILE_METHOD,
  stats.TOTAL_THROTTLED_REQUESTS,
  stats.TOTAL_ERRORS,
  stats.TOTAL_QUEUED_OVERLOAD_MS
FROM run
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'AGGREGATE'
LEFT JOIN {{ enrichment }}.V_AGGREGATE_QUERY_STATS AS stats ON run.RUN_ID = stats.RUN_ID;
