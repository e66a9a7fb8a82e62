-- Purpose:    keeps the tries whose lease expired in the history, before they are given back.
-- Grain:      one row of DELAYED_ENRICHMENT_ATTEMPTS per try that was started and never ended.
-- Write mode: inserts a try once, by its token.
INSERT INTO {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS (
  JOB_ID, RUN_ID, ENRICHMENT_TYPE, CLAIM_TOKEN, CLAIMED_BY, STARTED_AT, ENDED_AT, OUTCOME, REASON_CODE, ERROR, CREATED_AT
)
SELECT
  tasks.JOB_ID,
  tasks.RUN_ID,
  tasks.ENRICHMENT_TYPE,
  tasks.CLAIM_TOKEN,
  tasks.CLAIMED_BY,
  tasks.STARTED_AT,
  SYSDATE() AS ENDED_AT,
  'LOST' AS OUTCOME,
  'LEASE_EXPIRED' AS REASON_CODE,
  'The try ended without a word; its lease expired.' AS ERROR,
  SYSDATE() AS CREATED_AT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS AS attempts
  ON tasks.JOB_ID = attempts.JOB_ID
  AND tasks.ENRICHMENT_TYPE = attempts.ENRICHMENT_TYPE
  AND tasks.CLAIM_TOKEN = attempts.CLAIM_TOKEN
WHERE
  tasks.STATUS = 'IN_PROGRESS'
  AND COALESCE(tasks.LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) <= SYSDATE()
  AND tasks.STARTED_AT >= tasks.CLAIMED_AT
  AND tasks.CLAIM_TOKEN IS NOT NULL
  AND attempts.JOB_ID IS NULL;
