-- Purpose:    ends a try that wrote nothing: the task's next state and the try's row in the history.
-- Grain:      one task, one row of DELAYED_ENRICHMENT_ATTEMPTS.
-- Binds:      job_id, enrichment_type, token, fence (the token; that of the claim while the try has not taken over),
--             status, reason_code, message, due_in_minutes (NULL: unchanged), attempts_delta (what is still to be
--             counted or given back), snoozes_delta, outcome, query_id, held_status.
-- Write mode: one transaction, fenced by the token: 0 rows mean that somebody else took the task over, then nothing
--             is written.
BEGIN;

{% include 'queue/_ended_attempt.sql' %}

-- step: finish
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = %(status)s,
  ATTEMPTS = GREATEST(ATTEMPTS + %(attempts_delta)s, 0),
  SNOOZES = SNOOZES + %(snoozes_delta)s,
  DUE_AT = CASE
    WHEN %(due_in_minutes)s IS NULL THEN DUE_AT ELSE DATEADD('minute', COALESCE(%(due_in_minutes)s, 0), SYSDATE())
  END,
  COMPLETED_AT = CASE WHEN %(status)s IN ('FAILED', 'SKIPPED') THEN SYSDATE() END,
  LEASE_EXPIRES_AT = CASE WHEN %(status)s = 'IN_PROGRESS' THEN LEASE_EXPIRES_AT END,
  DURATION_MS = DATEDIFF('millisecond', STARTED_AT, SYSDATE()),
  LAST_QUERY_ID = %(query_id)s,
  REASON_CODE = %(reason_code)s,
  LAST_ERROR = CASE WHEN %(reason_code)s = 'NOT_READY' THEN NULL ELSE %(message)s END,
  EVENT_EMITTED_AT = NULL,
  UPDATED_AT = SYSDATE()
WHERE
  JOB_ID = %(job_id)s
  AND ENRICHMENT_TYPE = %(enrichment_type)s
  AND STARTSWITH(CLAIM_TOKEN || ':', %(fence)s || ':')
  AND STATUS = %(held_status)s;

COMMIT;
