-- Purpose:    which statements of a run waited for a lock, how long, and for whom.
-- Source:     LOCK_CONTENTION_EVENTS and RUN_ENRICHMENT_SUMMARY.
-- Grain:      one row per lock wait, by the time at which the lock was requested, the values of the run repeated on each;
--             one row without a wait when there is none.
-- Binds:      run_id (of the run or of one of its children), page_size and page_offset (of the waits).
-- Write mode: reads only.
-- Limits:     Snowflake records waits for hybrid rows of about 5 s or more only. A wait of NULL is unknown; the waits of one
--             query repeat its blocked time (WAIT_SOURCE), so that their sum is not LOCK_WAIT_TOTAL_MS.
WITH
{% include 'page/_run.sql' %},

events AS (
  SELECT
    waits.RUN_ID,
    waits.QUERY_ID,
    waits.REQUESTED_AT,
    waits.LOCK_ACQUIRED_AT,
    waits.WAIT_DURATION_MS,
    waits.WAIT_SOURCE,
    waits.LOCK_TYPE,
    waits.OBJECT_NAME,
    waits.LOCK_TRANSACTION_ID,
    waits.BLOCKING_QUERY_ID,
    waits.BLOCKING_TRANSACTION_ID,
    waits.FURTHER_BLOCKERS,
    ROW_NUMBER() OVER (ORDER BY waits.REQUESTED_AT NULLS LAST, waits.EVENT_ID) AS PLACE
  FROM {{ enrichment }}.LOCK_CONTENTION_EVENTS AS waits
  INNER JOIN run ON waits.RUN_ID = run.RUN_ID
),

unknowns AS (
  SELECT
    RUN_ID,
    COUNT(*) AS EVENT_COUNT,
    COUNT_IF(BLOCKING_QUERY_ID IS NULL AND BLOCKING_TRANSACTION_ID IS NULL) AS UNKNOWN_BLOCKER_COUNT,
    COUNT_IF(WAIT_DURATION_MS IS NULL) AS UNKNOWN_WAIT_COUNT
  FROM events
  GROUP BY RUN_ID
)

SELECT
{% include 'page/_state_columns.sql' %},
  summary.LOCK_WAIT_COUNT,
  summary.LOCK_WAIT_TOTAL_MS,
  summary.LOCK_WAIT_MAX_MS,
  waits.WAITING_QUERIES,
  waits.AVG_WAIT_MS,
  waits.UNIQUE_BLOCKERS,
  waits.FIRST_LOCK_WAIT,
  waits.LAST_LOCK_WAIT,
  unknowns.EVENT_COUNT,
  unknowns.UNKNOWN_BLOCKER_COUNT,
  unknowns.UNKNOWN_WAIT_COUNT,
  events.PLACE AS EVENT_PLACE,
  events.QUERY_ID,
  events.REQUESTED_AT,
  events.LOCK_ACQUIRED_AT,
  events.WAIT_DURATION_MS,
  events.WAIT_SOURCE,
  events.LOCK_TYPE,
  events.OBJECT_NAME,
  events.LOCK_TRANSACTION_ID,
  events.BLOCKING_QUERY_ID,
  events.BLOCKING_TRANSACTION_ID,
  events.FURTHER_BLOCKERS
{% include 'page/_state_joins.sql' %}
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'LOCK_CONTENTION'
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary ON run.RUN_ID = summary.RUN_ID
LEFT JOIN {{ enrichment }}.V_LOCK_CONTENTION_SUMMARY AS waits ON run.RUN_ID = waits.RUN_ID
LEFT JOIN unknowns ON run.RUN_ID = unknowns.RUN_ID
LEFT JOIN events
  ON run.RUN_ID = events.RUN_ID
  AND events.PLACE > %(page_offset)s
  AND events.PLACE <= %(page_offset)s + %(page_size)s
ORDER BY events.PLACE;
