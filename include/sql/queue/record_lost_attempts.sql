-- Purpose:    keeps the tries that queue_tasks.sql has just ended in the history.
-- Grain:      one row of DELAYED_ENRICHMENT_ATTEMPTS per try that was started and never ended.
-- Write mode: inserts a try once, by its token. After the rescue, so that a task that completed while the rescue looked
--             is not said to be lost; in its transaction, so that either both happen or neither. What was rescued since
--             the pass took its lock is what this pass rescued: tries of older ones may have been cleaned up since.
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
  -- a second look leaves no reason on its task: a settled one without a lease whose try has no row in the history
  (
    (tasks.STATUS IN ('PENDING', 'FAILED') AND tasks.REASON_CODE = 'LEASE_EXPIRED')
    OR (tasks.STATUS = 'COMPLETED' AND tasks.RECHECK_ATTEMPTS > 0 AND tasks.LEASE_EXPIRES_AT IS NULL)
  )
  AND tasks.UPDATED_AT >= (SELECT MAX(HELD_AT) FROM {{ enrichment }}.ENRICHMENT_PASS_LOCK WHERE LOCK_NAME = 'claim')
  AND tasks.STARTED_AT >= COALESCE(tasks.CLAIMED_AT, tasks.STARTED_AT)
  AND tasks.CLAIM_TOKEN IS NOT NULL
  AND attempts.JOB_ID IS NULL;
