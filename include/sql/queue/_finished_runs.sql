{#- Fragment: the finished runs, one row per run, and when each ended.
    The end comes from the children; the parent's only where no child has one, because FlakeBench writes the
    parent's times in the session's time zone. Bind: statuses. -#}
finished_runs AS (
  SELECT
    parents.RUN_ID,
    UPPER(TRIM(parents.TABLE_TYPE)) AS TABLE_TYPE,
    parents.START_TIME AS STARTED_AT,
    COALESCE(children.ENDED_AT, parents.END_TIME) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS AS parents
  LEFT JOIN (
    SELECT
      RUN_ID,
      MAX(END_TIME) AS ENDED_AT
    FROM {{ results }}.TEST_RESULTS
    WHERE TEST_ID <> RUN_ID
    GROUP BY RUN_ID
  ) AS children ON parents.RUN_ID = children.RUN_ID
  WHERE
    parents.TEST_ID = parents.RUN_ID
    AND parents.STATUS IN (%(statuses)s)
),

unknown_runs AS (
  SELECT
    finished_runs.RUN_ID,
    finished_runs.TABLE_TYPE,
    finished_runs.ENDED_AT,
    COALESCE(finished_runs.ENDED_AT, finished_runs.STARTED_AT) AS AGED_FROM
  FROM finished_runs
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON finished_runs.RUN_ID = jobs.RUN_ID
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks ON finished_runs.RUN_ID = tasks.RUN_ID
  WHERE jobs.RUN_ID IS NULL AND tasks.RUN_ID IS NULL
)
