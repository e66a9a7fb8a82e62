{% extends 'enrich/_lifecycle.sql' %}
{% import 'enrich/_time_columns.sql' as times %}
{#- Purpose:    server-side times, errors and throttling of a run, for each query pattern and for the whole run.
    Source:     ACCOUNT_USAGE.AGGREGATE_QUERY_HISTORY, latency up to 3 hours; the only view that counts all statements
                on hybrid tables. It has a row per minute, pattern, session, user, role, warehouse and tag.
    Grain:      one row of AGGREGATE_QUERY_METRICS per parameterized query hash; a NULL hash has its own row.
    Binds:      those of _lifecycle.sql; successful_operations, store_raw.
    Write mode: replaces the run's rows.
    Limits:     rows equal in every documented column count once. A percentile to which several rows contribute is an
                estimate with bounds (docs/percentiles.md); so is the 95th, which the view has not, whatever the number
                of rows. A value is exact where its bounds are equal. Below 1,000 calls P999 is the maximum.
                A statistic is unknown when its key is missing, or holds no number below 10^18 (a text that reads as
                one is one, NaN and infinity are none); so is whatever needs it from all rows. An error that is
                no OBJECT is left out, one without a count counts nothing. A row without calls or an interval's
                start counts nothing. -#}
{% set target = 'AGGREGATE_QUERY_METRICS' %}
{% set summary_columns = (
  'QUERY_PATTERN_COUNT QUERY_COUNT ERRORS_COUNT THROTTLED_QUERY_COUNT' ~ times.names()
  ~ ' PERCENTILE_METHOD P999_IS_MAX QUEUED_OVERLOAD_SUM_MS QUEUED_OVERLOAD_MAX_MS QUEUED_PROVISIONING_SUM_MS QUEUED_PROVISIONING_MAX_MS'
).split() %}
{% block newest %}(
    SELECT CONVERT_TIMEZONE('UTC', MAX(INTERVAL_END_TIME))::TIMESTAMP_NTZ
    FROM {{ account_usage }}.AGGREGATE_QUERY_HISTORY
    WHERE
      INTERVAL_START_TIME >= %(window_start)s::TIMESTAMP_LTZ
      AND INTERVAL_START_TIME < %(newest_before)s::TIMESTAMP_LTZ
  ){% endblock %}
{% block read %}
WITH
{% include 'enrich/_run_tags.sql' %},

-- semi-structured columns are compared as text; DISTINCT over all documented columns drops repeated rows
view_rows AS (
  SELECT DISTINCT
    run_tags.TAG,
    {% include 'enrich/_is_measured.sql' %} AS IS_MEASURED,
    source.CALLS,
    source.INTERVAL_START_TIME,
    source.INTERVAL_END_TIME,
    source.QUERY_PARAMETERIZED_HASH,
    source.QUERY_TEXT,
    source.DATABASE_ID,
    source.DATABASE_NAME,
    source.SCHEMA_ID,
    source.SCHEMA_NAME,
    source.QUERY_TYPE,
    source.SESSION_ID,
    source.USER_NAME,
    source.ROLE_NAME,
    source.ROLE_TYPE,
    source.WAREHOUSE_ID,
    source.WAREHOUSE_NAME,
    source.WAREHOUSE_SIZE,
    source.WAREHOUSE_TYPE,
    source.QUERY_TAG,
    source.IS_CLIENT_GENERATED_STATEMENT,
    source.RELEASE_VERSION,
    TO_JSON(source.ERRORS) AS ERRORS,
    TO_JSON(source.TOTAL_ELAPSED_TIME) AS TOTAL_ELAPSED_TIME,
    TO_JSON(source.BYTES_SCANNED) AS BYTES_SCANNED,
    TO_JSON(source.PERCENTAGE_SCANNED_FROM_CACHE) AS PERCENTAGE_SCANNED_FROM_CACHE,
    TO_JSON(source.BYTES_WRITTEN) AS BYTES_WRITTEN,
    TO_JSON(source.BYTES_WRITTEN_TO_RESULT) AS BYTES_WRITTEN_TO_RESULT,
    TO_JSON(source.BYTES_READ_FROM_RESULT) AS BYTES_READ_FROM_RESULT,
    TO_JSON(source.ROWS_PRODUCED) AS ROWS_PRODUCED,
    TO_JSON(source.ROWS_INSERTED) AS ROWS_INSERTED,
    TO_JSON(source.ROWS_UPDATED) AS ROWS_UPDATED,
    TO_JSON(source.ROWS_DELETED) AS ROWS_DELETED,
    TO_JSON(source.ROWS_UNLOADED) AS ROWS_UNLOADED,
    TO_JSON(source.BYTES_DELETED) AS BYTES_DELETED,
    TO_JSON(source.PARTITIONS_SCANNED) AS PARTITIONS_SCANNED,
    TO_JSON(source.PARTITIONS_TOTAL) AS PARTITIONS_TOTAL,
    TO_JSON(source.BYTES_SPILLED_TO_LOCAL_STORAGE) AS BYTES_SPILLED_TO_LOCAL_STORAGE,
    TO_JSON(source.BYTES_SPILLED_TO_REMOTE_STORAGE) AS BYTES_SPILLED_TO_REMOTE_STORAGE,
    TO_JSON(source.BYTES_SENT_OVER_THE_NETWORK) AS BYTES_SENT_OVER_THE_NETWORK,
    TO_JSON(source.COMPILATION_TIME) AS COMPILATION_TIME,
    TO_JSON(source.EXECUTION_TIME) AS EXECUTION_TIME,
    TO_JSON(source.QUEUED_PROVISIONING_TIME) AS QUEUED_PROVISIONING_TIME,
    TO_JSON(source.QUEUED_REPAIR_TIME) AS QUEUED_REPAIR_TIME,
    TO_JSON(source.QUEUED_OVERLOAD_TIME) AS QUEUED_OVERLOAD_TIME,
    TO_JSON(source.TRANSACTION_BLOCKED_TIME) AS TRANSACTION_BLOCKED_TIME,
    source.OUTBOUND_DATA_TRANSFER_CLOUD,
    source.OUTBOUND_DATA_TRANSFER_REGION,
    TO_JSON(source.OUTBOUND_DATA_TRANSFER_BYTES) AS OUTBOUND_DATA_TRANSFER_BYTES,
    source.INBOUND_DATA_TRANSFER_CLOUD,
    source.INBOUND_DATA_TRANSFER_REGION,
    TO_JSON(source.INBOUND_DATA_TRANSFER_BYTES) AS INBOUND_DATA_TRANSFER_BYTES,
    TO_JSON(source.LIST_EXTERNAL_FILES_TIME) AS LIST_EXTERNAL_FILES_TIME,
    TO_JSON(source.CREDITS_USED_CLOUD_SERVICES) AS CREDITS_USED_CLOUD_SERVICES,
    TO_JSON(source.EXTERNAL_FUNCTION_TOTAL_INVOCATIONS) AS EXTERNAL_FUNCTION_TOTAL_INVOCATIONS,
    TO_JSON(source.EXTERNAL_FUNCTION_TOTAL_SENT_ROWS) AS EXTERNAL_FUNCTION_TOTAL_SENT_ROWS,
    TO_JSON(source.EXTERNAL_FUNCTION_TOTAL_RECEIVED_ROWS) AS EXTERNAL_FUNCTION_TOTAL_RECEIVED_ROWS,
    TO_JSON(source.EXTERNAL_FUNCTION_TOTAL_SENT_BYTES) AS EXTERNAL_FUNCTION_TOTAL_SENT_BYTES,
    TO_JSON(source.EXTERNAL_FUNCTION_TOTAL_RECEIVED_BYTES) AS EXTERNAL_FUNCTION_TOTAL_RECEIVED_BYTES,
    TO_JSON(source.QUERY_LOAD_PERCENT) AS QUERY_LOAD_PERCENT,
    TO_JSON(source.QUERY_ACCELERATION_BYTES_SCANNED) AS QUERY_ACCELERATION_BYTES_SCANNED,
    TO_JSON(source.QUERY_ACCELERATION_PARTITIONS_SCANNED) AS QUERY_ACCELERATION_PARTITIONS_SCANNED,
    TO_JSON(source.QUERY_ACCELERATION_UPPER_LIMIT_SCALE_FACTOR) AS QUERY_ACCELERATION_UPPER_LIMIT_SCALE_FACTOR,
    TO_JSON(source.CHILD_QUERIES_WAIT_TIME) AS CHILD_QUERIES_WAIT_TIME,
    source.HYBRID_TABLE_REQUESTS_THROTTLED_COUNT
  FROM {{ account_usage }}.AGGREGATE_QUERY_HISTORY AS source
  INNER JOIN run_tags ON STARTSWITH(source.QUERY_TAG || ':', run_tags.TAG || ':')
  WHERE
    source.INTERVAL_START_TIME >= %(window_start)s::TIMESTAMP_LTZ
    AND source.INTERVAL_START_TIME < %(window_end)s::TIMESTAMP_LTZ
),

-- keys are lower case
read_rows AS (
  SELECT
    QUERY_PARAMETERIZED_HASH,
    TAG,
    CONVERT_TIMEZONE('UTC', INTERVAL_START_TIME)::TIMESTAMP_NTZ AS INTERVAL_START,
    CONVERT_TIMEZONE('UTC', INTERVAL_END_TIME)::TIMESTAMP_NTZ AS INTERVAL_END,
    CALLS,
    PARSE_JSON(ERRORS) AS ERRORS,
    HYBRID_TABLE_REQUESTS_THROTTLED_COUNT AS THROTTLED_COUNT,
    {%- for name, column, key in times.STATISTICS %}
    TRY_TO_DOUBLE(PARSE_JSON({{ column }}):"{{ key }}"::VARCHAR) AS {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM view_rows
  WHERE IS_MEASURED AND CALLS > 0
),

-- TRY_TO_DOUBLE takes 'NaN' and 'inf' for numbers; NaN is larger than any other
known_rows AS (
  SELECT
    QUERY_PARAMETERIZED_HASH,
    TAG,
    INTERVAL_START,
    INTERVAL_END,
    CALLS,
    ERRORS,
    THROTTLED_COUNT,
    {%- for name, _, _ in times.STATISTICS %}
    CASE WHEN ABS({{ name }}) < 1E18 THEN {{ name }} END AS {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM read_rows
)

SELECT
  QUERY_PARAMETERIZED_HASH,
  TAG,
  INTERVAL_START,
  INTERVAL_END,
  CALLS,
  ERRORS,
  THROTTLED_COUNT,
  {%- for metric, _ in times.METRICS %}
  COALESCE({{ metric }}_STATED_SUM, {{ metric }}_AVG * CALLS) AS {{ metric }}_SUM,
  CASE WHEN CALLS = 1 THEN 0 ELSE (CALLS - 1) * POWER({{ metric }}_STDDEV, 2) END AS {{ metric }}_VARIATION,
  {%- for name in ['MIN', 'MEDIAN', 'P90', 'P99', 'P999', 'MAX'] %}
  {{ metric }}_{{ name }},
  {%- endfor %}
  {%- endfor %}
  QUEUED_OVERLOAD_SUM,
  QUEUED_OVERLOAD_MAX,
  QUEUED_PROVISIONING_SUM,
  QUEUED_PROVISIONING_MAX,
  BYTES_SCANNED_SUM,
  BYTES_SCANNED_MAX,
  ROWS_PRODUCED_SUM,
  ROWS_PRODUCED_MAX
FROM known_rows
{% endblock %}
{% block derive %}
{% include 'enrich/_merged_percentiles.sql' %}
{% endblock %}
{% block reading %}
  (
    SELECT COUNT(*) FROM (SELECT DISTINCT QUERY_PARAMETERIZED_HASH FROM ENRICHMENT_SOURCE) AS patterns
  ) AS FOUND_ROWS,
  (SELECT COUNT(*) FROM {{ enrichment }}.AGGREGATE_QUERY_METRICS WHERE RUN_ID = %(run_id)s) AS STORED_ROWS,
  (SELECT COALESCE(SUM(CALLS), 0) FROM ENRICHMENT_SOURCE) AS FOUND_CALLS,
  (
    SELECT COALESCE(SUM(QUERY_COUNT), 0) FROM {{ enrichment }}.AGGREGATE_QUERY_METRICS WHERE RUN_ID = %(run_id)s
  ) AS STORED_CALLS,
  (SELECT COALESCE(SUM(CALLS), 0) FROM ENRICHMENT_SOURCE) AS FOUND_COUNT,
  GREATEST(
    COALESCE(%(successful_operations)s, 0),
    (
      SELECT COUNT(DISTINCT QUERY_ID)
      FROM {{ results }}.QUERY_EXECUTIONS
      WHERE {% include 'enrich/_expected_execution.sql' %}
    )
  ) AS EXPECTED_COUNT
{% endblock %}
{% block write %}
INSERT INTO {{ enrichment }}.AGGREGATE_QUERY_METRICS (
  METRIC_ID, TEST_ID, RUN_ID, QUERY_PARAMETERIZED_HASH, QUERY_TAG, INTERVAL_START, INTERVAL_END, INTERVAL_COUNT,
  QUERY_COUNT, ERRORS_COUNT, HYBRID_REQUESTS_THROTTLED_COUNT,
  {{- times.columns() }}
  PERCENTILE_METHOD, P999_IS_MAX, QUEUED_OVERLOAD_SUM_MS, QUEUED_OVERLOAD_AVG_MS, QUEUED_OVERLOAD_MAX_MS,
  QUEUED_PROVISIONING_SUM_MS, QUEUED_PROVISIONING_AVG_MS, QUEUED_PROVISIONING_MAX_MS,
  BYTES_SCANNED_SUM, BYTES_SCANNED_AVG, BYTES_SCANNED_MAX, ROWS_PRODUCED_SUM, ROWS_PRODUCED_AVG, ROWS_PRODUCED_MAX,
  ERRORS_BREAKDOWN, RAW_SAMPLE, CREATED_AT, SOURCE_VIEW
)
WITH means AS (
  SELECT
    QUERY_PARAMETERIZED_HASH,
    {%- for metric, _ in times.METRICS %}
    SUM({{ metric }}_SUM) / NULLIF(SUM(CALLS), 0) AS {{ metric }}_MEAN{{ ',' if not loop.last }}
    {%- endfor %}
  FROM ENRICHMENT_SOURCE
  GROUP BY QUERY_PARAMETERIZED_HASH
),

-- ERRORS is [{code, message, count}] per row; the number of errors is the sum of the counts, not of the kinds
errors_by_code AS (
  SELECT
    source.QUERY_PARAMETERIZED_HASH,
    -- JSON null is no code, as a missing one is none
    ANY_VALUE(CASE WHEN TYPEOF(errors.VALUE:"code") <> 'NULL_VALUE' THEN errors.VALUE:"code" END) AS CODE,
    MIN(errors.VALUE:"message"::VARCHAR) AS MESSAGE,
    SUM(TRY_TO_NUMBER(errors.VALUE:"count"::VARCHAR, 18, 0)) AS ERROR_COUNT
  FROM ENRICHMENT_SOURCE AS source, LATERAL FLATTEN(INPUT => source.ERRORS) AS errors
  WHERE IS_OBJECT(errors.VALUE)
  GROUP BY source.QUERY_PARAMETERIZED_HASH, errors.VALUE:"code"::VARCHAR
),

pattern_errors AS (
  SELECT
    QUERY_PARAMETERIZED_HASH,
    SUM(ERROR_COUNT) AS ERRORS_COUNT,
    ARRAY_AGG(OBJECT_CONSTRUCT('code', CODE, 'message', MESSAGE, 'count', ERROR_COUNT))
      WITHIN GROUP (ORDER BY CODE::VARCHAR) AS ERRORS_BREAKDOWN
  FROM errors_by_code
  GROUP BY QUERY_PARAMETERIZED_HASH
),

patterns AS (
  SELECT
    source.QUERY_PARAMETERIZED_HASH,
    CASE WHEN COUNT(DISTINCT source.TAG) = 1 THEN MAX(source.TAG) END AS QUERY_TAG,
    MIN(source.INTERVAL_START) AS INTERVAL_START,
    MAX(source.INTERVAL_END) AS INTERVAL_END,
    COUNT(DISTINCT source.INTERVAL_START) AS INTERVAL_COUNT,
    SUM(source.CALLS) AS QUERY_COUNT,
    SUM(source.THROTTLED_COUNT) AS THROTTLED_COUNT,
    {{- times.values() }}
    CASE WHEN COUNT(*) = 1 THEN 'EXACT' WHEN COUNT(*) > 1 THEN 'MIXTURE' END AS PERCENTILE_METHOD,
    {{ times.all_known('SUM', 'QUEUED_OVERLOAD_SUM') }} AS QUEUED_OVERLOAD_SUM_MS,
    {{ times.all_known('MAX', 'QUEUED_OVERLOAD_MAX') }} AS QUEUED_OVERLOAD_MAX_MS,
    {{ times.all_known('SUM', 'QUEUED_PROVISIONING_SUM') }} AS QUEUED_PROVISIONING_SUM_MS,
    {{ times.all_known('MAX', 'QUEUED_PROVISIONING_MAX') }} AS QUEUED_PROVISIONING_MAX_MS,
    {{ times.all_known('SUM', 'BYTES_SCANNED_SUM') }} AS BYTES_SCANNED_SUM,
    {{ times.all_known('MAX', 'BYTES_SCANNED_MAX') }} AS BYTES_SCANNED_MAX,
    {{ times.all_known('SUM', 'ROWS_PRODUCED_SUM') }} AS ROWS_PRODUCED_SUM,
    {{ times.all_known('MAX', 'ROWS_PRODUCED_MAX') }} AS ROWS_PRODUCED_MAX
  FROM ENRICHMENT_SOURCE AS source
  INNER JOIN means ON source.QUERY_PARAMETERIZED_HASH IS NOT DISTINCT FROM means.QUERY_PARAMETERIZED_HASH
  GROUP BY source.QUERY_PARAMETERIZED_HASH
)

SELECT
  MD5(%(run_id)s || COALESCE('/' || patterns.QUERY_PARAMETERIZED_HASH, '')) AS METRIC_ID,
  %(run_id)s AS TEST_ID,
  %(run_id)s AS RUN_ID,
  patterns.QUERY_PARAMETERIZED_HASH,
  patterns.QUERY_TAG,
  patterns.INTERVAL_START,
  patterns.INTERVAL_END,
  patterns.INTERVAL_COUNT,
  patterns.QUERY_COUNT,
  COALESCE(pattern_errors.ERRORS_COUNT, 0) AS ERRORS_COUNT,
  patterns.THROTTLED_COUNT AS HYBRID_REQUESTS_THROTTLED_COUNT,
  {{- times.chosen('patterns', 'percentiles') }}
  patterns.PERCENTILE_METHOD,
  patterns.QUERY_COUNT < 1000 AS P999_IS_MAX,
  patterns.QUEUED_OVERLOAD_SUM_MS,
  patterns.QUEUED_OVERLOAD_SUM_MS / patterns.QUERY_COUNT AS QUEUED_OVERLOAD_AVG_MS,
  patterns.QUEUED_OVERLOAD_MAX_MS,
  patterns.QUEUED_PROVISIONING_SUM_MS,
  patterns.QUEUED_PROVISIONING_SUM_MS / patterns.QUERY_COUNT AS QUEUED_PROVISIONING_AVG_MS,
  patterns.QUEUED_PROVISIONING_MAX_MS,
  patterns.BYTES_SCANNED_SUM,
  ROUND(patterns.BYTES_SCANNED_SUM / patterns.QUERY_COUNT) AS BYTES_SCANNED_AVG,
  patterns.BYTES_SCANNED_MAX,
  patterns.ROWS_PRODUCED_SUM,
  ROUND(patterns.ROWS_PRODUCED_SUM / patterns.QUERY_COUNT) AS ROWS_PRODUCED_AVG,
  patterns.ROWS_PRODUCED_MAX,
  COALESCE(pattern_errors.ERRORS_BREAKDOWN, ARRAY_CONSTRUCT()) AS ERRORS_BREAKDOWN,
  CASE WHEN %(store_raw)s THEN OBJECT_CONSTRUCT('calls', patterns.QUERY_COUNT, 'elapsed_ms', patterns.ELAPSED_SUM_MS) END
    AS RAW_SAMPLE,
  SYSDATE() AS CREATED_AT,
  'AGGREGATE_QUERY_HISTORY' AS SOURCE_VIEW
FROM patterns
INNER JOIN ENRICHMENT_PERCENTILES AS percentiles
  ON patterns.QUERY_PARAMETERIZED_HASH IS NOT DISTINCT FROM percentiles.QUERY_PARAMETERIZED_HASH
  AND percentiles.SCOPE > 0
LEFT JOIN pattern_errors
  ON patterns.QUERY_PARAMETERIZED_HASH IS NOT DISTINCT FROM pattern_errors.QUERY_PARAMETERIZED_HASH
WHERE %(replace)s
{% endblock %}
{% block summary %}
  WITH means AS (
    SELECT
      {%- for metric, _ in times.METRICS %}
      SUM({{ metric }}_SUM) / NULLIF(SUM(CALLS), 0) AS {{ metric }}_MEAN{{ ',' if not loop.last }}
      {%- endfor %}
    FROM ENRICHMENT_SOURCE
  ),

  totals AS (
    SELECT
      -- NULL is a pattern of its own, beside ''
      COUNT(DISTINCT source.QUERY_PARAMETERIZED_HASH)
      + COALESCE(MAX(CASE WHEN source.QUERY_PARAMETERIZED_HASH IS NULL THEN 1 END), 0) AS QUERY_PATTERN_COUNT,
      COALESCE(SUM(source.CALLS), 0) AS QUERY_COUNT,
      SUM(source.THROTTLED_COUNT) AS THROTTLED_QUERY_COUNT,
      {{- times.values() }}
      CASE WHEN COUNT(*) = 1 THEN 'EXACT' WHEN COUNT(*) > 1 THEN 'MIXTURE' END AS PERCENTILE_METHOD,
      {{ times.all_known('SUM', 'QUEUED_OVERLOAD_SUM') }} AS QUEUED_OVERLOAD_SUM_MS,
      {{ times.all_known('MAX', 'QUEUED_OVERLOAD_MAX') }} AS QUEUED_OVERLOAD_MAX_MS,
      {{ times.all_known('SUM', 'QUEUED_PROVISIONING_SUM') }} AS QUEUED_PROVISIONING_SUM_MS,
      {{ times.all_known('MAX', 'QUEUED_PROVISIONING_MAX') }} AS QUEUED_PROVISIONING_MAX_MS
    FROM ENRICHMENT_SOURCE AS source
    CROSS JOIN means
  )

  SELECT
    %(run_id)s AS RUN_ID,
    totals.QUERY_PATTERN_COUNT,
    totals.QUERY_COUNT,
    (
      SELECT COALESCE(SUM(TRY_TO_NUMBER(errors.VALUE:"count"::VARCHAR, 18, 0)), 0)
      FROM ENRICHMENT_SOURCE AS failing, LATERAL FLATTEN(INPUT => failing.ERRORS) AS errors
      WHERE IS_OBJECT(errors.VALUE)
    ) AS ERRORS_COUNT,
    totals.THROTTLED_QUERY_COUNT,
    {{- times.chosen('totals', 'percentiles') }}
    totals.PERCENTILE_METHOD,
    CASE WHEN totals.QUERY_COUNT > 0 THEN totals.QUERY_COUNT < 1000 END AS P999_IS_MAX,
    totals.QUEUED_OVERLOAD_SUM_MS,
    totals.QUEUED_OVERLOAD_MAX_MS,
    totals.QUEUED_PROVISIONING_SUM_MS,
    totals.QUEUED_PROVISIONING_MAX_MS
  FROM totals
  CROSS JOIN ENRICHMENT_PERCENTILES AS percentiles
  WHERE percentiles.SCOPE = 0
{% endblock %}
