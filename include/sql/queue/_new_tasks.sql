{#- Fragment: one task per enrichment type for every job without tasks, due by itself. A job that FlakeBench or a person
    queued is honoured: its JOB_ID, its listed types (aliases allowed), whatever the run's status. A listed type that the
    catalogue does not know becomes a FAILED task that says so.
    Binds: catalogue (JSON), known_table_types, fallback_table_type, unenriched_table_types. -#}
catalogue AS (
  SELECT
    VALUE:"name"::VARCHAR AS ENRICHMENT_TYPE,
    VALUE:"names" AS NAMES,
    VALUE:"table_types" AS TABLE_TYPES,
    VALUE:"due_after_minutes"::INTEGER AS DUE_AFTER_MINUTES,
    VALUE:"retention_days"::INTEGER AS RETENTION_DAYS,
    VALUE:"ended"::DATE AS ENDED_ON,
    VALUE:"ended_reason"::VARCHAR AS ENDED_REASON,
    VALUE:"off_reason"::VARCHAR AS OFF_REASON
  FROM TABLE(FLATTEN(INPUT => PARSE_JSON(%(catalogue)s)))
),

accepted_names AS (
  SELECT
    catalogue.ENRICHMENT_TYPE,
    names.VALUE::VARCHAR AS ACCEPTED_NAME
  FROM catalogue, LATERAL FLATTEN(INPUT => catalogue.NAMES) AS names
),

supported_tables AS (
  SELECT
    catalogue.ENRICHMENT_TYPE,
    tables.VALUE:"table_type"::VARCHAR AS TABLE_TYPE,
    tables.VALUE:"reason"::VARCHAR AS NOT_APPLICABLE_REASON
  FROM catalogue, LATERAL FLATTEN(INPUT => catalogue.TABLE_TYPES) AS tables
),

{% include 'queue/_runs.sql' %},

new_jobs AS (
  SELECT
    jobs.JOB_ID,
    jobs.TEST_ID,
    jobs.RUN_ID,
    jobs.ENRICHMENT_TYPES,
    COALESCE(runs.TABLE_TYPE, UPPER(TRIM(jobs.TABLE_TYPE))) AS TABLE_TYPE,
    COALESCE(runs.ENDED_AT, jobs.TEST_END_TIME) AS ENDED_AT
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS jobs
  LEFT JOIN runs ON jobs.RUN_ID = runs.RUN_ID
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks ON jobs.JOB_ID = tasks.JOB_ID
  WHERE jobs.STATUS = 'PENDING' AND tasks.JOB_ID IS NULL
),

listed AS (
  SELECT
    new_jobs.JOB_ID,
    new_jobs.TEST_ID,
    new_jobs.RUN_ID,
    CASE
      WHEN new_jobs.TABLE_TYPE IN (%(known_table_types)s) OR new_jobs.TABLE_TYPE IN (%(unenriched_table_types)s)
        THEN new_jobs.TABLE_TYPE
      ELSE %(fallback_table_type)s
    END AS TABLE_TYPE,
    new_jobs.ENDED_AT,
    -- a list that is empty or no list at all is shown as it is, in the name of a FAILED task
    UPPER(TRIM(COALESCE(types.VALUE::VARCHAR, TO_JSON(new_jobs.ENRICHMENT_TYPES), 'NULL'))) AS LISTED_NAME
  FROM new_jobs, LATERAL FLATTEN(INPUT => new_jobs.ENRICHMENT_TYPES, OUTER => TRUE) AS types
),

wanted AS (
  SELECT DISTINCT
    listed.JOB_ID,
    listed.TEST_ID,
    listed.RUN_ID,
    listed.TABLE_TYPE,
    listed.ENDED_AT,
    accepted_names.ENRICHMENT_TYPE,
    LEFT(COALESCE(accepted_names.ENRICHMENT_TYPE, listed.LISTED_NAME), 50) AS TASK_NAME
  FROM listed
  LEFT JOIN accepted_names ON listed.LISTED_NAME = accepted_names.ACCEPTED_NAME
),

judged AS (
  SELECT
    wanted.JOB_ID,
    wanted.TEST_ID,
    wanted.RUN_ID,
    wanted.TASK_NAME,
    catalogue.DUE_AFTER_MINUTES,
    -- an end that is missing or ahead of the clock says nothing: count from now
    CASE WHEN wanted.ENDED_AT <= SYSDATE() THEN wanted.ENDED_AT ELSE SYSDATE() END AS COUNTED_FROM,
    CASE
      WHEN wanted.ENRICHMENT_TYPE IS NULL THEN 'UNKNOWN_TYPE'
      WHEN supported_tables.TABLE_TYPE IS NULL THEN 'TABLE_TYPE'
      WHEN supported_tables.NOT_APPLICABLE_REASON IS NOT NULL THEN 'NO_SOURCE'
      WHEN COUNTED_FROM >= catalogue.ENDED_ON THEN 'BILLING_ENDED'
      WHEN catalogue.OFF_REASON IS NOT NULL THEN 'DISABLED'
      WHEN COUNTED_FROM < DATEADD('day', -catalogue.RETENTION_DAYS, SYSDATE()) THEN 'RETENTION'
    END AS REASON_CODE,
    CASE REASON_CODE
      WHEN 'UNKNOWN_TYPE'
        THEN 'Run ' || wanted.RUN_ID || ': ' || wanted.TASK_NAME
        || ' is not an enrichment type. In one transaction correct ENRICHMENT_TYPES of job ' || wanted.JOB_ID
        || ' in DELAYED_ENRICHMENT_QUEUE, set its STATUS to PENDING, and delete its rows in DELAYED_ENRICHMENT_TASKS: '
        || 'the next pass queues it anew.'
      WHEN 'TABLE_TYPE' THEN wanted.TASK_NAME || ' does not exist for ' || wanted.TABLE_TYPE || ' tables'
      WHEN 'NO_SOURCE' THEN supported_tables.NOT_APPLICABLE_REASON
      WHEN 'BILLING_ENDED' THEN catalogue.ENDED_REASON
      WHEN 'DISABLED' THEN wanted.TASK_NAME || ' is ' || catalogue.OFF_REASON
      WHEN 'RETENTION'
        THEN 'The run ended more than ' || catalogue.RETENTION_DAYS || ' days ago; the view no longer holds it'
    END AS MESSAGE
  FROM wanted
  LEFT JOIN catalogue ON wanted.ENRICHMENT_TYPE = catalogue.ENRICHMENT_TYPE
  LEFT JOIN supported_tables
    ON wanted.ENRICHMENT_TYPE = supported_tables.ENRICHMENT_TYPE
    AND wanted.TABLE_TYPE = supported_tables.TABLE_TYPE
),

new_tasks AS (
  SELECT
    JOB_ID,
    TEST_ID,
    RUN_ID,
    TASK_NAME AS ENRICHMENT_TYPE,
    CASE
      WHEN REASON_CODE IS NULL THEN 'PENDING'
      WHEN REASON_CODE = 'UNKNOWN_TYPE' THEN 'FAILED'
      WHEN REASON_CODE IN ('DISABLED', 'RETENTION') THEN 'SKIPPED'
      ELSE 'NOT_APPLICABLE'
    END AS STATUS,
    DATEADD('minute', COALESCE(DUE_AFTER_MINUTES, 0), COUNTED_FROM) AS DUE_AT,
    CASE WHEN REASON_CODE IS NOT NULL THEN SYSDATE() END AS COMPLETED_AT,
    REASON_CODE,
    MESSAGE AS LAST_ERROR
  FROM judged
)
