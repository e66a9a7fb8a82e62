{#- Fragment: a query, the jobs that settled longer ago than the retention and that nobody waits for.
    The age is that of the job's youngest task, whether its queue row still exists or not: a task that was tried again
    makes the job young. UPDATED_AT stands in for a COMPLETED_AT that somebody left empty; a job without any date is
    kept. Without tasks, NOT_APPLICABLE (POSTGRES) is kept: it is the only record of its run. Bind: retention_days. -#}
SELECT old_jobs.JOB_ID
FROM (
  SELECT JOB_ID
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  GROUP BY JOB_ID
  HAVING MAX(COALESCE(COMPLETED_AT, UPDATED_AT, CREATED_AT)) < DATEADD('day', -%(retention_days)s, SYSDATE())
  UNION ALL
  SELECT jobs.JOB_ID
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks ON jobs.JOB_ID = tasks.JOB_ID
  WHERE tasks.JOB_ID IS NULL AND jobs.STATUS IN ('COMPLETED', 'FAILED', 'SKIPPED')
  GROUP BY jobs.JOB_ID
  HAVING MAX(COALESCE(jobs.COMPLETED_AT, jobs.UPDATED_AT)) < DATEADD('day', -%(retention_days)s, SYSDATE())
) AS old_jobs
WHERE old_jobs.JOB_ID NOT IN (
  SELECT kept_jobs.JOB_ID FROM (
    {% include 'cleanup/_kept_jobs.sql' %}
  ) AS kept_jobs
)
