-- Purpose:    gives back the second looks whose lease expired, and, when a claim is tried again, those that its earlier
--             try claimed and nobody has started; see rescue_tasks.sql.
-- Grain:      settled tasks that are looked at for the second time, with an expired lease, or not started and claimed
--             by abandoned_by; all of them.
-- Binds:      max_attempts, abandoned_by (NULL: nothing is abandoned).
-- Write mode: state, age and start are tested in the UPDATE itself. Nothing that the first look wrote is touched, the
--             status least of all: the second look is due again, or, when its tries are used up, given up. The token
--             stays, for record_lost_attempts.sql, which runs next.
{%- set is_expired = "LEASE_EXPIRES_AT <= SYSDATE()" %}
{%- set is_started = "COALESCE(STARTED_AT >= CLAIMED_AT, FALSE)" %}
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  RECHECK_AT = CASE WHEN {{ is_started }} AND RECHECK_ATTEMPTS >= %(max_attempts)s THEN NULL ELSE RECHECK_AT END,
  LEASE_EXPIRES_AT = NULL,
  UPDATED_AT = SYSDATE()
WHERE
  STATUS = 'COMPLETED'
  AND RECHECK_AT IS NOT NULL
  AND ({{ is_expired }} OR (LEASE_EXPIRES_AT IS NOT NULL AND CLAIMED_BY = %(abandoned_by)s AND NOT {{ is_started }}));
