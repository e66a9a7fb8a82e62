-- Purpose:    the children of the runs whose queries were written under a claim, for the mirror of the hashes.
-- Grain:      one row per child.
-- Binds:      claim_token.
-- Write mode: reads only.
SELECT
  runs.RUN_ID,
  runs.TEST_ID
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
INNER JOIN {{ results }}.TEST_RESULTS AS runs ON tasks.RUN_ID = runs.RUN_ID
WHERE
  tasks.ENRICHMENT_TYPE = 'QUERY_HISTORY'
  AND STARTSWITH(tasks.CLAIM_TOKEN, %(claim_token)s)
  AND tasks.ROWS_WRITTEN > 0
  AND runs.TEST_ID <> runs.RUN_ID;
