-- Purpose:    the hybrid table credits of the account in the hours in which one run ran.
-- Group:      verify
-- Grain:      one row.
-- Binds:      run_id (of the run or of one of its children).
-- Write mode: reads only.
-- Limits:     CREDIT_SCOPE = 'ACCOUNT': the hours are whole and include whatever else ran in them. The view names no
--             table and counts no requests, so that REQUESTS_COUNT and the quotient are NULL. Snowflake stopped billing
--             on 2026-03-01; runs since then are NOT_APPLICABLE.
-- Corrects:   the plan read a table name and a request count that the view does not have, and divided by the latter.
WITH
{% include 'monitor/_run_and_its_tasks.sql' %},

credits AS (
  SELECT
    usage.RUN_ID,
    COUNT(*) AS USAGE_ROWS,
    MAX(usage.CREDIT_SCOPE) AS CREDIT_SCOPE,
    MIN(usage.START_TIME) AS START_TIME,
    MAX(usage.END_TIME) AS END_TIME,
    SUM(usage.CREDITS_USED) AS CREDITS_USED,
    SUM(usage.REQUESTS_COUNT) AS REQUESTS_COUNT
  FROM {{ enrichment }}.HYBRID_TABLE_CREDITS AS usage
  INNER JOIN run ON usage.RUN_ID = run.RUN_ID
  GROUP BY usage.RUN_ID
)

SELECT
  run.RUN_ID,
  tasks.STATUS,
  tasks.REASON_CODE,
  tasks.DUE_AT,
  credits.CREDIT_SCOPE,
  credits.USAGE_ROWS,
  credits.START_TIME,
  credits.END_TIME,
  credits.CREDITS_USED,
  credits.REQUESTS_COUNT,
  credits.CREDITS_USED / NULLIF(credits.REQUESTS_COUNT, 0) * 1000000 AS CREDITS_PER_MILLION_REQUESTS
FROM run
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'HYBRID_CREDITS'
LEFT JOIN credits ON run.RUN_ID = credits.RUN_ID;
