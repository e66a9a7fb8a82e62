-- Purpose:    records that a migration is being applied, is in force, is being taken back, or was.
-- Grain:      one row.
-- Binds:      version, name, checksum, state; filled in as literals, so that the plan of a dry run can be pasted.
-- Write mode: appends. APPLYING and ROLLING_BACK are written before the first statement of a step, APPLIED and
--             ROLLED_BACK after its last, so that a second run knows what an interrupted one was doing.
INSERT INTO {{ enrichment }}.ENRICHMENT_MIGRATIONS (VERSION, NAME, CHECKSUM, STATE, CHANGED_BY, CHANGED_AT)
SELECT
  %(version)s AS VERSION,
  %(name)s AS NAME,
  %(checksum)s AS CHECKSUM,
  %(state)s AS STATE,
  CURRENT_USER() AS CHANGED_BY,
  SYSDATE() AS CHANGED_AT;
