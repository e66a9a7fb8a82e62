-- Purpose:    what an operation that was already performed did.
-- Grain:      one row; none when it was not performed yet.
-- Binds:      operation_id.
-- Write mode: reads only.
SELECT TO_JSON(DETAILS) AS DETAILS
FROM {{ enrichment }}.ENRICHMENT_OPERATIONS
WHERE OPERATION_ID = %(operation_id)s;
