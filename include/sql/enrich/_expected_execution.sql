{#- Fragment: predicate, an execution that the views must account for: measured, successful, and known to Snowflake
    (FlakeBench gives a failed operation a LOCAL_ id). Bind: child_ids. -#}
TEST_ID IN (%(child_ids)s)
      AND SUCCESS
      AND NOT COALESCE(WARMUP, FALSE)
      AND NOT STARTSWITH(QUERY_ID, 'LOCAL_')
