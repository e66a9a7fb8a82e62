{% extends 'enrich/_lifecycle.sql' %}
{#- Purpose:    partitions, spills, cache share and hash of each query of a run.
    Source:     ACCOUNT_USAGE.QUERY_HISTORY, latency up to 45 minutes.
    Grain:      one row of QUERY_EXECUTION_METRICS per measured query; the SF_* columns of QUERY_EXECUTIONS.
    Binds:      those of _lifecycle.sql; child_ids.
    Write mode: replaces the run's rows; MERGE on (child, QUERY_ID) touches changed executions only.
    Limits:     short statements on hybrid tables leave no record in the view. -#}
{% set target = 'QUERY_EXECUTION_METRICS' %}
{% set summary_columns = [
  'QUERIES_RECORDED', 'PARTITIONS_SCANNED', 'PARTITIONS_TOTAL', 'BYTES_SPILLED_LOCAL', 'BYTES_SPILLED_REMOTE',
  'PCT_SCANNED_FROM_CACHE',
] %}
{% block newest %}{% include 'enrich/_query_history_newest.sql' %}{% endblock %}
{% block read %}
WITH
{% include 'enrich/_run_queries.sql' %}

SELECT
  run_queries.QUERY_ID,
  COALESCE(executions.TEST_ID, run_queries.TEST_ID) AS TEST_ID,
  run_queries.QUERY_PARAMETERIZED_HASH,
  CONVERT_TIMEZONE('UTC', run_queries.START_TIME)::TIMESTAMP_NTZ AS START_TIME,
  run_queries.BYTES_SCANNED,
  -- the view's share is 0 to 1, FlakeBench's column and readers expect percent
  run_queries.PERCENTAGE_SCANNED_FROM_CACHE * 100 AS PCT_SCANNED_FROM_CACHE,
  run_queries.PARTITIONS_SCANNED,
  run_queries.PARTITIONS_TOTAL,
  run_queries.BYTES_SPILLED_TO_LOCAL_STORAGE AS BYTES_SPILLED_LOCAL,
  run_queries.BYTES_SPILLED_TO_REMOTE_STORAGE AS BYTES_SPILLED_REMOTE,
  run_queries.IS_MEASURED,
  COALESCE(executions.IS_EXPECTED, FALSE) AS IS_EXPECTED
FROM run_queries
LEFT JOIN (
  SELECT
    QUERY_ID,
    MAX(TEST_ID) AS TEST_ID,
    BOOLOR_AGG(SUCCESS AND NOT COALESCE(WARMUP, FALSE)) AS IS_EXPECTED
  FROM {{ results }}.QUERY_EXECUTIONS
  WHERE TEST_ID IN (%(child_ids)s)
  GROUP BY QUERY_ID
) AS executions ON run_queries.QUERY_ID = executions.QUERY_ID
{% endblock %}
{% block reading %}
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE WHERE IS_MEASURED) AS FOUND_ROWS,
  (SELECT COUNT(*) FROM {{ enrichment }}.QUERY_EXECUTION_METRICS WHERE RUN_ID = %(run_id)s) AS STORED_ROWS,
  NULL AS FOUND_CALLS,
  NULL AS STORED_CALLS,
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE WHERE IS_EXPECTED) AS FOUND_COUNT,
  (
    SELECT COUNT(DISTINCT QUERY_ID)
    FROM {{ results }}.QUERY_EXECUTIONS
    WHERE {% include 'enrich/_expected_execution.sql' %}
  ) AS EXPECTED_COUNT
{% endblock %}
{% block write %}
INSERT INTO {{ enrichment }}.QUERY_EXECUTION_METRICS (
  RUN_ID, TEST_ID, QUERY_ID, QUERY_PARAMETERIZED_HASH, START_TIME, PARTITIONS_SCANNED, PARTITIONS_TOTAL, BYTES_SCANNED,
  BYTES_SPILLED_LOCAL, BYTES_SPILLED_REMOTE, PCT_SCANNED_FROM_CACHE, CREATED_AT
)
SELECT
  %(run_id)s AS RUN_ID,
  TEST_ID,
  QUERY_ID,
  QUERY_PARAMETERIZED_HASH,
  START_TIME,
  PARTITIONS_SCANNED,
  PARTITIONS_TOTAL,
  BYTES_SCANNED,
  BYTES_SPILLED_LOCAL,
  BYTES_SPILLED_REMOTE,
  PCT_SCANNED_FROM_CACHE,
  SYSDATE() AS CREATED_AT
FROM ENRICHMENT_SOURCE
WHERE IS_MEASURED AND %(replace)s
{% endblock %}
{% block extra %}
MERGE INTO {{ results }}.QUERY_EXECUTIONS AS executions
USING ENRICHMENT_SOURCE AS fresh
  ON executions.TEST_ID IN (%(child_ids)s) AND executions.QUERY_ID = fresh.QUERY_ID
WHEN
  MATCHED AND %(replace)s AND (
    executions.SF_PARTITIONS_SCANNED IS DISTINCT FROM fresh.PARTITIONS_SCANNED
    OR executions.SF_PARTITIONS_TOTAL IS DISTINCT FROM fresh.PARTITIONS_TOTAL
    OR executions.SF_BYTES_SPILLED_LOCAL IS DISTINCT FROM fresh.BYTES_SPILLED_LOCAL
    OR executions.SF_BYTES_SPILLED_REMOTE IS DISTINCT FROM fresh.BYTES_SPILLED_REMOTE
    OR executions.SF_PCT_SCANNED_FROM_CACHE IS DISTINCT FROM fresh.PCT_SCANNED_FROM_CACHE
  )
  THEN UPDATE SET
    SF_PARTITIONS_SCANNED = fresh.PARTITIONS_SCANNED,
    SF_PARTITIONS_TOTAL = fresh.PARTITIONS_TOTAL,
    SF_BYTES_SPILLED_LOCAL = fresh.BYTES_SPILLED_LOCAL,
    SF_BYTES_SPILLED_REMOTE = fresh.BYTES_SPILLED_REMOTE,
    SF_PCT_SCANNED_FROM_CACHE = fresh.PCT_SCANNED_FROM_CACHE;
{% endblock %}
{% block summary %}
  SELECT
    %(run_id)s AS RUN_ID,
    COUNT(*) AS QUERIES_RECORDED,
    SUM(PARTITIONS_SCANNED) AS PARTITIONS_SCANNED,
    SUM(PARTITIONS_TOTAL) AS PARTITIONS_TOTAL,
    SUM(BYTES_SPILLED_LOCAL) AS BYTES_SPILLED_LOCAL,
    SUM(BYTES_SPILLED_REMOTE) AS BYTES_SPILLED_REMOTE,
    -- weighted by bytes: a mean of shares would let tiny queries decide
    SUM(PCT_SCANNED_FROM_CACHE * BYTES_SCANNED)
    / NULLIF(SUM(CASE WHEN PCT_SCANNED_FROM_CACHE IS NOT NULL THEN BYTES_SCANNED END), 0) AS PCT_SCANNED_FROM_CACHE
  FROM ENRICHMENT_SOURCE
  WHERE IS_MEASURED
{% endblock %}
