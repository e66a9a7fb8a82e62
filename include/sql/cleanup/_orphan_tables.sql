{#- Fragment: every table of ours that has a RUN_ID, with the key by which its rows are taken in batches. What other
    rows are judged by comes last: the tries, then the tasks, then the queue. -#}
{% set ORPHAN_TABLES = [
  ('AGGREGATE_QUERY_METRICS', 'METRIC_ID'),
  ('LOCK_CONTENTION_EVENTS', 'EVENT_ID'),
  ('HYBRID_TABLE_CREDITS', 'CREDIT_ID'),
  ('QUERY_INSIGHTS_CACHE', 'INSIGHT_ID'),
  ('QUERY_ACCELERATION_CREDITS', 'CREDIT_ID'),
  ('QUERY_EXECUTION_METRICS', 'QUERY_ID'),
  ('RUN_ENRICHMENT_SUMMARY', 'RUN_ID'),
  ('DELAYED_ENRICHMENT_ATTEMPTS', 'JOB_ID'),
  ('DELAYED_ENRICHMENT_TASKS', 'JOB_ID'),
  ('DELAYED_ENRICHMENT_QUEUE', 'JOB_ID'),
] -%}
