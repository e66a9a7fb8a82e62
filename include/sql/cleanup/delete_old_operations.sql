-- Purpose:    deletes old records of what setup, retry, backfill and cleanup did.
-- Grain:      at most batch_size operations; called until fewer were left.
-- Binds:      retention_days, batch_size.
-- Write mode: one statement, a transaction of its own; may be repeated.
DELETE FROM {{ enrichment }}.ENRICHMENT_OPERATIONS
WHERE
  OPERATION_ID IN (
    SELECT OPERATION_ID
    FROM {{ enrichment }}.ENRICHMENT_OPERATIONS
    WHERE COALESCE(ENDED_AT, CREATED_AT) < DATEADD('day', -%(retention_days)s, SYSDATE())
    QUALIFY ROW_NUMBER() OVER (ORDER BY COALESCE(ENDED_AT, CREATED_AT), OPERATION_ID) <= %(batch_size)s
  )
  AND COALESCE(ENDED_AT, CREATED_AT) < DATEADD('day', -%(retention_days)s, SYSDATE());
