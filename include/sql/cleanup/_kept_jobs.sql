{#- Fragment: a query, the jobs that no cleanup may touch, whatever their age: open, not rolled up, or not announced.
    A job without tasks counts as announced once COMPLETED_AT is set; see queue/settled_jobs.sql. -#}
SELECT
  JOB_ID,
  RUN_ID
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE
  STATUS NOT IN ('COMPLETED', 'FAILED', 'SKIPPED', 'NOT_APPLICABLE')
  OR (STATUS = 'FAILED' AND EVENT_EMITTED_AT IS NULL)
  -- looked at for the second time now; one that waits keeps nothing: there may be no second looks any more
  OR (RECHECK_AT IS NOT NULL AND LEASE_EXPIRES_AT IS NOT NULL)
UNION ALL
SELECT
  jobs.JOB_ID,
  jobs.RUN_ID
FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON jobs.JOB_ID = rolled_up.JOB_ID
WHERE
  jobs.STATUS NOT IN ('COMPLETED', 'FAILED', 'SKIPPED', 'NOT_APPLICABLE')
  OR jobs.STATUS <> rolled_up.STATUS
  OR rolled_up.EVENT_MISSING
  OR (rolled_up.JOB_ID IS NULL AND jobs.STATUS = 'NOT_APPLICABLE' AND jobs.COMPLETED_AT IS NULL)
