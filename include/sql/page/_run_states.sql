{#- Fragment: per run what its tasks add up to. A run has one task of each enrichment type; of several (a job that a person
    queued beside ours) the newest counts. STATE of a run without tasks: that of its job, else NOT_QUEUED.
    Binds: unenriched_table_types. -#}
tasks AS (
  SELECT
    RUN_ID,
    ENRICHMENT_TYPE,
    STATUS,
    DUE_AT,
    ATTEMPTS,
    SNOOZES,
    COMPLETED_AT,
    RECHECK_AT,
    ROWS_WRITTEN,
    EXPECTED_COUNT,
    FOUND_COUNT,
    COVERAGE,
    DATA_COMPLETE,
    DATA_AVAILABLE_UNTIL,
    REASON_CODE,
    LAST_ERROR,
    UPDATED_AT
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  QUALIFY ROW_NUMBER() OVER (PARTITION BY RUN_ID, ENRICHMENT_TYPE ORDER BY CREATED_AT DESC, JOB_ID) = 1
),

counted AS (
  SELECT
    RUN_ID,
    COUNT(*) AS TASK_COUNT,
    COUNT_IF(STATUS = 'IN_PROGRESS') AS IN_PROGRESS_COUNT,
    COUNT_IF(STATUS = 'PENDING') AS PENDING_COUNT,
    COUNT_IF(STATUS = 'COMPLETED') AS COMPLETED_COUNT,
    COUNT_IF(STATUS = 'FAILED') AS FAILED_COUNT,
    COUNT_IF(STATUS = 'SKIPPED') AS SKIPPED_COUNT
  FROM tasks
  GROUP BY RUN_ID
),

jobs AS (
  SELECT
    RUN_ID,
    STATUS,
    TEST_END_TIME,
    LAST_ERROR
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY RUN_ID
      ORDER BY STARTSWITH(COALESCE(LAST_ERROR, ''), 'DUPLICATE_JOB'), CREATED_AT DESC, JOB_ID
    ) = 1
),

child_times AS (
  SELECT
    RUN_ID,
    MIN(START_TIME) AS STARTED_AT,
    MAX(END_TIME) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS
  WHERE TEST_ID <> RUN_ID
  GROUP BY RUN_ID
),

runs AS (
  SELECT
    parents.RUN_ID,
    parents.TEST_NAME,
    UPPER(TRIM(parents.TABLE_TYPE)) AS TABLE_TYPE,
    UPPER(parents.STATUS) AS RUN_STATUS,
    UPPER(parents.ENRICHMENT_STATUS) AS IMMEDIATE_STATUS,
    COALESCE(child_times.STARTED_AT, parents.START_TIME) AS STARTED_AT,
    COALESCE(jobs.TEST_END_TIME, child_times.ENDED_AT, parents.END_TIME) AS ENDED_AT,
    CASE
      WHEN counted.IN_PROGRESS_COUNT > 0 THEN 'IN_PROGRESS'
      WHEN counted.PENDING_COUNT > 0 THEN 'PENDING'
      WHEN counted.FAILED_COUNT > 0 AND counted.COMPLETED_COUNT > 0 THEN 'PARTIAL'
      WHEN counted.FAILED_COUNT > 0 THEN 'FAILED'
      WHEN counted.COMPLETED_COUNT > 0 THEN 'COMPLETED'
      WHEN counted.SKIPPED_COUNT > 0 THEN 'SKIPPED'
      WHEN counted.TASK_COUNT > 0 THEN 'NOT_APPLICABLE'
      WHEN UPPER(TRIM(parents.TABLE_TYPE)) IN (%(unenriched_table_types)s) THEN 'NOT_APPLICABLE'
      ELSE COALESCE(jobs.STATUS, 'NOT_QUEUED')
    END AS STATE,
    jobs.LAST_ERROR AS JOB_ERROR
  FROM {{ results }}.TEST_RESULTS AS parents
  LEFT JOIN counted ON parents.RUN_ID = counted.RUN_ID
  LEFT JOIN jobs ON parents.RUN_ID = jobs.RUN_ID
  LEFT JOIN child_times ON parents.RUN_ID = child_times.RUN_ID
  WHERE parents.TEST_ID = parents.RUN_ID
  -- keys are not enforced: a parent row may be there twice
  QUALIFY ROW_NUMBER() OVER (PARTITION BY parents.RUN_ID ORDER BY parents.CREATED_AT DESC) = 1
)
