-- Purpose:    the share of tasks that failed in the last 24 hours; the plan warns above 5 percent, critical above 15.
-- Group:      alert
-- Grain:      one row; FAIL_PCT is NULL when nothing settled.
-- Write mode: reads only.
-- Limits:     counts tasks that were tried: not those that are pending, do not apply or are switched off. Without
--             backfill, whose many old runs would hide how the fresh ones fare.
-- Corrects:   the plan divided by every job that was created, so that pending ones diluted the rate; a job with one
--             failed type is COMPLETED and did not count; and it compared UTC with the session's zone.
SELECT
  COUNT(*) AS SETTLED,
  COUNT_IF(STATUS = 'FAILED') AS FAILED,
  COUNT_IF(STATUS = 'FAILED') / NULLIF(COUNT(*), 0) * 100 AS FAIL_PCT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE
  {% include 'monitor/_tried_and_settled.sql' %}
  AND PRIORITY <= 0
  AND COMPLETED_AT >= DATEADD('hour', -24, SYSDATE());
