{#- Fragment: the jobs for a run that has another one: the oldest wins. A job whose queue row was cleaned up still wins by
    its tasks. Nothing enforces that a JOB_ID is there once. -#}
duplicate_jobs AS (
  SELECT
    JOB_ID,
    'DUPLICATE_JOB: run ' || RUN_ID || ' already has job ' || WINNER
    || '. Nothing to do; to enrich the run again, retry that job.' AS MESSAGE
  FROM (
    SELECT
      jobs.JOB_ID,
      jobs.RUN_ID,
      FIRST_VALUE(jobs.JOB_ID) OVER (
        PARTITION BY jobs.RUN_ID
        ORDER BY CASE WHEN started.JOB_ID IS NULL THEN 1 ELSE 0 END, jobs.CREATED_AT, jobs.JOB_ID
      ) AS WINNER
    FROM (
      SELECT
        JOB_ID,
        RUN_ID,
        CREATED_AT
      FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
      WHERE NOT STARTSWITH(COALESCE(LAST_ERROR, ''), 'DUPLICATE_JOB')
      UNION ALL
      SELECT DISTINCT
        tasks.JOB_ID,
        tasks.RUN_ID,
        NULL AS CREATED_AT
      FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
      LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued ON tasks.JOB_ID = queued.JOB_ID
      WHERE queued.JOB_ID IS NULL
    ) AS jobs
    LEFT JOIN (
      SELECT DISTINCT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
    ) AS started ON jobs.JOB_ID = started.JOB_ID
  ) AS ranked
  WHERE JOB_ID <> WINNER
  QUALIFY ROW_NUMBER() OVER (PARTITION BY JOB_ID ORDER BY RUN_ID) = 1
)
