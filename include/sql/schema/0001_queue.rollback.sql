-- Purpose:    takes back 0001: the queue.
-- Write mode: backs up each table as <table>_ROLLBACK, then drops it. CREATE TABLE without IF NOT EXISTS refuses when a
--             backup exists, so that none is overwritten. DDL commits by itself: an interrupted rollback leaves table
--             and backup, both whole, and include/enrichment/migrations.py goes on with what still exists, replacing
--             a backup that is its own.
-- Limits:     a row that is written between copy and drop is lost: pause the DAGs first. The pass lock holds no data.
CREATE TABLE {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE_ROLLBACK AS
SELECT * FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE;

DROP TABLE {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE;

CREATE TABLE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS_ROLLBACK AS
SELECT * FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS;

DROP TABLE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS;

CREATE TABLE {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS_ROLLBACK AS
SELECT * FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS;

DROP TABLE {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS;

CREATE TABLE {{ enrichment }}.ENRICHMENT_OPERATIONS_ROLLBACK AS
SELECT * FROM {{ enrichment }}.ENRICHMENT_OPERATIONS;

DROP TABLE {{ enrichment }}.ENRICHMENT_OPERATIONS;

DROP TABLE IF EXISTS {{ enrichment }}.ENRICHMENT_PASS_LOCK;
