-- Purpose:    every run has one job: gives the finished runs of the look-back that have none a job, tasks that were tried
--             again their purged one back, and skips a job for a run that has another.
-- Grain:      rows of DELAYED_ENRICHMENT_QUEUE: one per run without a job, one per purged job; duplicates without tasks.
-- Binds:      look_back_days, statuses; those of _new_jobs.sql.
-- Write mode: one MERGE, so that discovery costs one statement; running it again changes nothing. Under the pass lock:
--             nothing else would keep two deployments from queuing the same run.
-- Limits:     a run that has task rows but whose queue row was cleaned up is not queued again.
{%- set chosen = "AGED_FROM >= DATEADD('day', -%(look_back_days)s, SYSDATE())" %}
MERGE INTO {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
USING (
  WITH
  {% include 'queue/_finished_runs.sql' %},

  {% include 'queue/_new_jobs.sql' %},

  {% include 'queue/_runs.sql' %},

  {% include 'queue/_purged_jobs.sql' %},

  {% include 'queue/_duplicate_jobs.sql' %}

  {% for jobs_to_add in ['new_jobs', 'purged_jobs'] -%}
  SELECT
    JOB_ID,
    TEST_ID,
    RUN_ID,
    TEST_END_TIME,
    EARLIEST_ENRICHMENT_TIME,
    TABLE_TYPE,
    ENRICHMENT_TYPES,
    STATUS,
    CREATED_AT,
    NULL AS DUPLICATE_MESSAGE
  FROM {{ jobs_to_add }}
  UNION ALL
  {% endfor -%}
  SELECT
    JOB_ID,
    NULL AS TEST_ID,
    NULL AS RUN_ID,
    NULL::TIMESTAMP_NTZ AS TEST_END_TIME,
    NULL::TIMESTAMP_NTZ AS EARLIEST_ENRICHMENT_TIME,
    NULL AS TABLE_TYPE,
    NULL::ARRAY AS ENRICHMENT_TYPES,
    NULL AS STATUS,
    NULL::TIMESTAMP_NTZ AS CREATED_AT,
    MESSAGE AS DUPLICATE_MESSAGE
  FROM duplicate_jobs
) AS found
  ON jobs.JOB_ID = found.JOB_ID
WHEN MATCHED AND jobs.STATUS = 'PENDING' AND found.DUPLICATE_MESSAGE IS NOT NULL THEN UPDATE SET
  STATUS = 'SKIPPED',
  LAST_ERROR = found.DUPLICATE_MESSAGE,
  COMPLETED_AT = SYSDATE(),
  UPDATED_AT = SYSDATE()
WHEN NOT MATCHED AND found.DUPLICATE_MESSAGE IS NULL THEN INSERT (
  JOB_ID, TEST_ID, RUN_ID, TEST_END_TIME, EARLIEST_ENRICHMENT_TIME, TABLE_TYPE, ENRICHMENT_TYPES, STATUS, ATTEMPTS,
  COMPLETED_TYPES, CREATED_AT, UPDATED_AT
) VALUES (
  found.JOB_ID, found.TEST_ID, found.RUN_ID, found.TEST_END_TIME, found.EARLIEST_ENRICHMENT_TIME, found.TABLE_TYPE,
  found.ENRICHMENT_TYPES, found.STATUS, 0, PARSE_JSON('[]'), found.CREATED_AT, SYSDATE()
);
