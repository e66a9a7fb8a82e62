-- Purpose:    deletes cached insights that have expired; the run's summary keeps their number.
-- Grain:      at most batch_size insights; called until fewer were left.
-- Binds:      batch_size.
-- Write mode: one statement, a transaction of its own; may be repeated.
DELETE FROM {{ enrichment }}.QUERY_INSIGHTS_CACHE
WHERE
  INSIGHT_ID IN (
    SELECT INSIGHT_ID
    FROM {{ enrichment }}.QUERY_INSIGHTS_CACHE
    WHERE EXPIRES_AT < SYSDATE()
    QUALIFY ROW_NUMBER() OVER (ORDER BY EXPIRES_AT, INSIGHT_ID) <= %(batch_size)s
  )
  AND EXPIRES_AT < SYSDATE();
