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
{% include 'queue/_runs.sql' %}

SELECT
  tasks.JOB_ID,
  MIN(tasks.TEST_ID) AS TEST_ID,
  MIN(tasks.RUN_ID) AS RUN_ID,
  MAX(runs.ENDED_AT) AS TEST_END_TIME,
  MIN(tasks.DUE_AT) AS EARLIEST_ENRICHMENT_TIME,
  COALESCE(MAX(runs.TABLE_TYPE), %(fallback_table_type)s) AS TABLE_TYPE,
  ARRAY_AGG(tasks.ENRICHMENT_TYPE) WITHIN GROUP (ORDER BY tasks.ENRICHMENT_TYPE) AS ENRICHMENT_TYPES,
  'PENDING' AS STATUS,
  0 AS ATTEMPTS,
  PARSE_JSON('[]') AS COMPLETED_TYPES,
  MIN(tasks.CREATED_AT) AS CREATED_AT,
  SYSDATE() AS UPDATED_AT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
LEFT JOIN runs ON tasks.RUN_ID = runs.RUN_ID
LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
WHERE jobs.JOB_ID IS NULL
GROUP BY tasks.JOB_ID
HAVING COUNT_IF(tasks.EVENT_EMITTED_AT IS NULL) > 0;
