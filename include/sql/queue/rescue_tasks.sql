-- Purpose:    gives back the tasks whose lease expired (their worker died or never started), and, when a claim is tried
--             again, those that its earlier try claimed and nobody has started: they would wait for their lease.
-- Grain:      tasks IN_PROGRESS with an expired lease, or not started and claimed by abandoned_by; all of them.
-- Binds:      max_attempts, abandoned_by (the DAG run whose claim is tried again; NULL: the first try, nothing is abandoned).
-- Write mode: state, age and start are tested in the UPDATE itself, so that a task that completed or was taken over
--             meanwhile is left alone. The token stays, for record_lost_attempts.sql, which runs next: whatever writes
--             under a token asks for IN_PROGRESS as well.
--             A task that used up its tries is FAILED / LEASE_EXPIRED: it kills its worker each time. A claim that
--             nobody started is no try. A task that is given back keeps its place: its due time only becomes earlier.
-- Limits:     two deployments may have DAG runs of the same name; what the other has claimed and not started is taken
--             away as well then, and its mapped tasks, whose claim is lost, are skipped.
{%- set is_expired = "COALESCE(LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) <= SYSDATE()" %}
{%- set is_started = "COALESCE(STARTED_AT >= COALESCE(CLAIMED_AT, STARTED_AT), FALSE)" %}
{%- set is_used_up = is_started ~ " AND ATTEMPTS >= %(max_attempts)s" %}
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = CASE WHEN {{ is_used_up }} THEN 'FAILED' ELSE 'PENDING' END,
  REASON_CODE = CASE WHEN {{ is_expired }} THEN 'LEASE_EXPIRED' ELSE REASON_CODE END,
  LAST_ERROR = CASE
    WHEN {{ is_used_up }}
      THEN 'Run ' || RUN_ID || ' ' || ENRICHMENT_TYPE || ': the worker died in each of ' || ATTEMPTS
      || ' tries, last under ' || COALESCE(CLAIMED_BY, 'an unknown DAG run')
      || '. Look for an out-of-memory kill or a lost worker in its log, then retry the run.'
    WHEN NOT {{ is_started }} THEN LAST_ERROR
  END,
  DUE_AT = CASE WHEN {{ is_used_up }} THEN DUE_AT ELSE LEAST(COALESCE(DUE_AT, SYSDATE()), SYSDATE()) END,
  COMPLETED_AT = CASE WHEN {{ is_used_up }} THEN SYSDATE() END,
  LEASE_EXPIRES_AT = NULL,
  EVENT_EMITTED_AT = NULL,
  UPDATED_AT = SYSDATE()
WHERE
  STATUS = 'IN_PROGRESS'
  AND ({{ is_expired }} OR (CLAIMED_BY = %(abandoned_by)s AND NOT {{ is_started }}));
