-- Purpose:    tasks whose worker is gone; the plan warns above 1, critical above 5.
-- Group:      alert
-- Grain:      one row.
-- Write mode: reads only.
-- Limits:     each pass gives them back, so that any that stay for longer mean that passes do not run. A second look
--             counts as well, though its task stays COMPLETED.
-- Corrects:   the plan called a job stale when nothing had updated it for 30 minutes, also one whose statement still
--             runs: a worker is gone when its lease has expired. It compared UTC with the session's zone.
SELECT
  COUNT_IF(IS_STALE) AS STALE_TASKS,
  MIN(CASE WHEN IS_STALE THEN LEASE_EXPIRES_AT END) AS OLDEST_LEASE_END,
  MAX(CASE WHEN IS_STALE THEN CLAIMED_BY END) AS CLAIMED_BY,
  COUNT(*) AS IN_PROGRESS_TASKS
FROM (
  SELECT
    LEASE_EXPIRES_AT,
    CLAIMED_BY,
    COALESCE(LEASE_EXPIRES_AT <= SYSDATE(), TRUE) AS IS_STALE
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
  WHERE {% include 'queue/_is_held.sql' %}
) AS claimed;
