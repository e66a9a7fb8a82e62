-- Purpose:    records that a migration was applied or taken back.
-- Grain:      one row.
-- Binds:      version, name, checksum, state.
-- Write mode: appends; written after the migration, so that an interrupted one is repeated.
INSERT INTO {{ enrichment }}.ENRICHMENT_MIGRATIONS (VERSION, NAME, CHECKSUM, STATE, CHANGED_BY, CHANGED_AT)
SELECT
  %(version)s AS VERSION,
  %(name)s AS NAME,
  %(checksum)s AS CHECKSUM,
  %(state)s AS STATE,
  CURRENT_USER() AS CHANGED_BY,
  SYSDATE() AS CHANGED_AT;
