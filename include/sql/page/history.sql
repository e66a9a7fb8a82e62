-- Purpose:    every try of a run's tasks: when, by whom, what it wrote, what went wrong.
-- Source:     DELAYED_ENRICHMENT_ATTEMPTS.
-- Grain:      one row per try, the newest first, the count of all repeated on each; one row without a try when there is none.
-- Binds:      run_id (of the run or of one of its children), page_size and page_offset (of the tries).
-- Write mode: reads only.
-- Limits:     tries are cleaned up with their job (FLAKEBENCH_ENRICHMENT_QUEUE_RETENTION_DAYS after it settled).
WITH
{% include 'monitor/_run_and_its_tasks.sql' %},

-- the run's tasks at a glance: whether anything was tried, is still to come, and how far the data reaches
standing AS (
  SELECT
    RUN_ID,
    COUNT(*) AS TASK_COUNT,
    COUNT_IF(STATUS IN ('PENDING', 'IN_PROGRESS')) AS OPEN_COUNT,
    MIN(CASE WHEN STATUS = 'PENDING' THEN DUE_AT END) AS NEXT_DUE_AT,
    MIN(DATA_AVAILABLE_UNTIL) AS DATA_AVAILABLE_UNTIL,
    MAX(ATTEMPTS + SNOOZES) AS TRY_COUNT,
    COUNT_IF(DATA_COMPLETE = FALSE) AS INCOMPLETE_COUNT,
    COUNT_IF(DATA_COMPLETE) AS WHOLE_COUNT
  FROM tasks
  GROUP BY RUN_ID
),

tries AS (
  SELECT
    attempts.RUN_ID,
    attempts.ENRICHMENT_TYPE,
    attempts.CLAIM_TOKEN,
    attempts.CLAIMED_BY,
    attempts.STARTED_AT,
    attempts.ENDED_AT,
    attempts.OUTCOME,
    attempts.REASON_CODE,
    attempts.ROWS_WRITTEN,
    attempts.EXPECTED_COUNT,
    attempts.FOUND_COUNT,
    attempts.DURATION_MS,
    attempts.QUERY_ID,
    attempts.ERROR,
    attempts.CHANGES,
    COUNT(*) OVER (PARTITION BY attempts.RUN_ID) AS ATTEMPT_COUNT,
    ROW_NUMBER() OVER (
      ORDER BY attempts.STARTED_AT DESC NULLS LAST, attempts.ENRICHMENT_TYPE, attempts.CLAIM_TOKEN
    ) AS PLACE
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS AS attempts
  INNER JOIN run ON attempts.RUN_ID = run.RUN_ID
),

totals AS (
  SELECT
    RUN_ID,
    MAX(ATTEMPT_COUNT) AS ATTEMPT_COUNT
  FROM tries
  GROUP BY RUN_ID
)

SELECT
  run.RUN_ID,
  parents.STATUS AS RUN_STATUS,
  parents.TEST_NAME,
  UPPER(TRIM(parents.TABLE_TYPE)) AS TABLE_TYPE,
  standing.TASK_COUNT,
  standing.OPEN_COUNT,
  standing.NEXT_DUE_AT,
  standing.DATA_AVAILABLE_UNTIL,
  standing.TRY_COUNT,
  standing.INCOMPLETE_COUNT,
  standing.WHOLE_COUNT,
  totals.ATTEMPT_COUNT,
  tries.PLACE AS ATTEMPT_PLACE,
  tries.ENRICHMENT_TYPE,
  tries.CLAIM_TOKEN,
  tries.CLAIMED_BY,
  tries.STARTED_AT,
  tries.ENDED_AT,
  tries.OUTCOME,
  tries.REASON_CODE,
  tries.ROWS_WRITTEN,
  tries.EXPECTED_COUNT,
  tries.FOUND_COUNT,
  tries.DURATION_MS,
  tries.QUERY_ID,
  tries.ERROR,
  tries.CHANGES
FROM run
LEFT JOIN {{ results }}.TEST_RESULTS AS parents ON run.RUN_ID = parents.TEST_ID AND parents.TEST_ID = parents.RUN_ID
LEFT JOIN standing ON run.RUN_ID = standing.RUN_ID
LEFT JOIN totals ON run.RUN_ID = totals.RUN_ID
LEFT JOIN tries
  ON run.RUN_ID = tries.RUN_ID
  AND tries.PLACE > %(page_offset)s
  AND tries.PLACE <= %(page_offset)s + %(page_size)s
-- keys are not enforced: a parent row may be there twice
QUALIFY ROW_NUMBER() OVER (PARTITION BY tries.PLACE ORDER BY parents.CREATED_AT DESC) = 1
ORDER BY tries.PLACE;
