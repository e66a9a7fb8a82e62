-- Purpose:    holds what is stored against the views, both ways: what a view has and we do not, and what we have and it
--             does not.
-- Group:      verify
-- Grain:      one row per run and enrichment type that is COMPLETED, of the runs that lie within the given time. DIFFERENCES
--             is 0 when all is well.
-- Binds:      window_start, window_end (UTC; whole runs, from their first minute to 5 minutes after their end), usage_start (a day before
--             window_start: a usage row may begin earlier).
-- Write mode: reads only.
-- Limits:     the views are read whole for that time: take hours, not months. Of AGGREGATE the calls of each pattern are
--             compared, of the others the rows. A view that has forgotten a run (SOURCE_SHRUNK, retention) shows as
--             ONLY_STORED; rows that arrived after the last look, and wait for the second, as ONLY_IN_SOURCE. A tag that
--             names neither its run nor a test counts when one run carries it.
{%- set plain_columns = '''
  CALLS INTERVAL_START_TIME INTERVAL_END_TIME QUERY_PARAMETERIZED_HASH QUERY_TEXT DATABASE_ID DATABASE_NAME SCHEMA_ID
  SCHEMA_NAME QUERY_TYPE SESSION_ID USER_NAME ROLE_NAME ROLE_TYPE WAREHOUSE_ID WAREHOUSE_NAME WAREHOUSE_SIZE
  WAREHOUSE_TYPE QUERY_TAG IS_CLIENT_GENERATED_STATEMENT RELEASE_VERSION OUTBOUND_DATA_TRANSFER_CLOUD
  OUTBOUND_DATA_TRANSFER_REGION INBOUND_DATA_TRANSFER_CLOUD INBOUND_DATA_TRANSFER_REGION
  HYBRID_TABLE_REQUESTS_THROTTLED_COUNT
'''.split() %}
{%- set object_columns = '''
  ERRORS TOTAL_ELAPSED_TIME BYTES_SCANNED PERCENTAGE_SCANNED_FROM_CACHE BYTES_WRITTEN BYTES_WRITTEN_TO_RESULT
  BYTES_READ_FROM_RESULT ROWS_PRODUCED ROWS_INSERTED ROWS_UPDATED ROWS_DELETED ROWS_UNLOADED BYTES_DELETED
  PARTITIONS_SCANNED PARTITIONS_TOTAL BYTES_SPILLED_TO_LOCAL_STORAGE BYTES_SPILLED_TO_REMOTE_STORAGE
  BYTES_SENT_OVER_THE_NETWORK COMPILATION_TIME EXECUTION_TIME QUEUED_PROVISIONING_TIME QUEUED_REPAIR_TIME
  QUEUED_OVERLOAD_TIME TRANSACTION_BLOCKED_TIME OUTBOUND_DATA_TRANSFER_BYTES INBOUND_DATA_TRANSFER_BYTES
  LIST_EXTERNAL_FILES_TIME CREDITS_USED_CLOUD_SERVICES EXTERNAL_FUNCTION_TOTAL_INVOCATIONS
  EXTERNAL_FUNCTION_TOTAL_SENT_ROWS EXTERNAL_FUNCTION_TOTAL_RECEIVED_ROWS EXTERNAL_FUNCTION_TOTAL_SENT_BYTES
  EXTERNAL_FUNCTION_TOTAL_RECEIVED_BYTES QUERY_LOAD_PERCENT QUERY_ACCELERATION_BYTES_SCANNED
  QUERY_ACCELERATION_PARTITIONS_SCANNED QUERY_ACCELERATION_UPPER_LIMIT_SCALE_FACTOR CHILD_QUERIES_WAIT_TIME
'''.split() %}
WITH windows AS (
  SELECT
    RUN_ID,
    DATE_TRUNC(
      'minute',
      COALESCE(MIN(CASE WHEN TEST_ID <> RUN_ID THEN START_TIME END), MIN(CASE WHEN TEST_ID = RUN_ID THEN START_TIME END))
    ) AS STARTED_AT,
    DATEADD(
      'minute',
      5,
      COALESCE(MAX(CASE WHEN TEST_ID <> RUN_ID THEN END_TIME END), MAX(CASE WHEN TEST_ID = RUN_ID THEN END_TIME END))
    ) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS
  GROUP BY RUN_ID
),

settled AS (
  SELECT
    tasks.RUN_ID,
    tasks.ENRICHMENT_TYPE,
    tasks.REASON_CODE,
    windows.STARTED_AT,
    windows.ENDED_AT
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
  INNER JOIN windows ON tasks.RUN_ID = windows.RUN_ID
  WHERE
    tasks.STATUS = 'COMPLETED'
    AND windows.STARTED_AT >= %(window_start)s::TIMESTAMP_NTZ
    AND windows.ENDED_AT <= %(window_end)s::TIMESTAMP_NTZ
  QUALIFY ROW_NUMBER() OVER (PARTITION BY tasks.RUN_ID, tasks.ENRICHMENT_TYPE ORDER BY tasks.CREATED_AT DESC, tasks.JOB_ID) = 1
),

base_tags AS (
  SELECT
    RUN_ID,
    TEST_ID,
    CASE
      WHEN CONTAINS(QUERY_TAG, ':phase=') THEN LEFT(QUERY_TAG, POSITION(':phase=' IN QUERY_TAG) - 1)
      ELSE QUERY_TAG
    END AS TAG
  FROM {{ results }}.TEST_RESULTS
),

counted_tags AS (
  SELECT
    TAG,
    COUNT(DISTINCT RUN_ID) AS RUN_COUNT
  FROM base_tags
  GROUP BY TAG
),

tags AS (
  SELECT DISTINCT
    base_tags.RUN_ID,
    base_tags.TAG,
    settled_runs.STARTED_AT,
    settled_runs.ENDED_AT
  FROM base_tags
  INNER JOIN counted_tags ON base_tags.TAG = counted_tags.TAG
  INNER JOIN (
    SELECT DISTINCT
      RUN_ID,
      STARTED_AT,
      ENDED_AT
    FROM settled
  ) AS settled_runs ON base_tags.RUN_ID = settled_runs.RUN_ID
  WHERE
    TRIM(base_tags.TAG) <> ''
    AND (
      CONTAINS(base_tags.TAG, base_tags.TEST_ID)
      OR CONTAINS(base_tags.TAG, base_tags.RUN_ID)
      OR counted_tags.RUN_COUNT = 1
    )
),

run_queries AS (
  SELECT DISTINCT
    tags.RUN_ID,
    source.QUERY_ID
  FROM {{ account_usage }}.QUERY_HISTORY AS source
  INNER JOIN tags ON STARTSWITH(source.QUERY_TAG || ':', tags.TAG || ':')
  WHERE
    source.START_TIME >= %(window_start)s::TIMESTAMP_LTZ
    AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
    AND source.QUERY_ID IS NOT NULL
    AND CONVERT_TIMEZONE('UTC', source.START_TIME)::TIMESTAMP_NTZ >= tags.STARTED_AT
    AND CONVERT_TIMEZONE('UTC', source.START_TIME)::TIMESTAMP_NTZ < tags.ENDED_AT
    AND {% include 'enrich/_is_measured.sql' %}
),

-- equal rows count once; a run may match one by two of its tags
aggregate_rows AS (
  SELECT DISTINCT
    tags.RUN_ID,
    {%- for name in object_columns %}
    TO_JSON(source.{{ name }}) AS {{ name }},
    {%- endfor %}
    {%- for name in plain_columns %}
    source.{{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM {{ account_usage }}.AGGREGATE_QUERY_HISTORY AS source
  INNER JOIN tags ON STARTSWITH(source.QUERY_TAG || ':', tags.TAG || ':')
  WHERE
    source.INTERVAL_START_TIME >= %(window_start)s::TIMESTAMP_LTZ
    AND source.INTERVAL_START_TIME < %(window_end)s::TIMESTAMP_LTZ
    AND CONVERT_TIMEZONE('UTC', source.INTERVAL_START_TIME)::TIMESTAMP_NTZ >= tags.STARTED_AT
    AND CONVERT_TIMEZONE('UTC', source.INTERVAL_START_TIME)::TIMESTAMP_NTZ < tags.ENDED_AT
    AND source.CALLS > 0
    AND {% include 'enrich/_is_measured.sql' %}
),

-- AMOUNT: calls of a pattern; 1 for a row
amounts AS (
  SELECT
    RUN_ID,
    'QUERY_HISTORY' AS ENRICHMENT_TYPE,
    QUERY_ID AS ROW_KEY,
    NULL::TIMESTAMP_NTZ AS ROW_AT,
    1 AS SOURCE_AMOUNT,
    0 AS STORED_AMOUNT
  FROM run_queries
  UNION ALL
  SELECT
    RUN_ID,
    'QUERY_HISTORY' AS ENRICHMENT_TYPE,
    QUERY_ID AS ROW_KEY,
    NULL::TIMESTAMP_NTZ AS ROW_AT,
    0 AS SOURCE_AMOUNT,
    1 AS STORED_AMOUNT
  FROM {{ enrichment }}.QUERY_EXECUTION_METRICS
  UNION ALL
  SELECT
    RUN_ID,
    'AGGREGATE' AS ENRICHMENT_TYPE,
    COALESCE('/' || QUERY_PARAMETERIZED_HASH, '') AS ROW_KEY,
    NULL::TIMESTAMP_NTZ AS ROW_AT,
    CALLS AS SOURCE_AMOUNT,
    0 AS STORED_AMOUNT
  FROM aggregate_rows
  UNION ALL
  SELECT
    RUN_ID,
    'AGGREGATE' AS ENRICHMENT_TYPE,
    COALESCE('/' || QUERY_PARAMETERIZED_HASH, '') AS ROW_KEY,
    NULL::TIMESTAMP_NTZ AS ROW_AT,
    0 AS SOURCE_AMOUNT,
    QUERY_COUNT AS STORED_AMOUNT
  FROM {{ enrichment }}.AGGREGATE_QUERY_METRICS
  UNION ALL
  SELECT DISTINCT
    run_queries.RUN_ID,
    'LOCK_CONTENTION' AS ENRICHMENT_TYPE,
    source.QUERY_ID AS ROW_KEY,
    CONVERT_TIMEZONE('UTC', source.REQUESTED_AT)::TIMESTAMP_NTZ AS ROW_AT,
    1 AS SOURCE_AMOUNT,
    0 AS STORED_AMOUNT
  FROM {{ account_usage }}.LOCK_WAIT_HISTORY AS source
  INNER JOIN run_queries ON source.QUERY_ID = run_queries.QUERY_ID
  INNER JOIN windows ON run_queries.RUN_ID = windows.RUN_ID
  WHERE
    source.REQUESTED_AT >= %(window_start)s::TIMESTAMP_LTZ
    AND source.REQUESTED_AT < %(window_end)s::TIMESTAMP_LTZ
    AND CONVERT_TIMEZONE('UTC', source.REQUESTED_AT)::TIMESTAMP_NTZ >= windows.STARTED_AT
    AND CONVERT_TIMEZONE('UTC', source.REQUESTED_AT)::TIMESTAMP_NTZ < windows.ENDED_AT
  UNION ALL
  SELECT
    RUN_ID,
    'LOCK_CONTENTION' AS ENRICHMENT_TYPE,
    QUERY_ID AS ROW_KEY,
    REQUESTED_AT AS ROW_AT,
    0 AS SOURCE_AMOUNT,
    1 AS STORED_AMOUNT
  FROM {{ enrichment }}.LOCK_CONTENTION_EVENTS
  UNION ALL
  SELECT DISTINCT
    run_queries.RUN_ID,
    'QUERY_INSIGHTS' AS ENRICHMENT_TYPE,
    source.QUERY_ID || '/' || COALESCE(source.INSIGHT_INSTANCE_ID::VARCHAR, '/' || source.INSIGHT_TYPE_ID, '') AS ROW_KEY,
    NULL::TIMESTAMP_NTZ AS ROW_AT,
    1 AS SOURCE_AMOUNT,
    0 AS STORED_AMOUNT
  FROM {{ account_usage }}.QUERY_INSIGHTS AS source
  INNER JOIN run_queries ON source.QUERY_ID = run_queries.QUERY_ID
  WHERE
    source.START_TIME >= %(window_start)s::TIMESTAMP_LTZ
    AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
  UNION ALL
  -- the cleanup deletes insights that have expired
  SELECT
    RUN_ID,
    'QUERY_INSIGHTS' AS ENRICHMENT_TYPE,
    QUERY_ID || '/' || COALESCE(INSIGHT_INSTANCE_ID::VARCHAR, '/' || INSIGHT_TYPE, '') AS ROW_KEY,
    NULL::TIMESTAMP_NTZ AS ROW_AT,
    0 AS SOURCE_AMOUNT,
    1 AS STORED_AMOUNT
  FROM {{ enrichment }}.QUERY_INSIGHTS_CACHE
  UNION ALL
  SELECT DISTINCT
    settled.RUN_ID,
    'HYBRID_CREDITS' AS ENRICHMENT_TYPE,
    '' AS ROW_KEY,
    CONVERT_TIMEZONE('UTC', source.START_TIME)::TIMESTAMP_NTZ AS ROW_AT,
    1 AS SOURCE_AMOUNT,
    0 AS STORED_AMOUNT
  FROM {{ account_usage }}.HYBRID_TABLE_USAGE_HISTORY AS source
  INNER JOIN settled
    ON settled.ENRICHMENT_TYPE = 'HYBRID_CREDITS'
    AND CONVERT_TIMEZONE('UTC', source.START_TIME)::TIMESTAMP_NTZ < settled.ENDED_AT
    AND CONVERT_TIMEZONE('UTC', COALESCE(source.END_TIME, source.START_TIME))::TIMESTAMP_NTZ > settled.STARTED_AT
  WHERE
    source.START_TIME >= %(usage_start)s::TIMESTAMP_LTZ
    AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
  UNION ALL
  SELECT DISTINCT
    RUN_ID,
    'HYBRID_CREDITS' AS ENRICHMENT_TYPE,
    '' AS ROW_KEY,
    START_TIME AS ROW_AT,
    0 AS SOURCE_AMOUNT,
    1 AS STORED_AMOUNT
  FROM {{ enrichment }}.HYBRID_TABLE_CREDITS
),

compared AS (
  SELECT
    RUN_ID,
    ENRICHMENT_TYPE,
    ROW_KEY,
    ROW_AT,
    SUM(SOURCE_AMOUNT) AS SOURCE_AMOUNT,
    SUM(STORED_AMOUNT) AS STORED_AMOUNT
  FROM amounts
  GROUP BY RUN_ID, ENRICHMENT_TYPE, ROW_KEY, ROW_AT
)

SELECT
  settled.RUN_ID,
  settled.ENRICHMENT_TYPE,
  settled.REASON_CODE,
  COUNT_IF(compared.SOURCE_AMOUNT > 0) AS SOURCE_ROWS,
  COUNT_IF(compared.STORED_AMOUNT > 0) AS STORED_ROWS,
  COALESCE(SUM(compared.SOURCE_AMOUNT), 0) AS SOURCE_AMOUNT,
  COALESCE(SUM(compared.STORED_AMOUNT), 0) AS STORED_AMOUNT,
  COUNT_IF(compared.STORED_AMOUNT = 0) AS ONLY_IN_SOURCE,
  COUNT_IF(compared.SOURCE_AMOUNT = 0) AS ONLY_STORED,
  COUNT_IF(compared.SOURCE_AMOUNT <> compared.STORED_AMOUNT) AS DIFFERENCES
FROM settled
LEFT JOIN compared ON settled.RUN_ID = compared.RUN_ID AND settled.ENRICHMENT_TYPE = compared.ENRICHMENT_TYPE
GROUP BY settled.RUN_ID, settled.ENRICHMENT_TYPE, settled.REASON_CODE
ORDER BY DIFFERENCES DESC, settled.RUN_ID, settled.ENRICHMENT_TYPE;
