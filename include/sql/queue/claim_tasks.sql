-- Purpose:    claims a bounded batch of due tasks under a fresh token.
-- Grain:      tasks PENDING and due; fresh runs (PRIORITY 0) before backfill, the longest due first.
-- Binds:      token, claimed_by, lease_seconds, batch_size, backfill_batch_size.
-- Write mode: state and due time are tested again in the outer WHERE; the caller reads back by token.
-- Limits:     backfill gets what fresh tasks leave, at most backfill_batch_size, but a tenth of the batch when
--             any waits, so that neither starves the other.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = 'IN_PROGRESS',
  CLAIM_TOKEN = %(token)s,
  CLAIMED_BY = %(claimed_by)s,
  CLAIMED_AT = SYSDATE(),
  LEASE_EXPIRES_AT = DATEADD('second', %(lease_seconds)s, SYSDATE()),
  UPDATED_AT = SYSDATE()
FROM (
  WITH due_tasks AS (
    SELECT
      JOB_ID,
      ENRICHMENT_TYPE,
      PRIORITY > 0 AS IS_BACKFILL,
      ROW_NUMBER() OVER (
        PARTITION BY PRIORITY > 0 ORDER BY PRIORITY, DUE_AT, JOB_ID, ENRICHMENT_TYPE
      ) AS PLACE,
      COUNT_IF(PRIORITY <= 0) OVER () AS FRESH_COUNT,
      COUNT_IF(PRIORITY > 0) OVER () AS BACKFILL_COUNT
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
    WHERE STATUS = 'PENDING' AND DUE_AT <= SYSDATE()
  ),

  shares AS (
    SELECT
      JOB_ID,
      ENRICHMENT_TYPE,
      IS_BACKFILL,
      PLACE,
      LEAST(
        BACKFILL_COUNT, %(backfill_batch_size)s, GREATEST(CEIL(%(batch_size)s / 10), %(batch_size)s - FRESH_COUNT)
      ) AS BACKFILL_SHARE
    FROM due_tasks
  )

  SELECT
    JOB_ID,
    ENRICHMENT_TYPE
  FROM shares
  WHERE PLACE <= CASE WHEN IS_BACKFILL THEN BACKFILL_SHARE ELSE %(batch_size)s - BACKFILL_SHARE END
) AS batch
WHERE
  DELAYED_ENRICHMENT_TASKS.JOB_ID = batch.JOB_ID
  AND DELAYED_ENRICHMENT_TASKS.ENRICHMENT_TYPE = batch.ENRICHMENT_TYPE
  AND DELAYED_ENRICHMENT_TASKS.STATUS = 'PENDING'
  AND DELAYED_ENRICHMENT_TASKS.DUE_AT <= SYSDATE();
