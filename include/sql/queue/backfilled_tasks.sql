-- Purpose:    reads back what a backfill queued.
-- Grain:      one row per task; one row without a type for a job without tasks.
-- Binds:      performed_by.
-- Write mode: reads only; CLAIMED_BY marks the jobs until their first roll-up.
SELECT
  jobs.RUN_ID,
  COALESCE(NULLIF(TRIM(runs.TEST_NAME), ''), jobs.RUN_ID) AS RUN_NAME,
  jobs.TABLE_TYPE,
  jobs.TEST_END_TIME,
  jobs.STATUS AS JOB_STATUS,
  tasks.ENRICHMENT_TYPE,
  tasks.STATUS,
  tasks.REASON_CODE
FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks ON jobs.JOB_ID = tasks.JOB_ID
LEFT JOIN {{ results }}.TEST_RESULTS AS runs ON jobs.RUN_ID = runs.RUN_ID AND runs.TEST_ID = runs.RUN_ID
WHERE jobs.CLAIMED_BY = %(performed_by)s
-- keys are not enforced: a parent row may be there twice
QUALIFY ROW_NUMBER() OVER (PARTITION BY jobs.JOB_ID, tasks.ENRICHMENT_TYPE ORDER BY runs.CREATED_AT DESC) = 1
ORDER BY jobs.TEST_END_TIME, jobs.RUN_ID, tasks.ENRICHMENT_TYPE;
