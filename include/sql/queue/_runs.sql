{#- Fragment: what FlakeBench knows of each run, whatever its status, one row per run. The end comes from the children;
    the parent's only where no child has one. -#}
runs AS (
  SELECT
    RUN_ID,
    UPPER(TRIM(MAX(CASE WHEN TEST_ID = RUN_ID THEN TABLE_TYPE END))) AS TABLE_TYPE,
    COALESCE(
      MAX(CASE WHEN TEST_ID <> RUN_ID THEN END_TIME END), MAX(CASE WHEN TEST_ID = RUN_ID THEN END_TIME END)
    ) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS
  GROUP BY RUN_ID
)
