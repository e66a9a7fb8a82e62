-- Purpose:    gives back the tasks whose lease expired: their worker died or never started.
-- Grain:      tasks IN_PROGRESS with an expired lease; all of them.
-- Binds:      max_attempts.
-- Write mode: state and age are tested in the UPDATE itself, so that a task that completed meanwhile is left alone.
--             A task that used up its tries is FAILED / LEASE_EXPIRED: it kills its worker each time.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = CASE WHEN ATTEMPTS >= %(max_attempts)s THEN 'FAILED' ELSE 'PENDING' END,
  REASON_CODE = 'LEASE_EXPIRED',
  LAST_ERROR = CASE
    WHEN ATTEMPTS >= %(max_attempts)s
      THEN 'Run ' || RUN_ID || ' ' || ENRICHMENT_TYPE || ': the worker died in each of ' || ATTEMPTS
      || ' tries, last under ' || COALESCE(CLAIMED_BY, 'an unknown DAG run')
      || '. Look for an out-of-memory kill or a lost worker in its log, then retry the run.'
  END,
  DUE_AT = CASE WHEN ATTEMPTS >= %(max_attempts)s THEN DUE_AT ELSE SYSDATE() END,
  COMPLETED_AT = CASE WHEN ATTEMPTS >= %(max_attempts)s THEN SYSDATE() END,
  CLAIM_TOKEN = NULL,
  LEASE_EXPIRES_AT = NULL,
  EVENT_EMITTED_AT = NULL,
  UPDATED_AT = SYSDATE()
WHERE
  STATUS = 'IN_PROGRESS'
  AND COALESCE(LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) <= SYSDATE();
