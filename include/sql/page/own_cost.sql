-- Purpose:    what the package itself cost in the last 24 hours: its statements, its sessions, and the time for which they
--             executed on a warehouse.
-- Source:     ACCOUNT_USAGE.QUERY_HISTORY (up to 45 minutes late), by our own QUERY_TAG.
-- Grain:      one row.
-- Binds:      query_tag, window_start, window_end (UTC).
-- Write mode: reads only.
-- Limits:     a warehouse is billed from its resume to its suspension, at least 60 seconds each time: WAREHOUSE_SECONDS is
--             the part in which our statements executed, summed, also where they ran side by side. Answers from the result
--             cache need none.
SELECT
  COUNT(*) AS STATEMENTS,
  COUNT(DISTINCT SESSION_ID) AS SESSIONS,
  COUNT_IF(WAREHOUSE_SIZE IS NOT NULL) AS WAREHOUSE_STATEMENTS,
  COALESCE(SUM(CASE WHEN WAREHOUSE_SIZE IS NOT NULL THEN EXECUTION_TIME END), 0) / 1000 AS WAREHOUSE_SECONDS,
  COUNT_IF(EXECUTION_STATUS <> 'SUCCESS') AS FAILED_STATEMENTS,
  MAX(START_TIME) AS NEWEST_START_TIME
FROM {{ account_usage }}.QUERY_HISTORY
WHERE
  START_TIME >= %(window_start)s::TIMESTAMP_LTZ
  AND START_TIME < %(window_end)s::TIMESTAMP_LTZ
  AND QUERY_TAG = %(query_tag)s;
