-- Purpose:    what the last doctor found: access to every view, objects, clock, settings.
-- Group:      monitor
-- Grain:      one row per finding of the newest record, failures first; no row: the doctor has not run, or could not
--             write down what it found.
-- Write mode: reads only.
SELECT
  operations.STARTED_AT,
  operations.PERFORMED_BY,
  operations.STATUS AS DOCTOR_STATUS,
  findings.VALUE:"status"::VARCHAR AS STATUS,
  findings.VALUE:"check"::VARCHAR AS CHECK_NAME,
  findings.VALUE:"subject"::VARCHAR AS SUBJECT,
  findings.VALUE:"message"::VARCHAR AS MESSAGE,
  findings.VALUE:"next_action"::VARCHAR AS NEXT_ACTION
FROM (
  SELECT
    STARTED_AT,
    PERFORMED_BY,
    STATUS,
    DETAILS
  FROM {{ enrichment }}.ENRICHMENT_OPERATIONS
  WHERE OPERATION = 'DOCTOR'
  QUALIFY ROW_NUMBER() OVER (ORDER BY STARTED_AT DESC, CREATED_AT DESC, OPERATION_ID) = 1
) AS operations,
  LATERAL FLATTEN(INPUT => operations.DETAILS:"findings", OUTER => TRUE) AS findings
ORDER BY
  CASE findings.VALUE:"status"::VARCHAR WHEN 'FAILED' THEN 1 WHEN 'WARNING' THEN 2 ELSE 3 END, findings.INDEX;
