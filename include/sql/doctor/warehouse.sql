-- Purpose:    the state of the warehouse and when it suspends itself.
-- Grain:      one row per warehouse that the role may see.
-- Binds:      warehouse.
-- Write mode: reads only; needs no running warehouse.
-- Limits:     LIKE takes "_" for any character, so the row is chosen by its name afterwards.

-- probe: warehouse
SHOW WAREHOUSES LIKE %(warehouse)s;
