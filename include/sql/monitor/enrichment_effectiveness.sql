-- Purpose:    how many of a run's executions QUERY_HISTORY has filled.
-- Group:      verify
-- Grain:      one row.
-- Binds:      run_id (of the run or of one of its children).
-- Write mode: reads only.
-- Limits:     a hybrid run's QUERY_HISTORY is sparse by design. Counts of what was filled are NULL until the task has
--             written: not yet is not zero. STATUS is NULL when the run has no such task.
-- Corrects:   QUERY_EXECUTIONS is keyed by the child's TEST_ID, so that the plan's query, given a run's id, counted
--             nothing; it also counted warm-up, failed and LOCAL_ executions, which no view can account for.
WITH
{% include 'monitor/_run_and_its_tasks.sql' %},

executions AS (
  SELECT
    COUNT(*) AS TOTAL_QUERIES,
    COUNT_IF(SUCCESS AND NOT COALESCE(WARMUP, FALSE) AND NOT STARTSWITH(QUERY_ID, 'LOCAL_')) AS EXPECTED_QUERIES,
    COUNT(SF_PARTITIONS_SCANNED) AS WITH_PARTITIONS,
    COUNT(SF_BYTES_SPILLED_LOCAL) AS WITH_SPILL_LOCAL,
    COUNT(SF_BYTES_SPILLED_REMOTE) AS WITH_SPILL_REMOTE
  FROM {{ results }}.QUERY_EXECUTIONS
  WHERE
    TEST_ID IN (
      SELECT children.TEST_ID
      FROM {{ results }}.TEST_RESULTS AS children
      INNER JOIN run ON children.RUN_ID = run.RUN_ID
      WHERE children.TEST_ID <> children.RUN_ID
    )
)

SELECT
  run.RUN_ID,
  tasks.STATUS,
  tasks.REASON_CODE,
  tasks.DUE_AT,
  tasks.DATA_COMPLETE,
  tasks.COVERAGE,
  executions.TOTAL_QUERIES,
  executions.EXPECTED_QUERIES,
  CASE WHEN tasks.ROWS_WRITTEN IS NOT NULL THEN executions.WITH_PARTITIONS END AS WITH_PARTITIONS,
  CASE WHEN tasks.ROWS_WRITTEN IS NOT NULL THEN executions.WITH_SPILL_LOCAL END AS WITH_SPILL_LOCAL,
  CASE WHEN tasks.ROWS_WRITTEN IS NOT NULL THEN executions.WITH_SPILL_REMOTE END AS WITH_SPILL_REMOTE
FROM run
CROSS JOIN executions
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'QUERY_HISTORY';
