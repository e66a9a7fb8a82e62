-- Purpose:    makes two deployments on one queue claim one after the other.
-- Grain:      the one row of ENRICHMENT_PASS_LOCK.
-- Binds:      claimed_by.
-- Write mode: first statement of the claim's transaction. An UPDATE holds its lock until the transaction ends, and
--             each later statement sees what was committed before it began (READ COMMITTED), so the second
--             deployment discovers and claims only after the first has committed. Standard tables enforce no
--             unique key that could do it instead.
UPDATE {{ enrichment }}.ENRICHMENT_PASS_LOCK
SET HELD_BY = %(claimed_by)s, HELD_AT = SYSDATE()
WHERE LOCK_NAME = 'claim';
