-- Purpose:    records what setup, doctor, retry, backfill or cleanup did.
-- Grain:      one row of ENRICHMENT_OPERATIONS per operation.
-- Binds:      operation_id, operation, status, started_at, performed_by, details (JSON).
-- Write mode: inserts an operation once, by its id.
INSERT INTO {{ enrichment }}.ENRICHMENT_OPERATIONS (
  OPERATION_ID, OPERATION, STATUS, STARTED_AT, ENDED_AT, PERFORMED_BY, DETAILS, CREATED_AT
)
SELECT
  %(operation_id)s AS OPERATION_ID,
  %(operation)s AS OPERATION,
  %(status)s AS STATUS,
  %(started_at)s::TIMESTAMP_NTZ AS STARTED_AT,
  SYSDATE() AS ENDED_AT,
  %(performed_by)s AS PERFORMED_BY,
  PARSE_JSON(%(details)s) AS DETAILS,
  SYSDATE() AS CREATED_AT
WHERE NOT EXISTS (
  SELECT 1 FROM {{ enrichment }}.ENRICHMENT_OPERATIONS WHERE OPERATION_ID = %(operation_id)s
);
