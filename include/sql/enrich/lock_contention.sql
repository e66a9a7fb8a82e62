{% extends 'enrich/_lifecycle.sql' %}
{#- Purpose:    the lock waits of a run's statements, who blocked them and for how long.
    Source:     ACCOUNT_USAGE.LOCK_WAIT_HISTORY, latency up to 3 hours, joined by QUERY_ID to the run's QUERY_HISTORY rows.
    Grain:      one row of LOCK_CONTENTION_EVENTS per (QUERY_ID, REQUESTED_AT); further blockers in a VARIANT.
    Binds:      those of _lifecycle.sql; store_raw.
    Write mode: replaces the run's rows.
    Limits:     for hybrid tables only waits of about 5 s or more appear, object name and lock type say ROW, and a
                short blocker has no query id. ACQUIRED_AT is when the holder got the lock, so its distance to
                REQUESTED_AT is only a fallback for the waiting query's TRANSACTION_BLOCKED_TIME; WAIT_SOURCE says which, and is
                NULL where the wait is unknown. Of several rows of one wait the one acquired first holds, then the one
                with the smaller values. A blocker that is no OBJECT is left out; a transaction id that is no number
                and a query id that is no text are unknown. A lock type is cut at the column's length. -#}
{% set target = 'LOCK_CONTENTION_EVENTS' %}
{% set joined_view = 'LOCK_WAIT_HISTORY' %}
{% set joined_time = 'REQUESTED_AT' %}
{% set summary_columns = ['LOCK_WAIT_COUNT', 'LOCK_WAIT_TOTAL_MS', 'LOCK_WAIT_MAX_MS'] %}
{% block newest %}{% include 'enrich/_query_history_newest.sql' %}{% endblock %}
{% block read %}
WITH
{% include 'enrich/_run_queries.sql' %},

view_rows AS (
  SELECT
    source.QUERY_ID,
    CONVERT_TIMEZONE('UTC', source.REQUESTED_AT)::TIMESTAMP_NTZ AS REQUESTED_AT,
    CONVERT_TIMEZONE('UTC', source.ACQUIRED_AT)::TIMESTAMP_NTZ AS ACQUIRED_AT,
    source.TRANSACTION_ID,
    source.LOCK_TYPE,
    source.OBJECT_ID,
    source.OBJECT_NAME,
    source.SCHEMA_NAME,
    source.DATABASE_NAME,
    source.BLOCKER_QUERIES,
    NULLIF(run_queries.TRANSACTION_BLOCKED_TIME, 0) AS BLOCKED_MS
  FROM {{ account_usage }}.LOCK_WAIT_HISTORY AS source
  INNER JOIN run_queries ON source.QUERY_ID = run_queries.QUERY_ID
  WHERE
    source.REQUESTED_AT >= %(window_start)s::TIMESTAMP_LTZ
    AND source.REQUESTED_AT < %(window_end)s::TIMESTAMP_LTZ
    AND run_queries.IS_MEASURED
),

-- several blockers of one wait are elements of an array, or several rows (hybrid tables)
blockers AS (
  SELECT DISTINCT
    view_rows.QUERY_ID,
    view_rows.REQUESTED_AT,
    TRY_TO_NUMBER(blockers.VALUE:"transaction_id"::VARCHAR) AS TRANSACTION_ID,
    CASE
      WHEN TYPEOF(blockers.VALUE:"query_id") = 'VARCHAR' THEN NULLIF(LEFT(blockers.VALUE:"query_id"::VARCHAR, 500), '')
    END AS QUERY_ID_OF_BLOCKER,
    -- a cast of the VARIANT itself would fail for a text that is no boolean
    COALESCE(TRY_TO_BOOLEAN(blockers.VALUE:"is_snowflake"::VARCHAR), FALSE) AS IS_SNOWFLAKE
  FROM view_rows, LATERAL FLATTEN(INPUT => view_rows.BLOCKER_QUERIES) AS blockers
  WHERE IS_OBJECT(blockers.VALUE)
),

ranked_blockers AS (
  SELECT
    QUERY_ID,
    REQUESTED_AT,
    TRANSACTION_ID,
    QUERY_ID_OF_BLOCKER,
    IS_SNOWFLAKE,
    ROW_NUMBER() OVER (
      PARTITION BY QUERY_ID, REQUESTED_AT
      ORDER BY TRANSACTION_ID NULLS LAST, QUERY_ID_OF_BLOCKER NULLS LAST, IS_SNOWFLAKE
    ) AS PLACE
  FROM blockers
),

blockers_by_wait AS (
  SELECT
    QUERY_ID,
    REQUESTED_AT,
    MAX(CASE WHEN PLACE = 1 THEN TRANSACTION_ID END) AS BLOCKING_TRANSACTION_ID,
    MAX(CASE WHEN PLACE = 1 THEN QUERY_ID_OF_BLOCKER END) AS BLOCKING_QUERY_ID,
    -- ARRAY_AGG leaves NULL out
    ARRAY_AGG(
      CASE
        WHEN PLACE > 1
          THEN OBJECT_CONSTRUCT(
            'transaction_id', TRANSACTION_ID, 'query_id', QUERY_ID_OF_BLOCKER, 'is_snowflake', IS_SNOWFLAKE
          )
      END
    ) WITHIN GROUP (ORDER BY PLACE) AS FURTHER_BLOCKERS
  FROM ranked_blockers
  GROUP BY QUERY_ID, REQUESTED_AT
),

waits AS (
  SELECT
    QUERY_ID,
    REQUESTED_AT,
    ACQUIRED_AT,
    TRANSACTION_ID,
    LOCK_TYPE,
    OBJECT_ID,
    OBJECT_NAME,
    SCHEMA_NAME,
    DATABASE_NAME,
    BLOCKED_MS,
    DATEDIFF('millisecond', REQUESTED_AT, ACQUIRED_AT) AS ACQUIRED_AFTER_MS
  FROM view_rows
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY QUERY_ID, REQUESTED_AT
    ORDER BY
      ACQUIRED_AT NULLS LAST,
      TRANSACTION_ID NULLS LAST,
      OBJECT_ID NULLS LAST,
      LOCK_TYPE NULLS LAST,
      OBJECT_NAME NULLS LAST,
      SCHEMA_NAME NULLS LAST,
      DATABASE_NAME NULLS LAST
  ) = 1
)

SELECT
  waits.QUERY_ID,
  waits.REQUESTED_AT,
  waits.ACQUIRED_AT,
  waits.TRANSACTION_ID,
  LEFT(UPPER(waits.LOCK_TYPE), 20) AS LOCK_TYPE,
  waits.OBJECT_ID,
  waits.OBJECT_NAME,
  waits.SCHEMA_NAME,
  waits.DATABASE_NAME,
  CASE
    WHEN waits.BLOCKED_MS IS NOT NULL THEN waits.BLOCKED_MS
    WHEN waits.ACQUIRED_AFTER_MS >= 0 THEN waits.ACQUIRED_AFTER_MS
  END AS WAIT_DURATION_MS,
  CASE
    WHEN waits.BLOCKED_MS IS NOT NULL THEN 'TRANSACTION_BLOCKED_TIME'
    WHEN waits.ACQUIRED_AFTER_MS >= 0 THEN 'ACQUIRED_AT'
  END AS WAIT_SOURCE,
  blockers_by_wait.BLOCKING_TRANSACTION_ID,
  blockers_by_wait.BLOCKING_QUERY_ID,
  COALESCE(blockers_by_wait.FURTHER_BLOCKERS, ARRAY_CONSTRUCT()) AS FURTHER_BLOCKERS
FROM waits
LEFT JOIN blockers_by_wait
  ON waits.QUERY_ID = blockers_by_wait.QUERY_ID
  AND waits.REQUESTED_AT = blockers_by_wait.REQUESTED_AT
{% endblock %}
{% block reading %}
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_ROWS,
  (SELECT COUNT(*) FROM {{ enrichment }}.LOCK_CONTENTION_EVENTS WHERE RUN_ID = %(run_id)s) AS STORED_ROWS,
  NULL AS FOUND_CALLS,
  NULL AS STORED_CALLS,
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_COUNT,
  NULL AS EXPECTED_COUNT
{% endblock %}
{% block write %}
INSERT INTO {{ enrichment }}.LOCK_CONTENTION_EVENTS (
  EVENT_ID, TEST_ID, RUN_ID, LOCK_TRANSACTION_ID, BLOCKING_TRANSACTION_ID, REQUESTED_AT, LOCK_ACQUIRED_AT,
  WAIT_DURATION_MS, WAIT_SOURCE, LOCK_TYPE, OBJECT_ID, OBJECT_NAME, SCHEMA_NAME, DATABASE_NAME, QUERY_ID,
  BLOCKING_QUERY_ID, FURTHER_BLOCKERS, RAW_EVENT, CREATED_AT
)
SELECT
  MD5(%(run_id)s || '/' || QUERY_ID || '/' || TO_CHAR(REQUESTED_AT, 'YYYY-MM-DD HH24:MI:SS.FF9')) AS EVENT_ID,
  %(run_id)s AS TEST_ID,
  %(run_id)s AS RUN_ID,
  TRANSACTION_ID AS LOCK_TRANSACTION_ID,
  BLOCKING_TRANSACTION_ID,
  REQUESTED_AT,
  ACQUIRED_AT AS LOCK_ACQUIRED_AT,
  WAIT_DURATION_MS,
  WAIT_SOURCE,
  LOCK_TYPE,
  OBJECT_ID,
  OBJECT_NAME,
  SCHEMA_NAME,
  DATABASE_NAME,
  QUERY_ID,
  BLOCKING_QUERY_ID,
  FURTHER_BLOCKERS,
  CASE WHEN %(store_raw)s THEN OBJECT_CONSTRUCT('query_id', QUERY_ID, 'lock_type', LOCK_TYPE, 'object_id', OBJECT_ID) END
    AS RAW_EVENT,
  SYSDATE() AS CREATED_AT
FROM ENRICHMENT_SOURCE
WHERE %(replace)s
{% endblock %}
{% block summary %}
  SELECT
    %(run_id)s AS RUN_ID,
    COALESCE(SUM(WAIT_COUNT), 0) AS LOCK_WAIT_COUNT,
    CASE WHEN COUNT(*) = 0 THEN 0 ELSE SUM(WAIT_MS) END AS LOCK_WAIT_TOTAL_MS,
    MAX(MAX_WAIT_MS) AS LOCK_WAIT_MAX_MS
  FROM (
    SELECT
      QUERY_ID,
      COUNT(*) AS WAIT_COUNT,
      -- the blocked time is a total of the query, repeated on each of its waits: count it once
      COALESCE(
        MAX(CASE WHEN WAIT_SOURCE = 'TRANSACTION_BLOCKED_TIME' THEN WAIT_DURATION_MS END), SUM(WAIT_DURATION_MS)
      ) AS WAIT_MS,
      MAX(WAIT_DURATION_MS) AS MAX_WAIT_MS
    FROM ENRICHMENT_SOURCE
    GROUP BY QUERY_ID
  ) AS waiting_queries
{% endblock %}
