-- Purpose:    what delete_old_operations.sql would delete.
-- Grain:      one row: OPERATIONS.
-- Binds:      retention_days.
-- Write mode: reads only.
SELECT COUNT(*) AS OPERATIONS
FROM {{ enrichment }}.ENRICHMENT_OPERATIONS
WHERE COALESCE(ENDED_AT, CREATED_AT) < DATEADD('day', -%(retention_days)s, SYSDATE());
