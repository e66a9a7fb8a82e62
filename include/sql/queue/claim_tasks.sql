-- Purpose:    claims a bounded batch of due tasks under a fresh token.
-- Grain:      tasks PENDING and due, and settled ones whose second look is due; fresh runs (PRIORITY 0) before backfill
--             and second looks, the longest due first.
-- Binds:      token, claimed_by, lease_seconds, batch_size, backfill_batch_size, recheck_hours.
-- Write mode: state and due time are tested again in the outer WHERE; the caller reads back by token. A second look
--             leaves the status as it is: the token and the lease say that it is held.
-- Limits:     backfill and second looks get what fresh tasks leave, at most backfill_batch_size, but a tenth of the
--             batch when any waits, so that neither starves the other.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = CASE WHEN STATUS = 'COMPLETED' THEN 'COMPLETED' ELSE 'IN_PROGRESS' END,
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
      PRIORITY,
      PRIORITY > 0 OR STATUS = 'COMPLETED' AS IS_LATER,
      CASE WHEN STATUS = 'COMPLETED' THEN RECHECK_AT ELSE DUE_AT END AS LOOK_AT
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
    WHERE {% include 'queue/_is_due.sql' %}
  ),

  ranked AS (
    SELECT
      JOB_ID,
      ENRICHMENT_TYPE,
      IS_LATER,
      ROW_NUMBER() OVER (PARTITION BY IS_LATER ORDER BY PRIORITY, LOOK_AT, JOB_ID, ENRICHMENT_TYPE) AS PLACE,
      COUNT_IF(NOT IS_LATER) OVER () AS FRESH_COUNT,
      COUNT_IF(IS_LATER) OVER () AS LATER_COUNT
    FROM due_tasks
  ),

  shares AS (
    SELECT
      JOB_ID,
      ENRICHMENT_TYPE,
      IS_LATER,
      PLACE,
      LEAST(
        LATER_COUNT, %(backfill_batch_size)s, GREATEST(CEIL(%(batch_size)s / 10), %(batch_size)s - FRESH_COUNT)
      ) AS LATER_SHARE
    FROM ranked
  )

  SELECT
    JOB_ID,
    ENRICHMENT_TYPE
  FROM shares
  WHERE PLACE <= CASE WHEN IS_LATER THEN LATER_SHARE ELSE %(batch_size)s - LATER_SHARE END
) AS batch
WHERE
  DELAYED_ENRICHMENT_TASKS.JOB_ID = batch.JOB_ID
  AND DELAYED_ENRICHMENT_TASKS.ENRICHMENT_TYPE = batch.ENRICHMENT_TYPE
  AND {% include 'queue/_is_due.sql' %};
