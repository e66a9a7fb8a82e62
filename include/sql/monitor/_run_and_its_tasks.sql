{#- Fragment: the run that a person names by its own id or by that of one of its children, and the run's newest task of
    each enrichment type. An id that nothing has is kept, so that there is an answer: no status. Bind: run_id. -#}
requested AS (
  SELECT %(run_id)s AS REQUESTED_ID
),

run AS (
  SELECT COALESCE(MAX(tests.RUN_ID), MAX(requested.REQUESTED_ID)) AS RUN_ID
  FROM requested
  LEFT JOIN {{ results }}.TEST_RESULTS AS tests ON requested.REQUESTED_ID = tests.TEST_ID
),

tasks AS (
  SELECT
    all_tasks.JOB_ID,
    all_tasks.RUN_ID,
    all_tasks.ENRICHMENT_TYPE,
    all_tasks.STATUS,
    all_tasks.PRIORITY,
    all_tasks.DUE_AT,
    all_tasks.ATTEMPTS,
    all_tasks.SNOOZES,
    all_tasks.CLAIMED_BY,
    all_tasks.STARTED_AT,
    all_tasks.COMPLETED_AT,
    all_tasks.RECHECK_AT,
    all_tasks.ROWS_WRITTEN,
    all_tasks.EXPECTED_COUNT,
    all_tasks.FOUND_COUNT,
    all_tasks.COVERAGE,
    all_tasks.DATA_COMPLETE,
    all_tasks.DATA_AVAILABLE_UNTIL,
    all_tasks.LAST_QUERY_ID,
    all_tasks.REASON_CODE,
    all_tasks.LAST_ERROR
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS all_tasks
  INNER JOIN run ON all_tasks.RUN_ID = run.RUN_ID
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY all_tasks.ENRICHMENT_TYPE ORDER BY all_tasks.CREATED_AT DESC, all_tasks.JOB_ID
    ) = 1
)
