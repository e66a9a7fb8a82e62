{#- Table to its columns that are NOT NULL, of which an INSERT has to name all. -#}
{% set tables = {
  'ENRICHMENT_MIGRATIONS': ['VERSION', 'NAME', 'STATE'],
  'DELAYED_ENRICHMENT_QUEUE': ['JOB_ID', 'TEST_ID', 'RUN_ID', 'TABLE_TYPE', 'ENRICHMENT_TYPES'],
  'DELAYED_ENRICHMENT_TASKS': [
    'JOB_ID', 'TEST_ID', 'RUN_ID', 'ENRICHMENT_TYPE', 'STATUS', 'PRIORITY', 'ATTEMPTS', 'SNOOZES',
  ],
  'DELAYED_ENRICHMENT_ATTEMPTS': ['JOB_ID', 'RUN_ID', 'ENRICHMENT_TYPE', 'CLAIM_TOKEN', 'OUTCOME'],
  'ENRICHMENT_OPERATIONS': ['OPERATION_ID', 'OPERATION', 'STATUS'],
  'ENRICHMENT_PASS_LOCK': ['LOCK_NAME'],
  'AGGREGATE_QUERY_METRICS': ['METRIC_ID', 'TEST_ID', 'RUN_ID'],
  'LOCK_CONTENTION_EVENTS': ['EVENT_ID', 'TEST_ID', 'RUN_ID'],
  'HYBRID_TABLE_CREDITS': ['CREDIT_ID', 'TEST_ID', 'RUN_ID'],
  'QUERY_INSIGHTS_CACHE': ['INSIGHT_ID', 'TEST_ID', 'RUN_ID'],
  'QUERY_EXECUTION_METRICS': ['RUN_ID', 'QUERY_ID'],
  'RUN_ENRICHMENT_SUMMARY': ['RUN_ID', 'TEST_ID'],
} -%}
-- Purpose:    whether each table of the package exists and the role may read and write it.
-- Grain:      no row; a test compares the list above with what the migrations create.
-- Write mode: writes nothing: WHERE FALSE. Snowflake checks the privileges when it compiles a statement.
{% for table, columns in tables.items() %}
-- probe: {{ table }} SELECT
SELECT {{ columns[0] }}
FROM {{ enrichment }}.{{ table }}
WHERE FALSE;

-- probe: {{ table }} INSERT
INSERT INTO {{ enrichment }}.{{ table }} ({{ columns | join(', ') }})
SELECT{{ '\n  ' if columns | length > 1 else ' ' }}{{ columns | join(',\n  ') }}
FROM {{ enrichment }}.{{ table }}
WHERE FALSE;

-- probe: {{ table }} UPDATE
UPDATE {{ enrichment }}.{{ table }}
SET {{ columns[0] }} = {{ columns[0] }}
WHERE FALSE;

-- probe: {{ table }} DELETE
DELETE FROM {{ enrichment }}.{{ table }}
WHERE FALSE;
{% endfor %}
