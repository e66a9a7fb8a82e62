-- Purpose:    the migrations in force.
-- Grain:      one row per migration whose newest record is APPLIED.
-- Write mode: reads only.
SELECT
  VERSION,
  NAME,
  CHECKSUM,
  CHANGED_AT
FROM {{ enrichment }}.ENRICHMENT_MIGRATIONS
QUALIFY
  ROW_NUMBER() OVER (PARTITION BY VERSION ORDER BY CHANGED_AT DESC) = 1
  AND STATE = 'APPLIED'
ORDER BY VERSION;
