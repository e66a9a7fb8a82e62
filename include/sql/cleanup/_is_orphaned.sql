{#- Fragment: predicate on RUN_ID, the run no longer has a row in FlakeBench's TEST_RESULTS and nobody waits for it.
    A run of which any row is left, its parent's or a child's, still exists: FlakeBench deletes them one by one.
    TEST_ID counts as well, because RUN_ID is nullable. -#}
RUN_ID NOT IN (
  SELECT RUN_ID FROM {{ results }}.TEST_RESULTS WHERE RUN_ID IS NOT NULL
  UNION ALL
  SELECT TEST_ID FROM {{ results }}.TEST_RESULTS WHERE TEST_ID IS NOT NULL
  UNION ALL
  SELECT kept_jobs.RUN_ID FROM (
    {% include 'cleanup/_kept_jobs.sql' %}
  ) AS kept_jobs
)
