-- Purpose:    the record of the migrations; the only table of ours that no rollback drops.
-- Grain:      one row per change of a migration's state; the newest holds.
-- Write mode: idempotent (IF NOT EXISTS).
CREATE TABLE IF NOT EXISTS {{ enrichment }}.ENRICHMENT_MIGRATIONS (
  VERSION INTEGER NOT NULL,
  NAME VARCHAR(200) NOT NULL,
  CHECKSUM VARCHAR(64),
  STATE VARCHAR(20) NOT NULL,
  CHANGED_BY VARCHAR(500),
  CHANGED_AT TIMESTAMP_NTZ DEFAULT SYSDATE()
);
