-- Purpose:    the credits of query acceleration: what the optional type QUERY_ACCELERATION writes, and its summary.
-- Grain:      in the table's comment; the columns belong to rows that exist.
-- Write mode: idempotent (IF NOT EXISTS; a view holds no data).
-- Limits:     empty, and NULL, in a deployment that does not name the type in FLAKEBENCH_ENRICHMENT_OPTIONAL_TYPES.
CREATE TABLE IF NOT EXISTS {{ enrichment }}.QUERY_ACCELERATION_CREDITS (
  CREDIT_ID VARCHAR(36) NOT NULL,
  TEST_ID VARCHAR(36) NOT NULL,
  RUN_ID VARCHAR(36) NOT NULL,
  WAREHOUSE_ID NUMBER(38, 0),
  WAREHOUSE_NAME VARCHAR(500),
  START_TIME TIMESTAMP_NTZ,
  END_TIME TIMESTAMP_NTZ,
  CREDITS_USED NUMBER(38, 9),
  CREDIT_SCOPE VARCHAR(20),
  CREATED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(),
  CONSTRAINT PK_QUERY_ACCELERATION_CREDITS PRIMARY KEY (CREDIT_ID)
)
COMMENT = 'One row per usage row of a warehouse of the run that overlaps the run or five minutes after it, whole; TEST_ID = RUN_ID';

ALTER TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY ADD COLUMN IF NOT EXISTS QUERY_ACCELERATION_CREDITS_USED NUMBER(38, 9);
ALTER TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY ADD COLUMN IF NOT EXISTS QUERY_ACCELERATION_START_TIME TIMESTAMP_NTZ;
ALTER TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY ADD COLUMN IF NOT EXISTS QUERY_ACCELERATION_END_TIME TIMESTAMP_NTZ;

CREATE OR REPLACE VIEW {{ enrichment }}.V_RUN_ENRICHMENT
COPY GRANTS
COMMENT = 'One row per run with a job: its benchmark and its summary; lives as long as the run'
AS
-- queue rows are cleaned up a month after they settled; what they said is derived from the tasks, which stay
WITH run_times AS (
  SELECT
    RUN_ID,
    MAX(END_TIME) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS
  WHERE TEST_ID <> RUN_ID
  GROUP BY RUN_ID
),

jobs AS (
  SELECT
    queued.JOB_ID,
    queued.RUN_ID,
    queued.TABLE_TYPE,
    queued.TEST_END_TIME,
    queued.STATUS,
    queued.LAST_ERROR,
    queued.COMPLETED_TYPES,
    queued.COMPLETED_AT
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued
  WHERE NOT STARTSWITH(COALESCE(queued.LAST_ERROR, ''), 'DUPLICATE_JOB')
  UNION ALL
  SELECT
    rolled_up.JOB_ID,
    rolled_up.RUN_ID,
    NULL AS TABLE_TYPE,
    NULL AS TEST_END_TIME,
    rolled_up.STATUS,
    rolled_up.LAST_ERROR,
    PARSE_JSON(rolled_up.COMPLETED_JSON) AS COMPLETED_TYPES,
    rolled_up.COMPLETED_AT
  FROM {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued ON rolled_up.JOB_ID = queued.JOB_ID
  WHERE queued.JOB_ID IS NULL
)

SELECT
  jobs.RUN_ID,
  jobs.JOB_ID,
  runs.TEST_NAME,
  COALESCE(jobs.TABLE_TYPE, UPPER(TRIM(runs.TABLE_TYPE))) AS TABLE_TYPE,
  runs.STATUS AS RUN_STATUS,
  COALESCE(jobs.TEST_END_TIME, run_times.ENDED_AT) AS TEST_END_TIME,
  jobs.STATUS AS ENRICHMENT_STATUS,
  jobs.LAST_ERROR,
  jobs.COMPLETED_TYPES,
  jobs.COMPLETED_AT,
  rolled_up.DATA_COMPLETE,
  completeness.LEAST_COVERED_TYPE,
  completeness.EXPECTED_COUNT,
  completeness.FOUND_COUNT,
  completeness.COVERAGE,
  completeness.DATA_AVAILABLE_UNTIL,
  completeness.PROVISIONAL_TYPES,
  completeness.NEXT_LOOK_AT,
  completeness.ETA_AT,
  completeness.COMPLETENESS,
  summary.QUERIES_RECORDED,
  summary.PARTITIONS_SCANNED,
  summary.PARTITIONS_TOTAL,
  summary.BYTES_SPILLED_LOCAL,
  summary.BYTES_SPILLED_REMOTE,
  summary.PCT_SCANNED_FROM_CACHE,
  summary.QUERY_PATTERN_COUNT,
  summary.QUERY_COUNT,
  summary.ERRORS_COUNT,
  summary.THROTTLED_QUERY_COUNT,
{%- for metric in ['EXEC', 'COMPILE', 'ELAPSED'] %}
{%- for value in ['SUM', 'AVG', 'STDDEV', 'MIN', 'MAX'] %}
  summary.{{ metric }}_{{ value }}_MS,
{%- endfor %}
{%- for quantile in ['MEDIAN', 'P90', 'P95', 'P99', 'P999'] %}
  summary.{{ metric }}_{{ quantile }}_MS,
  summary.{{ metric }}_{{ quantile }}_LOW_MS,
  summary.{{ metric }}_{{ quantile }}_HIGH_MS,
{%- endfor %}
{%- endfor %}
  summary.PERCENTILE_METHOD,
  summary.P999_IS_MAX,
  summary.QUEUED_OVERLOAD_SUM_MS,
  summary.QUEUED_OVERLOAD_MAX_MS,
  summary.QUEUED_PROVISIONING_SUM_MS,
  summary.QUEUED_PROVISIONING_MAX_MS,
  summary.LOCK_WAIT_COUNT,
  summary.LOCK_WAIT_TOTAL_MS,
  summary.LOCK_WAIT_MAX_MS,
  summary.HYBRID_CREDITS_USED,
  summary.HYBRID_CREDITS_START_TIME,
  summary.HYBRID_CREDITS_END_TIME,
  summary.QUERY_ACCELERATION_CREDITS_USED,
  summary.QUERY_ACCELERATION_START_TIME,
  summary.QUERY_ACCELERATION_END_TIME,
  summary.QUERY_INSIGHTS_COUNT,
  summary.QUERY_INSIGHTS_HIGH_SEVERITY_COUNT,
  summary.UPDATED_AT AS SUMMARY_UPDATED_AT
FROM jobs
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary ON jobs.RUN_ID = summary.RUN_ID
LEFT JOIN {{ results }}.TEST_RESULTS AS runs ON jobs.RUN_ID = runs.RUN_ID AND runs.TEST_ID = runs.RUN_ID
LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON jobs.JOB_ID = rolled_up.JOB_ID
LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_COMPLETENESS AS completeness ON jobs.JOB_ID = completeness.JOB_ID
LEFT JOIN run_times ON jobs.RUN_ID = run_times.RUN_ID
-- keys are not enforced
QUALIFY ROW_NUMBER() OVER (PARTITION BY jobs.RUN_ID ORDER BY jobs.COMPLETED_AT DESC NULLS FIRST, jobs.JOB_ID) = 1;
