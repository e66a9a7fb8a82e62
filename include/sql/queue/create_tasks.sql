-- Purpose:    gives every job without tasks one task per enrichment type that it lists, due by itself.
-- Grain:      one row of DELAYED_ENRICHMENT_TASKS per (job, enrichment type).
-- Binds:      priority; those of _new_tasks.sql.
-- Write mode: inserts what is missing; running it again changes nothing.
INSERT INTO {{ enrichment }}.DELAYED_ENRICHMENT_TASKS (
  JOB_ID, TEST_ID, RUN_ID, ENRICHMENT_TYPE, STATUS, PRIORITY, DUE_AT, ATTEMPTS, SNOOZES, COMPLETED_AT, REASON_CODE,
  LAST_ERROR, CREATED_AT, UPDATED_AT
)
WITH
{% include 'queue/_new_tasks.sql' %}

SELECT
  JOB_ID,
  TEST_ID,
  RUN_ID,
  ENRICHMENT_TYPE,
  STATUS,
  %({{ priority_bind | default('priority') }})s AS PRIORITY,
  DUE_AT,
  0 AS ATTEMPTS,
  0 AS SNOOZES,
  COMPLETED_AT,
  REASON_CODE,
  LAST_ERROR,
  SYSDATE() AS CREATED_AT,
  SYSDATE() AS UPDATED_AT
FROM new_tasks;
