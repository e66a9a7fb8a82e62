-- Purpose:    what delete_expired_insights.sql would delete.
-- Grain:      one row: INSIGHTS.
-- Write mode: reads only.
SELECT COUNT(*) AS INSIGHTS
FROM {{ enrichment }}.QUERY_INSIGHTS_CACHE
WHERE EXPIRES_AT < SYSDATE();
