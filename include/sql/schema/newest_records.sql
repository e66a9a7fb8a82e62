-- Purpose:    where each migration stands.
-- Grain:      one row per migration: its newest record. STATE is APPLYING, APPLIED, ROLLING_BACK or ROLLED_BACK.
-- Write mode: reads only.
SELECT
  VERSION,
  NAME,
  CHECKSUM,
  STATE
FROM {{ enrichment }}.ENRICHMENT_MIGRATIONS
QUALIFY ROW_NUMBER() OVER (PARTITION BY VERSION ORDER BY CHANGED_AT DESC) = 1
ORDER BY VERSION;
