{#- Fragment: the runs that a person names by the id of a run or of one of its children; RUN_ID is NULL for an id that
    nothing has. A run that FlakeBench has deleted is still found by its tasks. Bind: test_ids (JSON list). -#}
requested_ids AS (
  SELECT DISTINCT VALUE::VARCHAR AS REQUESTED_ID
  FROM TABLE(FLATTEN(INPUT => PARSE_JSON(%(test_ids)s)))
),

requested_runs AS (
  SELECT
    requested_ids.REQUESTED_ID,
    COALESCE(MAX(tests.RUN_ID), MAX(tasks.RUN_ID)) AS RUN_ID
  FROM requested_ids
  LEFT JOIN {{ results }}.TEST_RESULTS AS tests ON requested_ids.REQUESTED_ID = tests.TEST_ID
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks ON requested_ids.REQUESTED_ID = tasks.RUN_ID
  GROUP BY requested_ids.REQUESTED_ID
)
