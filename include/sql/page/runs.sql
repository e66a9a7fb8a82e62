-- Purpose:    one page of the list of runs, with the tasks of each, and how many runs there are in all.
-- Source:     FlakeBench's TEST_RESULTS and our tables; no view of ACCOUNT_USAGE.
-- Grain:      one row per run of the page and enrichment type, the newest run first; a run without tasks has one row
--             without a type; a page without runs has one row without a run, for the total.
-- Binds:      states, table_types (lists, with has_states, has_table_types), run_ids (with has_run_ids), ended_from,
--             ended_before, search (text within the name, or an id), page_size, page_offset, unenriched_table_types.
-- Write mode: reads only.
-- Limits:     runs that have not ended come first. SERVER_TIME is the clock of ages and of what is due.
WITH
{% include 'page/_run_states.sql' %},

chosen AS (
  SELECT *
  FROM runs
  WHERE
    (NOT %(has_states)s OR STATE IN (%(states)s))
    AND (NOT %(has_table_types)s OR TABLE_TYPE IN (%(table_types)s))
    AND (NOT %(has_run_ids)s OR RUN_ID IN (%(run_ids)s))
    AND (%(ended_from)s IS NULL OR ENDED_AT >= %(ended_from)s::TIMESTAMP_NTZ)
    AND (%(ended_before)s IS NULL OR ENDED_AT < %(ended_before)s::TIMESTAMP_NTZ)
    AND (%(search)s IS NULL OR CONTAINS(LOWER(TEST_NAME), LOWER(%(search)s)) OR RUN_ID = %(search)s)
),

total AS (
  SELECT COUNT(*) AS TOTAL FROM chosen
),

paged AS (
  SELECT *
  FROM chosen
  QUALIFY
    ROW_NUMBER() OVER (ORDER BY ENDED_AT DESC NULLS FIRST, RUN_ID)
    BETWEEN %(page_offset)s + 1 AND %(page_offset)s + %(page_size)s
)

SELECT
  total.TOTAL,
  SYSDATE() AS SERVER_TIME,
  paged.RUN_ID,
  paged.TEST_NAME,
  paged.TABLE_TYPE,
  paged.RUN_STATUS,
  paged.IMMEDIATE_STATUS,
  paged.STARTED_AT,
  paged.ENDED_AT,
  paged.STATE,
  paged.JOB_ERROR,
  tasks.ENRICHMENT_TYPE,
  tasks.STATUS,
  tasks.DUE_AT,
  tasks.ATTEMPTS,
  tasks.COMPLETED_AT,
  tasks.RECHECK_AT,
  tasks.ROWS_WRITTEN,
  tasks.EXPECTED_COUNT,
  tasks.FOUND_COUNT,
  tasks.COVERAGE,
  tasks.DATA_COMPLETE,
  tasks.DATA_AVAILABLE_UNTIL,
  tasks.REASON_CODE,
  tasks.LAST_ERROR
FROM total
LEFT JOIN paged ON 1 = 1
LEFT JOIN tasks ON paged.RUN_ID = tasks.RUN_ID
ORDER BY paged.ENDED_AT DESC NULLS FIRST, paged.RUN_ID, tasks.DUE_AT, tasks.ENRICHMENT_TYPE;
