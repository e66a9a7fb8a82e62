-- Purpose:    the share of tasks that failed, by the day on which they settled, for the last seven days.
-- Group:      monitor
-- Grain:      one row per UTC day on which a task settled, the newest first.
-- Write mode: reads only.
-- Limits:     counts tasks that were tried: not those that are pending, do not apply or are switched off. A task that a
--             retry repaired counts as it is now.
-- Corrects:   the plan divided by every job that was created that day, so that pending ones diluted the rate; a job with
--             one failed type is COMPLETED and did not count; and it took the newest seven days that had jobs.
SELECT
  DATE_TRUNC('day', COMPLETED_AT) AS DAY,
  COUNT(*) AS SETTLED,
  COUNT_IF(STATUS = 'FAILED') AS FAILED,
  COUNT_IF(STATUS = 'FAILED') / COUNT(*) * 100 AS FAIL_PCT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE
  {% include 'monitor/_tried_and_settled.sql' %}
  AND COMPLETED_AT >= DATEADD('day', -6, DATE_TRUNC('day', SYSDATE()))
GROUP BY DATE_TRUNC('day', COMPLETED_AT)
ORDER BY DAY DESC;
