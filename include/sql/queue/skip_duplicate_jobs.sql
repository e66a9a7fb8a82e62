-- Purpose:    of several jobs for one run the oldest wins; the others are SKIPPED / DUPLICATE_JOB. A job whose queue row
--             was cleaned up still wins by its tasks.
-- Grain:      rows of DELAYED_ENRICHMENT_QUEUE that have no tasks yet.
-- Write mode: running it again changes nothing.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
SET
  STATUS = 'SKIPPED',
  LAST_ERROR = 'DUPLICATE_JOB: run ' || ranked.RUN_ID || ' already has job ' || ranked.WINNER
    || '. Nothing to do; to enrich the run again, retry that job.',
  COMPLETED_AT = SYSDATE(),
  UPDATED_AT = SYSDATE()
FROM (
  SELECT
    jobs.JOB_ID,
    jobs.RUN_ID,
    FIRST_VALUE(jobs.JOB_ID) OVER (
      PARTITION BY jobs.RUN_ID
      ORDER BY CASE WHEN started.JOB_ID IS NULL THEN 1 ELSE 0 END, jobs.CREATED_AT, jobs.JOB_ID
    ) AS WINNER
  FROM (
    SELECT
      JOB_ID,
      RUN_ID,
      CREATED_AT
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
    WHERE NOT STARTSWITH(COALESCE(LAST_ERROR, ''), 'DUPLICATE_JOB')
    UNION ALL
    SELECT DISTINCT
      tasks.JOB_ID,
      tasks.RUN_ID,
      NULL AS CREATED_AT
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
    LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued ON tasks.JOB_ID = queued.JOB_ID
    WHERE queued.JOB_ID IS NULL
  ) AS jobs
  LEFT JOIN (
    SELECT DISTINCT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  ) AS started ON jobs.JOB_ID = started.JOB_ID
) AS ranked
WHERE
  DELAYED_ENRICHMENT_QUEUE.JOB_ID = ranked.JOB_ID
  AND ranked.JOB_ID <> ranked.WINNER
  AND DELAYED_ENRICHMENT_QUEUE.STATUS = 'PENDING';
