-- Purpose:    takes back 0004: the views.
-- Write mode: nothing to back up, a view holds no data.
DROP VIEW IF EXISTS {{ enrichment }}.V_RUN_ENRICHMENT;
DROP VIEW IF EXISTS {{ enrichment }}.V_DELAYED_ENRICHMENT_STATUS;
DROP VIEW IF EXISTS {{ enrichment }}.V_LOCK_CONTENTION_SUMMARY;
DROP VIEW IF EXISTS {{ enrichment }}.V_AGGREGATE_QUERY_STATS;
DROP VIEW IF EXISTS {{ enrichment }}.V_DELAYED_ENRICHMENT_ROLLUP;
