-- Purpose:    of several jobs for one run the oldest wins; the others are SKIPPED / DUPLICATE_JOB. A job whose queue row
--             was cleaned up still wins by its tasks.
-- Grain:      rows of DELAYED_ENRICHMENT_QUEUE that have no tasks yet.
-- Write mode: running it again changes nothing.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
SET
  STATUS = 'SKIPPED',
  LAST_ERROR = duplicates.MESSAGE,
  COMPLETED_AT = SYSDATE(),
  UPDATED_AT = SYSDATE()
FROM (
  WITH
  {% include 'queue/_duplicate_jobs.sql' %}

  SELECT
    JOB_ID,
    MESSAGE
  FROM duplicate_jobs
) AS duplicates
WHERE
  DELAYED_ENRICHMENT_QUEUE.JOB_ID = duplicates.JOB_ID
  AND DELAYED_ENRICHMENT_QUEUE.STATUS = 'PENDING';
