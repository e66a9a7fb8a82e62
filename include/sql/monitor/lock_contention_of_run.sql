-- Purpose:    how long the statements of one run waited for locks.
-- Group:      verify
-- Grain:      one row.
-- Binds:      run_id (of the run or of one of its children).
-- Write mode: reads only.
-- Limits:     0 waits is a finding, NULL is none: NULL until LOCK_CONTENTION is written, or when it does not apply
--             (STATUS and REASON_CODE say which). Snowflake shows hybrid waits of about 5 s or more only.
-- Corrects:   the plan's view had no row for a run without waits, nor for one that is pending: the two looked alike.
--             It added up every wait although the blocked time is that of the whole query, and it counted the tables
--             by OBJECT_NAME, which says ROW for hybrid tables.
WITH
{% include 'monitor/_run_and_its_tasks.sql' %}

SELECT
  run.RUN_ID,
  tasks.STATUS,
  tasks.REASON_CODE,
  tasks.DUE_AT,
  tasks.DATA_COMPLETE,
  summary.LOCK_WAIT_COUNT,
  summary.LOCK_WAIT_TOTAL_MS,
  summary.LOCK_WAIT_MAX_MS,
  waits.WAITING_QUERIES,
  waits.AVG_WAIT_MS,
  waits.UNIQUE_BLOCKERS,
  waits.FIRST_LOCK_WAIT,
  waits.LAST_LOCK_WAIT
FROM run
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'LOCK_CONTENTION'
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary ON run.RUN_ID = summary.RUN_ID
LEFT JOIN {{ enrichment }}.V_LOCK_CONTENTION_SUMMARY AS waits ON run.RUN_ID = waits.RUN_ID;
