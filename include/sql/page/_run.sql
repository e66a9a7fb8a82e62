{#- Fragment: the run that a page is about, FlakeBench's row of it, its times, its job and its tasks. Bind: run_id. -#}
{% include 'monitor/_run_and_its_tasks.sql' %},

-- keys are not enforced: a parent row may be there twice
parents AS (
  SELECT
    tests.RUN_ID,
    tests.TEST_NAME,
    tests.SCENARIO_NAME,
    tests.TABLE_NAME,
    UPPER(TRIM(tests.TABLE_TYPE)) AS TABLE_TYPE,
    tests.WAREHOUSE,
    tests.WAREHOUSE_SIZE,
    tests.STATUS,
    tests.START_TIME,
    tests.END_TIME,
    tests.CONCURRENT_CONNECTIONS,
    tests.TOTAL_OPERATIONS,
    tests.FAILED_OPERATIONS,
    tests.QPS,
    tests.ENRICHMENT_STATUS,
    tests.ENRICHMENT_ERROR
  FROM {{ results }}.TEST_RESULTS AS tests
  INNER JOIN run ON tests.TEST_ID = run.RUN_ID
  WHERE tests.TEST_ID = tests.RUN_ID
  QUALIFY ROW_NUMBER() OVER (ORDER BY tests.CREATED_AT DESC) = 1
),

children AS (
  SELECT
    tests.RUN_ID,
    COUNT(DISTINCT tests.TEST_ID) AS WORKER_COUNT,
    MIN(tests.START_TIME) AS STARTED_AT,
    MAX(tests.END_TIME) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS AS tests
  INNER JOIN run ON tests.RUN_ID = run.RUN_ID
  WHERE tests.TEST_ID <> tests.RUN_ID
  GROUP BY tests.RUN_ID
),

-- a job's row is cleaned up a month after it settled; its tasks stay
jobs AS (
  SELECT
    queued.RUN_ID,
    queued.STATUS,
    queued.LAST_ERROR
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued
  INNER JOIN run ON queued.RUN_ID = run.RUN_ID
  QUALIFY
    ROW_NUMBER() OVER (
      ORDER BY STARTSWITH(COALESCE(queued.LAST_ERROR, ''), 'DUPLICATE_JOB'), queued.CREATED_AT DESC, queued.JOB_ID
    ) = 1
)
