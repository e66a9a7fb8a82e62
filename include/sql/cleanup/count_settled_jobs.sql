-- Purpose:    what delete_settled_jobs.sql would delete.
-- Grain:      one row: QUEUE_ROWS, ATTEMPTS.
-- Binds:      retention_days.
-- Write mode: reads only.
WITH settled_jobs AS (
  {% include 'cleanup/_settled_jobs.sql' %}
)

SELECT
  (
    SELECT COUNT(*) FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE WHERE JOB_ID IN (SELECT JOB_ID FROM settled_jobs)
  ) AS QUEUE_ROWS,
  (
    SELECT COUNT(*) FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS WHERE JOB_ID IN (SELECT JOB_ID FROM settled_jobs)
  ) AS ATTEMPTS;
