-- Purpose:    reads back what a token claimed, and how many due tasks the batch left.
-- Grain:      one row per claimed task.
-- Binds:      token, recheck_hours.
-- Write mode: reads only.
SELECT
  tasks.JOB_ID,
  tasks.RUN_ID,
  tasks.ENRICHMENT_TYPE,
  COALESCE(NULLIF(TRIM(runs.TEST_NAME), ''), tasks.RUN_ID) AS RUN_NAME,
  UPPER(TRIM(jobs.TABLE_TYPE)) AS TABLE_TYPE,
  (
    SELECT COUNT(*) FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS WHERE {% include 'queue/_is_due.sql' %}
  ) AS TASKS_LEFT,
  tasks.STATUS = 'COMPLETED' AS IS_SECOND_LOOK
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
LEFT JOIN {{ results }}.TEST_RESULTS AS runs ON tasks.RUN_ID = runs.RUN_ID AND runs.TEST_ID = runs.RUN_ID
WHERE
  tasks.CLAIM_TOKEN = %(token)s
  AND (tasks.STATUS = 'IN_PROGRESS' OR (tasks.STATUS = 'COMPLETED' AND tasks.LEASE_EXPIRES_AT IS NOT NULL))
-- keys are not enforced: a run or job that is there twice must not give two mapped tasks
QUALIFY ROW_NUMBER() OVER (PARTITION BY tasks.JOB_ID, tasks.ENRICHMENT_TYPE ORDER BY runs.TEST_NAME, jobs.TABLE_TYPE) = 1
ORDER BY tasks.STATUS = 'COMPLETED', tasks.PRIORITY, tasks.DUE_AT, tasks.JOB_ID, tasks.ENRICHMENT_TYPE;
