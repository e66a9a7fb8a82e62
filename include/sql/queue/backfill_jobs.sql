-- Purpose:    gives the finished runs of a date range, or named ones, a job, however old they are.
-- Grain:      one row of DELAYED_ENRICHMENT_QUEUE per run.
-- Binds:      statuses, performed_by, test_ids (JSON list), has_test_ids, ended_from, ended_before (NULL: no limit); those
--             of _new_jobs.sql.
-- Write mode: inserts what is missing; running it again changes nothing. CLAIMED_BY says who queued the job, until
--             its first roll-up.
{%- set chosen %}
    (NOT %(has_test_ids)s OR RUN_ID IN (SELECT RUN_ID FROM requested_runs))
    AND (%(ended_from)s IS NULL OR AGED_FROM >= %(ended_from)s::TIMESTAMP_NTZ)
    AND (%(ended_before)s IS NULL OR AGED_FROM < %(ended_before)s::TIMESTAMP_NTZ)
{%- endset %}
INSERT INTO {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE (
  JOB_ID, TEST_ID, RUN_ID, TEST_END_TIME, EARLIEST_ENRICHMENT_TIME, TABLE_TYPE, ENRICHMENT_TYPES, STATUS, ATTEMPTS,
  CLAIMED_BY, COMPLETED_TYPES, CREATED_AT, UPDATED_AT
)
WITH
{% include 'queue/_finished_runs.sql' %},

{% include 'queue/_requested_runs.sql' %},

{% include 'queue/_new_jobs.sql' %}

SELECT
  JOB_ID,
  TEST_ID,
  RUN_ID,
  TEST_END_TIME,
  EARLIEST_ENRICHMENT_TIME,
  TABLE_TYPE,
  ENRICHMENT_TYPES,
  STATUS,
  0 AS ATTEMPTS,
  %(performed_by)s AS CLAIMED_BY,
  PARSE_JSON('[]') AS COMPLETED_TYPES,
  CREATED_AT,
  SYSDATE() AS UPDATED_AT
FROM new_jobs;
