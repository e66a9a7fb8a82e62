-- Purpose:    ends a try of a second look that wrote nothing: when it is due again, if at all, and the try's row in the
--             history.
-- Grain:      one task, one row of DELAYED_ENRICHMENT_ATTEMPTS.
-- Binds:      job_id, enrichment_type, token, fence (see end_attempt.sql), held_status, is_held (Airflow tries again under
--             the same claim), due_in_minutes (NULL: given up, unless it is held), attempts_delta, outcome, reason_code,
--             message, query_id.
-- Write mode: one transaction, fenced by the token. Nothing that the first look wrote is touched, the status least of all.
BEGIN;

{% include 'queue/_ended_attempt.sql' %}

-- step: finish
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  RECHECK_AT = CASE
    WHEN %(is_held)s THEN RECHECK_AT
    WHEN %(due_in_minutes)s IS NOT NULL THEN DATEADD('minute', COALESCE(%(due_in_minutes)s, 0), SYSDATE())
  END,
  RECHECK_ATTEMPTS = GREATEST(COALESCE(RECHECK_ATTEMPTS, 0) + %(attempts_delta)s, 0),
  LEASE_EXPIRES_AT = CASE WHEN %(is_held)s THEN LEASE_EXPIRES_AT END,
  UPDATED_AT = SYSDATE()
WHERE
  JOB_ID = %(job_id)s
  AND ENRICHMENT_TYPE = %(enrichment_type)s
  AND STARTSWITH(CLAIM_TOKEN || ':', %(fence)s || ':')
  AND STATUS = %(held_status)s
  AND RECHECK_AT IS NOT NULL;

COMMIT;
