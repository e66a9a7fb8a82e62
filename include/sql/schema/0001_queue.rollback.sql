-- Purpose:    takes back 0001: the queue.
-- Write mode: backs up each table as <table>_ROLLBACK first; CREATE TABLE without IF NOT EXISTS refuses when a
--             backup exists, so that none is overwritten. DDL commits by itself: an interrupted rollback leaves
--             backup and table, both whole.
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
