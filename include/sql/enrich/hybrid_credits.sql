{% extends 'enrich/_lifecycle.sql' %}
{#- Purpose:    the hybrid table credits of the account while a run was going on.
    Source:     ACCOUNT_USAGE.HYBRID_TABLE_USAGE_HISTORY, latency up to 3 hours.
    Grain:      one row of HYBRID_TABLE_CREDITS per usage row that overlaps the run's window, whole, not pro rata.
    Binds:      those of _lifecycle.sql; usage_start, the earliest start of a usage row that can overlap; store_raw.
    Write mode: replaces the run's rows.
    Limits:     the view is account-level (CREDIT_SCOPE) and knows no table and no requests; Snowflake stopped billing
                them on 2026-03-01. A credit that is missing is NULL, never 0. -#}
{% set target = 'HYBRID_TABLE_CREDITS' %}
{% set summary_columns = [
  'HYBRID_CREDITS_USED', 'HYBRID_CREDITS_REQUESTS', 'HYBRID_CREDITS_START_TIME', 'HYBRID_CREDITS_END_TIME',
] %}
{% block read %}
SELECT
  CONVERT_TIMEZONE('UTC', source.START_TIME)::TIMESTAMP_NTZ AS START_TIME,
  CONVERT_TIMEZONE('UTC', source.END_TIME)::TIMESTAMP_NTZ AS END_TIME,
  source.OBJECT_TYPE,
  source.OBJECT_ID,
  source.CREDITS_USED
FROM {{ account_usage }}.HYBRID_TABLE_USAGE_HISTORY AS source
WHERE
  source.START_TIME >= %(usage_start)s::TIMESTAMP_LTZ
  AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
  -- without an end, where it starts says whether it overlaps
  AND COALESCE(source.END_TIME > %(window_start)s::TIMESTAMP_LTZ, source.START_TIME >= %(window_start)s::TIMESTAMP_LTZ)
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY source.OBJECT_TYPE, source.OBJECT_ID, source.START_TIME
  ORDER BY source.END_TIME DESC NULLS LAST, source.CREDITS_USED DESC NULLS LAST
) = 1
{% endblock %}
{% block reading %}
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_ROWS,
  (SELECT COUNT(*) FROM {{ enrichment }}.HYBRID_TABLE_CREDITS WHERE RUN_ID = %(run_id)s) AS STORED_ROWS,
  NULL AS FOUND_CALLS,
  NULL AS STORED_CALLS,
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_COUNT,
  NULL AS EXPECTED_COUNT
{% endblock %}
{% block write %}
INSERT INTO {{ enrichment }}.HYBRID_TABLE_CREDITS (
  CREDIT_ID, TEST_ID, RUN_ID, START_TIME, END_TIME, CREDITS_USED, CREDIT_SCOPE, RAW_DATA, CREATED_AT
)
SELECT
  MD5(
    %(run_id)s || '/' || COALESCE(OBJECT_TYPE, '') || '/' || COALESCE(OBJECT_ID::VARCHAR, '') || '/'
    || TO_CHAR(START_TIME, 'YYYY-MM-DD HH24:MI:SS.FF9')
  ) AS CREDIT_ID,
  %(run_id)s AS TEST_ID,
  %(run_id)s AS RUN_ID,
  START_TIME,
  END_TIME,
  CREDITS_USED,
  'ACCOUNT' AS CREDIT_SCOPE,
  CASE WHEN %(store_raw)s THEN OBJECT_CONSTRUCT('object_type', OBJECT_TYPE, 'credits_used', CREDITS_USED) END AS RAW_DATA,
  SYSDATE() AS CREATED_AT
FROM ENRICHMENT_SOURCE
WHERE %(replace)s
{% endblock %}
{% block summary %}
  SELECT
    %(run_id)s AS RUN_ID,
    SUM(CREDITS_USED) AS HYBRID_CREDITS_USED,
    NULL::NUMBER AS HYBRID_CREDITS_REQUESTS,
    MIN(START_TIME) AS HYBRID_CREDITS_START_TIME,
    MAX(END_TIME) AS HYBRID_CREDITS_END_TIME
  FROM ENRICHMENT_SOURCE
{% endblock %}
