-- Purpose:    deletes one batch of jobs that settled longer ago than the retention: the queue row and the history of
--             its tries. Task rows and summaries stay as long as the run, so that nothing is enriched twice.
-- Grain:      a batch is a number of jobs that have a queue row or tries; the last statement says how many were chosen.
-- Binds:      retention_days, batch_size.
-- Write mode: one transaction per batch. Both DELETEs ask again whether the job is settled, so that a job that was
--             queued again after the batch was chosen is left alone; tries before queue rows, because the row of a
--             job without tasks is what says that it is settled.
-- Limits:     a temporary table, because the second DELETE must find the batch of the first; LIMIT would be allowed in
--             uncorrelated scalar subqueries only.
CREATE OR REPLACE TEMPORARY TABLE CLEANUP_BATCH AS
SELECT JOB_ID
FROM (
  SELECT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
  UNION ALL
  SELECT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS
) AS stored_jobs
WHERE JOB_ID IN (
  {% include 'cleanup/_settled_jobs.sql' %}
)
GROUP BY JOB_ID
QUALIFY ROW_NUMBER() OVER (ORDER BY JOB_ID) <= %(batch_size)s;

BEGIN;

DELETE FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS
WHERE
  JOB_ID IN (SELECT JOB_ID FROM CLEANUP_BATCH)
  AND JOB_ID IN (
    {% include 'cleanup/_settled_jobs.sql' %}
  );

DELETE FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
WHERE
  JOB_ID IN (SELECT JOB_ID FROM CLEANUP_BATCH)
  AND JOB_ID IN (
    {% include 'cleanup/_settled_jobs.sql' %}
  );

COMMIT;

SELECT COUNT(*) AS CHOSEN_JOBS FROM CLEANUP_BATCH;
