-- Purpose:    every job has its tasks, and nobody holds what he lost: gives a job without tasks one per enrichment type that
--             it lists, and gives back the tasks and second looks whose lease expired (their worker died or never started)
--             and, when a claim is tried again, those that its earlier try claimed and nobody has started: they would wait
--             for their lease.
-- Grain:      one row of DELAYED_ENRICHMENT_TASKS per (job, enrichment type) that is missing; held tasks with an expired
--             lease, or not started and claimed by abandoned_by; all of them.
-- Binds:      priority, max_attempts, abandoned_by (the DAG run whose claim is tried again; NULL: the first try, nothing is
--             abandoned); those of _new_tasks.sql.
-- Write mode: one MERGE. State, age and start are tested on the row that is changed, so that a task that completed or was
--             taken over meanwhile is left alone. The token stays, for record_lost_attempts.sql, which runs next:
--             whatever writes under a token asks for IN_PROGRESS as well.
--             A task that used up its tries is FAILED / LEASE_EXPIRED: it kills its worker each time. A claim that
--             nobody started is no try. A task that is given back keeps its place: its due time only becomes earlier.
--             Of a second look nothing that the first one wrote is touched, the status least of all: it is due again,
--             or, when its tries are used up, given up.
-- Limits:     two deployments may have DAG runs of the same name; what the other has claimed and not started is taken
--             away as well then, and its mapped tasks, whose claim is lost, are skipped.
{%- set is_expired = "COALESCE(tasks.LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) <= SYSDATE()" %}
{%- set is_started = "COALESCE(tasks.STARTED_AT >= COALESCE(tasks.CLAIMED_AT, tasks.STARTED_AT), FALSE)" %}
{%- set is_lost = "(" ~ is_expired ~ " OR (tasks.CLAIMED_BY = %(abandoned_by)s AND NOT " ~ is_started ~ "))" %}
{%- set is_used_up = is_started ~ " AND tasks.ATTEMPTS >= %(max_attempts)s" %}
MERGE INTO {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
USING (
  WITH
  {% include 'queue/_new_tasks.sql' %}

  SELECT
    JOB_ID,
    TEST_ID,
    RUN_ID,
    ENRICHMENT_TYPE,
    STATUS,
    DUE_AT,
    COMPLETED_AT,
    REASON_CODE,
    LAST_ERROR,
    FALSE AS IS_HELD
  FROM new_tasks
  UNION ALL
  SELECT DISTINCT
    JOB_ID,
    NULL AS TEST_ID,
    NULL AS RUN_ID,
    ENRICHMENT_TYPE,
    NULL AS STATUS,
    NULL::TIMESTAMP_NTZ AS DUE_AT,
    NULL::TIMESTAMP_NTZ AS COMPLETED_AT,
    NULL AS REASON_CODE,
    NULL AS LAST_ERROR,
    TRUE AS IS_HELD
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  WHERE {% include 'queue/_is_held.sql' %}
) AS found
  ON tasks.JOB_ID = found.JOB_ID AND tasks.ENRICHMENT_TYPE = found.ENRICHMENT_TYPE
WHEN MATCHED AND tasks.STATUS = 'IN_PROGRESS' AND {{ is_lost }} THEN UPDATE SET
  STATUS = CASE WHEN {{ is_used_up }} THEN 'FAILED' ELSE 'PENDING' END,
  REASON_CODE = CASE WHEN {{ is_expired }} THEN 'LEASE_EXPIRED' ELSE tasks.REASON_CODE END,
  LAST_ERROR = CASE
    WHEN {{ is_used_up }}
      THEN 'Run ' || tasks.RUN_ID || ' ' || tasks.ENRICHMENT_TYPE || ': the worker died in each of ' || tasks.ATTEMPTS
      || ' tries, last under ' || COALESCE(tasks.CLAIMED_BY, 'an unknown DAG run')
      || '. Look for an out-of-memory kill or a lost worker in its log, then retry the run.'
    WHEN NOT {{ is_started }} THEN tasks.LAST_ERROR
  END,
  DUE_AT = CASE WHEN {{ is_used_up }} THEN tasks.DUE_AT ELSE LEAST(COALESCE(tasks.DUE_AT, SYSDATE()), SYSDATE()) END,
  COMPLETED_AT = CASE WHEN {{ is_used_up }} THEN SYSDATE() END,
  LEASE_EXPIRES_AT = NULL,
  EVENT_EMITTED_AT = NULL,
  UPDATED_AT = SYSDATE()
WHEN
  MATCHED AND tasks.STATUS = 'COMPLETED' AND tasks.RECHECK_AT IS NOT NULL AND tasks.LEASE_EXPIRES_AT IS NOT NULL
  AND {{ is_lost }}
  THEN UPDATE SET
  RECHECK_AT = CASE
    WHEN {{ is_started }} AND tasks.RECHECK_ATTEMPTS >= %(max_attempts)s THEN NULL ELSE tasks.RECHECK_AT
  END,
  LEASE_EXPIRES_AT = NULL,
  UPDATED_AT = SYSDATE()
WHEN NOT MATCHED AND NOT found.IS_HELD THEN INSERT (
  JOB_ID, TEST_ID, RUN_ID, ENRICHMENT_TYPE, STATUS, PRIORITY, DUE_AT, ATTEMPTS, SNOOZES, COMPLETED_AT, REASON_CODE,
  LAST_ERROR, CREATED_AT, UPDATED_AT
) VALUES (
  found.JOB_ID, found.TEST_ID, found.RUN_ID, found.ENRICHMENT_TYPE, found.STATUS, %(priority)s, found.DUE_AT, 0, 0,
  found.COMPLETED_AT, found.REASON_CODE, found.LAST_ERROR, SYSDATE(), SYSDATE()
);
