-- Purpose:    which of FlakeBench's and of our tables and views exist, with their columns.
-- Grain:      one row per column.
-- Binds:      results_schema, enrichment_schema.
-- Write mode: reads only.
-- Limits:     INFORMATION_SCHEMA of the session's database, which is FlakeBench's; it shows what the role may see, and
--             what the role may not see it may not drop either.
SELECT
  TABLE_SCHEMA,
  TABLE_NAME,
  COLUMN_NAME
FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA IN (%(results_schema)s, %(enrichment_schema)s);
