-- Purpose:    who and where the session is, what its parameters are, and what time it is in Snowflake.
-- Grain:      one row per probe; include/enrichment/probes.py runs them by name.
-- Write mode: reads only; needs no warehouse.
-- Limits:     the lower of the session's and the warehouse's STATEMENT_TIMEOUT_IN_SECONDS is in force. SHOW cannot be part
--             of a query; its columns have lower-case names.

-- probe: identity
SELECT
  CURRENT_USER() AS USER_NAME,
  CURRENT_ROLE() AS ROLE_NAME,
  CURRENT_WAREHOUSE() AS WAREHOUSE_NAME,
  CURRENT_DATABASE() AS DATABASE_NAME,
  CURRENT_SCHEMA() AS SCHEMA_NAME;

-- probe: TIMEZONE
SHOW PARAMETERS LIKE 'TIMEZONE' IN SESSION;

-- probe: STATEMENT_TIMEOUT_IN_SECONDS
SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS' IN SESSION;

-- probe: STATEMENT_TIMEOUT_IN_SECONDS of the warehouse
SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS' IN WAREHOUSE;

-- probe: clock
SELECT SYSDATE() AS NOW_AT;
