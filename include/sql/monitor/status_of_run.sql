-- Purpose:    what is complete, what is coming and when, for one run; the smoke test of a deployment.
-- Group:      verify
-- Grain:      one row per enrichment type of the run, the next due first; one row without a type when it has no task.
-- Binds:      run_id (of the run or of one of its children).
-- Write mode: reads only.
-- Limits:     a value that is PROVISIONAL is what the view had at the last look; EXPECTED_COUNT less FOUND_COUNT is
--             missing. JOB_STATUS is NULL once the job's row is cleaned up; the tasks live as long as the run.
-- Corrects:   the plan's smoke test looked for a queue entry only, which says nothing about the enrichment types.
WITH
{% include 'monitor/_run_and_its_tasks.sql' %},

jobs AS (
  SELECT
    queued.RUN_ID,
    queued.JOB_ID,
    COALESCE(rolled_up.STATUS, queued.STATUS) AS STATUS,
    queued.LAST_ERROR
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued
  INNER JOIN run ON queued.RUN_ID = run.RUN_ID
  LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON queued.JOB_ID = rolled_up.JOB_ID
  QUALIFY
    ROW_NUMBER() OVER (
      ORDER BY STARTSWITH(COALESCE(queued.LAST_ERROR, ''), 'DUPLICATE_JOB'), queued.CREATED_AT DESC, queued.JOB_ID
    ) = 1
)

SELECT
  run.RUN_ID,
  parents.TEST_NAME,
  parents.STATUS AS RUN_STATUS,
  jobs.STATUS AS JOB_STATUS,
  tasks.ENRICHMENT_TYPE,
  tasks.STATUS,
  CASE tasks.STATUS WHEN 'PENDING' THEN tasks.DUE_AT WHEN 'COMPLETED' THEN tasks.RECHECK_AT END AS NEXT_LOOK_AT,
  CASE
    WHEN tasks.STATUS = 'PENDING' AND tasks.ROWS_WRITTEN > 0 THEN 'PROVISIONAL'
    WHEN tasks.STATUS = 'COMPLETED' AND tasks.RECHECK_AT IS NOT NULL THEN 'SECOND LOOK TO COME'
  END AS REMARK,
  tasks.COMPLETED_AT,
  tasks.ATTEMPTS,
  tasks.SNOOZES,
  tasks.ROWS_WRITTEN,
  tasks.EXPECTED_COUNT,
  tasks.FOUND_COUNT,
  tasks.COVERAGE,
  tasks.DATA_COMPLETE,
  tasks.DATA_AVAILABLE_UNTIL,
  tasks.REASON_CODE,
  CASE WHEN tasks.ENRICHMENT_TYPE IS NULL THEN jobs.LAST_ERROR ELSE tasks.LAST_ERROR END AS LAST_ERROR
FROM run
LEFT JOIN {{ results }}.TEST_RESULTS AS parents ON run.RUN_ID = parents.TEST_ID AND parents.TEST_ID = parents.RUN_ID
LEFT JOIN jobs ON run.RUN_ID = jobs.RUN_ID
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID
-- keys are not enforced: a parent row may be there twice
QUALIFY ROW_NUMBER() OVER (PARTITION BY tasks.ENRICHMENT_TYPE ORDER BY parents.CREATED_AT DESC) = 1
ORDER BY tasks.DUE_AT, tasks.ENRICHMENT_TYPE;
