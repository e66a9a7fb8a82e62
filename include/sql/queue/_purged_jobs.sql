{#- Fragment: the jobs that the cleanup has purged of tasks that were tried again: the roll-up and the event need one.
    Follows _runs.sql. Bind: fallback_table_type. -#}
purged_jobs AS (
  SELECT
    tasks.JOB_ID,
    MIN(tasks.TEST_ID) AS TEST_ID,
    MIN(tasks.RUN_ID) AS RUN_ID,
    MAX(runs.ENDED_AT) AS TEST_END_TIME,
    MIN(tasks.DUE_AT) AS EARLIEST_ENRICHMENT_TIME,
    COALESCE(MAX(runs.TABLE_TYPE), %(fallback_table_type)s) AS TABLE_TYPE,
    ARRAY_AGG(tasks.ENRICHMENT_TYPE) WITHIN GROUP (ORDER BY tasks.ENRICHMENT_TYPE) AS ENRICHMENT_TYPES,
    'PENDING' AS STATUS,
    MIN(tasks.CREATED_AT) AS CREATED_AT
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
  LEFT JOIN runs ON tasks.RUN_ID = runs.RUN_ID
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
  WHERE jobs.JOB_ID IS NULL
  GROUP BY tasks.JOB_ID
  HAVING COUNT_IF(tasks.EVENT_EMITTED_AT IS NULL) > 0
)
