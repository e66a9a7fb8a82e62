-- Purpose:    which alerts enrichment_monitor has told of last: when they started, got worse, lasted and ended.
-- Group:      monitor
-- Grain:      one row per alert and event, the newest first, at most a hundred.
-- Write mode: reads only.
-- Limits:     what was told while Snowflake gave no answer is in the log of the monitor's task only. Records are kept for
--             a year. VALUE is NULL when there was nothing left to measure.
SELECT
  operations.STARTED_AT AS TOLD_AT,
  alerts.VALUE:"objective"::VARCHAR AS OBJECTIVE,
  alerts.VALUE:"event"::VARCHAR AS EVENT,
  alerts.VALUE:"level"::VARCHAR AS LEVEL,
  alerts.VALUE:"value"::FLOAT AS VALUE,
  alerts.VALUE:"since"::TIMESTAMP_NTZ AS SINCE,
  operations.STATUS = 'SUCCEEDED' AS IS_EVERY_NOTIFIER_TOLD,
  operations.PERFORMED_BY
FROM {{ enrichment }}.ENRICHMENT_OPERATIONS AS operations,
  LATERAL FLATTEN(INPUT => operations.DETAILS:"alerts") AS alerts
WHERE operations.OPERATION = 'ALERT'
ORDER BY operations.STARTED_AT DESC, alerts.INDEX
LIMIT 100;
