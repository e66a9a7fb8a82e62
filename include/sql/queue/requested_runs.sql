-- Purpose:    what is known of the runs that a person names, to say why one cannot be queued.
-- Grain:      one row per named id and task of its run; one row where there is no task, RUN_ID NULL where no run.
-- Binds:      test_ids (JSON list).
-- Write mode: reads only.
WITH
{% include 'queue/_requested_runs.sql' %}

SELECT
  requested_runs.REQUESTED_ID,
  requested_runs.RUN_ID,
  runs.STATUS AS RUN_STATUS,
  jobs.STATUS AS JOB_STATUS,
  tasks.ENRICHMENT_TYPE,
  tasks.STATUS,
  tasks.REASON_CODE,
  tasks.LAST_ERROR,
  tasks.DUE_AT,
  tasks.CLAIM_TOKEN,
  tasks.CLAIMED_BY,
  tasks.LEASE_EXPIRES_AT,
  -- a settled task has a lease while it is looked at for the second time
  (tasks.STATUS = 'IN_PROGRESS' OR tasks.RECHECK_AT IS NOT NULL)
  AND COALESCE(tasks.LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) > SYSDATE() AS IS_RUNNING
FROM requested_runs
LEFT JOIN {{ results }}.TEST_RESULTS AS runs ON requested_runs.RUN_ID = runs.RUN_ID AND runs.TEST_ID = runs.RUN_ID
LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks ON requested_runs.RUN_ID = tasks.RUN_ID
LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
  ON requested_runs.RUN_ID = jobs.RUN_ID AND (tasks.JOB_ID IS NULL OR jobs.JOB_ID = tasks.JOB_ID)
ORDER BY requested_runs.REQUESTED_ID, tasks.ENRICHMENT_TYPE;
