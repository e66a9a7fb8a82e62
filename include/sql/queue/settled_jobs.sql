-- Purpose:    the settled jobs whose asset event has not been recorded.
-- Grain:      one row per job, at most a thousand at a time; the rest follows in the next pass.
-- Write mode: reads only. A job without tasks (POSTGRES) counts as announced once COMPLETED_AT is set.
SELECT
  jobs.JOB_ID,
  jobs.RUN_ID,
  jobs.STATUS,
  COALESCE(rolled_up.COMPLETED_NAMES, '') AS COMPLETED_NAMES,
  rolled_up.DATA_COMPLETE
FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON jobs.JOB_ID = rolled_up.JOB_ID
WHERE
  (rolled_up.IS_SETTLED AND rolled_up.EVENT_MISSING AND jobs.STATUS = rolled_up.STATUS)
  OR (rolled_up.JOB_ID IS NULL AND jobs.STATUS = 'NOT_APPLICABLE' AND jobs.COMPLETED_AT IS NULL)
ORDER BY jobs.UPDATED_AT, jobs.JOB_ID
LIMIT 1000;
