-- Purpose:    whether the role may create the temporary table into which a view is read.
-- Grain:      one row in a table that only this session sees.
-- Write mode: leaves nothing: the table ends with the session.
-- Limits:     a temporary table needs no CREATE TABLE privilege, but USAGE on its database and schema.

-- probe: temporary table
CREATE OR REPLACE TEMPORARY TABLE {{ enrichment }}.ENRICHMENT_DOCTOR AS
SELECT 1 AS PROBE;
