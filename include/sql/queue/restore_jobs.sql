-- Purpose:    gives tasks that were tried again their job back when the cleanup has purged it: the roll-up and the
--             event need one.
-- Grain:      one row of DELAYED_ENRICHMENT_QUEUE per job that has none and a task without an event.
-- Binds:      fallback_table_type.
-- Write mode: inserts what is missing; running it again changes nothing. Under the pass lock: inserts run in parallel,
--             and nothing else would keep two deployments from restoring the same job.
INSERT INTO {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE (
  JOB_ID, TEST_ID, RUN_ID, TEST_END_TIME, EARLIEST_ENRICHMENT_TIME, TABLE_TYPE, ENRICHMENT_TYPES, STATUS, ATTEMPTS,
  COMPLETED_TYPES, CREATED_AT, UPDATED_AT
)
WITH
{% include 'queue/_runs.sql' %},

{% include 'queue/_purged_jobs.sql' %}

SELECT
  JOB_ID,
  TEST_ID,
  RUN_ID,
  TEST_END_TIME,
  EARLIEST_ENRICHMENT_TIME,
  TABLE_TYPE,
  ENRICHMENT_TYPES,
  STATUS,
  0 AS ATTEMPTS,
  PARSE_JSON('[]') AS COMPLETED_TYPES,
  CREATED_AT,
  SYSDATE() AS UPDATED_AT
FROM purged_jobs;
