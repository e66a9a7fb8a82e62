-- Purpose:    the children of the runs whose query hashes are to be copied: those written under a claim, and those of the
--             jobs that are about to be announced, whose own pass may have been ended before its copy.
-- Grain:      one row per child.
-- Binds:      claim_token (NULL: nothing was claimed).
-- Write mode: reads only.
SELECT
  runs.RUN_ID,
  runs.TEST_ID
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
INNER JOIN {{ results }}.TEST_RESULTS AS runs ON tasks.RUN_ID = runs.RUN_ID
LEFT JOIN {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP AS rolled_up ON tasks.JOB_ID = rolled_up.JOB_ID
WHERE
  tasks.ENRICHMENT_TYPE = 'QUERY_HISTORY'
  AND tasks.ROWS_WRITTEN > 0
  AND runs.TEST_ID <> runs.RUN_ID
  AND (
    STARTSWITH(tasks.CLAIM_TOKEN, %(claim_token)s)
    OR (rolled_up.IS_SETTLED AND rolled_up.EVENT_MISSING)
  );
