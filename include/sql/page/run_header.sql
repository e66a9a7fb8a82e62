-- Purpose:    the head of a run's page: the benchmark, and where each of its enrichment types stands.
-- Grain:      one row per task of the run, the next due first; one row without a type when it has none.
-- Binds:      run_id (of the run or of one of its children).
-- Write mode: reads only.
-- Limits:     RUN_STATUS is NULL for an id that nothing has, and for a run that FlakeBench deleted. JOB_STATUS is NULL once
--             the job's row is cleaned up; the tasks live as long as the run.
WITH
{% include 'page/_run.sql' %}

SELECT
{% include 'page/_state_columns.sql' %},
  parents.TEST_NAME,
  parents.SCENARIO_NAME,
  parents.TABLE_NAME,
  parents.WAREHOUSE,
  parents.WAREHOUSE_SIZE,
  COALESCE(children.STARTED_AT, parents.START_TIME) AS RUN_STARTED_AT,
  children.WORKER_COUNT,
  parents.CONCURRENT_CONNECTIONS,
  parents.TOTAL_OPERATIONS,
  parents.FAILED_OPERATIONS,
  parents.QPS,
  parents.ENRICHMENT_STATUS AS IMMEDIATE_STATUS,
  parents.ENRICHMENT_ERROR AS IMMEDIATE_ERROR,
  jobs.LAST_ERROR AS JOB_ERROR
{% include 'page/_state_joins.sql' %}
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID
ORDER BY tasks.DUE_AT, tasks.ENRICHMENT_TYPE;
