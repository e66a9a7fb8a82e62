-- Purpose:    takes back 0006: the views become those of 0005 again, the table and the columns are dropped.
-- Write mode: replaces the views first, so that none reads what is dropped; backs up the rows, and the values with their
--             key, then drops. See the rollbacks of 0001 and 0003.
-- Limits:     0005 is included whole: beside its views it adds columns that are there.
{% include 'schema/0005_completeness.sql' %}

CREATE TABLE {{ enrichment }}.QUERY_ACCELERATION_CREDITS_ROLLBACK AS
SELECT * FROM {{ enrichment }}.QUERY_ACCELERATION_CREDITS;

CREATE TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY_ACCELERATION_ROLLBACK AS
SELECT
  RUN_ID,
  QUERY_ACCELERATION_CREDITS_USED,
  QUERY_ACCELERATION_START_TIME,
  QUERY_ACCELERATION_END_TIME
FROM {{ enrichment }}.RUN_ENRICHMENT_SUMMARY;

DROP TABLE IF EXISTS {{ enrichment }}.QUERY_ACCELERATION_CREDITS;

ALTER TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY DROP COLUMN IF EXISTS QUERY_ACCELERATION_CREDITS_USED;
ALTER TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY DROP COLUMN IF EXISTS QUERY_ACCELERATION_START_TIME;
ALTER TABLE {{ enrichment }}.RUN_ENRICHMENT_SUMMARY DROP COLUMN IF EXISTS QUERY_ACCELERATION_END_TIME;
