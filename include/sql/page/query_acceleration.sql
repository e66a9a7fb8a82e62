-- Purpose:    the credits of query acceleration on the warehouses of a run in the hours in which it ran.
-- Source:     QUERY_ACCELERATION_CREDITS.
-- Grain:      one row per warehouse and hour of usage, the oldest first, the sums repeated on each; one row without an hour
--             when there is none.
-- Binds:      run_id (of the run or of one of its children), page_size and page_offset (of the hours).
-- Write mode: reads only.
-- Limits:     warehouse level (CREDIT_SCOPE), the hours whole and not pro rata; missing is NULL, never 0.
WITH
{% include 'page/_run.sql' %},

hours AS (
  SELECT
    usage.RUN_ID,
    usage.WAREHOUSE_NAME,
    usage.START_TIME,
    usage.END_TIME,
    usage.CREDITS_USED,
    usage.CREDIT_SCOPE,
    ROW_NUMBER() OVER (ORDER BY usage.START_TIME NULLS LAST, usage.WAREHOUSE_NAME, usage.CREDIT_ID) AS PLACE
  FROM {{ enrichment }}.QUERY_ACCELERATION_CREDITS AS usage
  INNER JOIN run ON usage.RUN_ID = run.RUN_ID
),

totals AS (
  SELECT
    RUN_ID,
    COUNT(*) AS HOUR_COUNT,
    MIN(START_TIME) AS FIRST_HOUR_AT,
    MAX(END_TIME) AS LAST_HOUR_AT,
    MAX(CREDIT_SCOPE) AS CREDIT_SCOPE,
    SUM(CREDITS_USED) AS CREDITS_USED
  FROM hours
  GROUP BY RUN_ID
)

SELECT
{% include 'page/_state_columns.sql' %},
  totals.HOUR_COUNT,
  totals.FIRST_HOUR_AT,
  totals.LAST_HOUR_AT,
  totals.CREDIT_SCOPE,
  totals.CREDITS_USED,
  hours.PLACE AS HOUR_PLACE,
  hours.WAREHOUSE_NAME AS HOUR_WAREHOUSE,
  hours.START_TIME AS HOUR_STARTED_AT,
  hours.END_TIME AS HOUR_ENDED_AT,
  hours.CREDITS_USED AS HOUR_CREDITS_USED
{% include 'page/_state_joins.sql' %}
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'QUERY_ACCELERATION'
LEFT JOIN totals ON run.RUN_ID = totals.RUN_ID
LEFT JOIN hours
  ON run.RUN_ID = hours.RUN_ID
  AND hours.PLACE > %(page_offset)s
  AND hours.PLACE <= %(page_offset)s + %(page_size)s
ORDER BY hours.PLACE;
