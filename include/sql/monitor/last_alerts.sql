-- Purpose:    which alerts enrichment_monitor found last: when they started, got worse, lasted and ended.
-- Group:      monitor
-- Grain:      one row per alert and event, the newest first, at most a hundred.
-- Write mode: reads only.
-- Limits:     that Snowflake gave no answer is in the log of the monitor's task only, and so is a notifier that failed.
--             Records are kept for a year. VALUE is NULL when there was nothing left to measure.
SELECT
  operations.STARTED_AT AS FOUND_AT,
  alerts.VALUE:"objective"::VARCHAR AS OBJECTIVE,
  alerts.VALUE:"event"::VARCHAR AS EVENT,
  alerts.VALUE:"level"::VARCHAR AS LEVEL,
  alerts.VALUE:"value"::FLOAT AS VALUE,
  alerts.VALUE:"since"::TIMESTAMP_NTZ AS SINCE,
  operations.PERFORMED_BY
FROM {{ enrichment }}.ENRICHMENT_OPERATIONS AS operations,
  LATERAL FLATTEN(INPUT => operations.DETAILS:"alerts") AS alerts
WHERE operations.OPERATION = 'ALERT'
ORDER BY operations.STARTED_AT DESC, alerts.INDEX
LIMIT 100;
