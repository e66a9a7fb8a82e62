-- Purpose:    reads back what an operation re-queued.
-- Grain:      one row per task.
-- Binds:      token.
-- Write mode: reads only.
SELECT
  RUN_ID,
  ENRICHMENT_TYPE
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE CLAIM_TOKEN = %(token)s AND STATUS = 'PENDING'
ORDER BY RUN_ID, ENRICHMENT_TYPE;
