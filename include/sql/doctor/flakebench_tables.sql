-- Purpose:    whether the role may read FlakeBench's tables, and write to the two that hold columns of ours.
-- Grain:      no row.
-- Binds:      nobody (a TEST_ID that no row has: QUERY_EXECUTIONS is clustered by TEST_ID).
-- Write mode: writes nothing: WHERE FALSE. Snowflake checks the privileges when it compiles a statement.

-- probe: TEST_RESULTS SELECT
SELECT TEST_ID
FROM {{ results }}.TEST_RESULTS
WHERE FALSE;

-- probe: TEST_RESULTS UPDATE
UPDATE {{ results }}.TEST_RESULTS
SET TEST_ID = TEST_ID
WHERE FALSE;

-- probe: QUERY_EXECUTIONS SELECT
SELECT TEST_ID
FROM {{ results }}.QUERY_EXECUTIONS
WHERE TEST_ID = %(nobody)s AND FALSE;

-- probe: QUERY_EXECUTIONS UPDATE
UPDATE {{ results }}.QUERY_EXECUTIONS
SET TEST_ID = TEST_ID
WHERE TEST_ID = %(nobody)s AND FALSE;

-- probe: RUN_STATUS SELECT
SELECT RUN_ID
FROM {{ results }}.RUN_STATUS
WHERE FALSE;
