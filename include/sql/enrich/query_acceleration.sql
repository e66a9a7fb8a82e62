{% extends 'enrich/_lifecycle.sql' %}
{#- Purpose:    the credits of query acceleration on the warehouses of a run, in the hours in which it ran.
    Source:     ACCOUNT_USAGE.QUERY_ACCELERATION_HISTORY, latency up to 3 hours; Enterprise Edition.
    Grain:      one row of QUERY_ACCELERATION_CREDITS per usage row of a warehouse of the run that overlaps the run's
                window, whole, not pro rata.
    Binds:      those of _lifecycle.sql; usage_start, the earliest start of a usage row that can overlap.
    Write mode: replaces the run's rows.
    Limits:     the view is warehouse-level (CREDIT_SCOPE) and knows no query: other work on the warehouse is in its rows.
                The run's warehouses are those that TEST_RESULTS names. It does not say what a missing hour means, so
                no row is unknown and a credit that is missing is NULL, never 0. -#}
{% set target = 'QUERY_ACCELERATION_CREDITS' %}
{% set summary_columns = [
  'QUERY_ACCELERATION_CREDITS_USED', 'QUERY_ACCELERATION_START_TIME', 'QUERY_ACCELERATION_END_TIME',
] %}
{% block read %}
SELECT
  CONVERT_TIMEZONE('UTC', source.START_TIME)::TIMESTAMP_NTZ AS START_TIME,
  CONVERT_TIMEZONE('UTC', source.END_TIME)::TIMESTAMP_NTZ AS END_TIME,
  source.WAREHOUSE_ID,
  source.WAREHOUSE_NAME,
  source.CREDITS_USED
FROM {{ account_usage }}.QUERY_ACCELERATION_HISTORY AS source
WHERE
  source.START_TIME >= %(usage_start)s::TIMESTAMP_LTZ
  AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
  -- without an end, where it starts says whether it overlaps
  AND COALESCE(source.END_TIME > %(window_start)s::TIMESTAMP_LTZ, source.START_TIME >= %(window_start)s::TIMESTAMP_LTZ)
  -- Snowflake reads a name without quotes in any case
  AND UPPER(source.WAREHOUSE_NAME) IN (
    SELECT UPPER(TRIM(tests.WAREHOUSE))
    FROM {{ results }}.TEST_RESULTS AS tests
    WHERE tests.RUN_ID = %(run_id)s AND TRIM(tests.WAREHOUSE) <> ''
  )
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY source.WAREHOUSE_ID, source.WAREHOUSE_NAME, source.START_TIME
  ORDER BY source.END_TIME DESC NULLS LAST, source.CREDITS_USED DESC NULLS LAST
) = 1
{% endblock %}
{% block reading %}
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_ROWS,
  (SELECT COUNT(*) FROM {{ enrichment }}.QUERY_ACCELERATION_CREDITS WHERE RUN_ID = %(run_id)s) AS STORED_ROWS,
  NULL AS FOUND_CALLS,
  NULL AS STORED_CALLS,
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_COUNT,
  NULL AS EXPECTED_COUNT,
  (SELECT COUNT(*) FROM {{ results }}.TEST_RESULTS WHERE RUN_ID = %(run_id)s AND TRIM(WAREHOUSE) <> '') > 0
    AS HAS_WAREHOUSE
{% endblock %}
{% block write %}
INSERT INTO {{ enrichment }}.QUERY_ACCELERATION_CREDITS (
  CREDIT_ID, TEST_ID, RUN_ID, WAREHOUSE_ID, WAREHOUSE_NAME, START_TIME, END_TIME, CREDITS_USED, CREDIT_SCOPE, CREATED_AT
)
SELECT
  MD5(
    %(run_id)s || '/' || COALESCE(WAREHOUSE_ID::VARCHAR, '') || '/' || WAREHOUSE_NAME || '/'
    || TO_CHAR(START_TIME, 'YYYY-MM-DD HH24:MI:SS.FF9')
  ) AS CREDIT_ID,
  %(run_id)s AS TEST_ID,
  %(run_id)s AS RUN_ID,
  WAREHOUSE_ID,
  WAREHOUSE_NAME,
  START_TIME,
  END_TIME,
  CREDITS_USED,
  'WAREHOUSE' AS CREDIT_SCOPE,
  SYSDATE() AS CREATED_AT
FROM ENRICHMENT_SOURCE
WHERE %(replace)s
{% endblock %}
{% block summary %}
  SELECT
    %(run_id)s AS RUN_ID,
    SUM(CREDITS_USED) AS QUERY_ACCELERATION_CREDITS_USED,
    MIN(START_TIME) AS QUERY_ACCELERATION_START_TIME,
    MAX(END_TIME) AS QUERY_ACCELERATION_END_TIME
  FROM ENRICHMENT_SOURCE
{% endblock %}
