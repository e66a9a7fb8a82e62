{#- Table to the privileges that the templates need, and to its columns that are NOT NULL, which an INSERT has to name. -#}
{% set tables = {
  'ENRICHMENT_MIGRATIONS': ('SELECT', ['VERSION']),
  'DELAYED_ENRICHMENT_QUEUE': (
    'SELECT INSERT UPDATE DELETE', ['JOB_ID', 'TEST_ID', 'RUN_ID', 'TABLE_TYPE', 'ENRICHMENT_TYPES'],
  ),
  'DELAYED_ENRICHMENT_TASKS': (
    'SELECT INSERT UPDATE DELETE',
    ['JOB_ID', 'TEST_ID', 'RUN_ID', 'ENRICHMENT_TYPE', 'STATUS', 'PRIORITY', 'ATTEMPTS', 'SNOOZES'],
  ),
  'DELAYED_ENRICHMENT_ATTEMPTS': (
    'SELECT INSERT DELETE', ['JOB_ID', 'RUN_ID', 'ENRICHMENT_TYPE', 'CLAIM_TOKEN', 'OUTCOME'],
  ),
  'ENRICHMENT_OPERATIONS': ('SELECT INSERT DELETE', ['OPERATION_ID', 'OPERATION', 'STATUS']),
  'ENRICHMENT_PASS_LOCK': ('SELECT UPDATE', ['LOCK_NAME']),
  'AGGREGATE_QUERY_METRICS': ('SELECT INSERT DELETE', ['METRIC_ID', 'TEST_ID', 'RUN_ID']),
  'LOCK_CONTENTION_EVENTS': ('SELECT INSERT DELETE', ['EVENT_ID', 'TEST_ID', 'RUN_ID']),
  'HYBRID_TABLE_CREDITS': ('SELECT INSERT DELETE', ['CREDIT_ID', 'TEST_ID', 'RUN_ID']),
  'QUERY_INSIGHTS_CACHE': ('SELECT INSERT DELETE', ['INSIGHT_ID', 'TEST_ID', 'RUN_ID']),
  'QUERY_ACCELERATION_CREDITS': ('SELECT INSERT DELETE', ['CREDIT_ID', 'TEST_ID', 'RUN_ID']),
  'QUERY_EXECUTION_METRICS': ('SELECT INSERT DELETE', ['RUN_ID', 'QUERY_ID']),
  'RUN_ENRICHMENT_SUMMARY': ('SELECT INSERT UPDATE DELETE', ['RUN_ID', 'TEST_ID']),
} -%}
-- Purpose:    whether each table of the package exists and the role may do with it what the templates do.
-- Grain:      no row; a test compares the list above with what the migrations create and the templates do.
-- Write mode: writes nothing: WHERE FALSE. Snowflake checks the privileges when it compiles a statement.
-- Limits:     applying a migration needs more; its own message says what.
{% for table, (privileges, columns) in tables.items() %}
{%- if 'SELECT' in privileges %}
-- probe: {{ table }} SELECT
SELECT {{ columns[0] }}
FROM {{ enrichment }}.{{ table }}
WHERE FALSE;
{% endif %}
{%- if 'INSERT' in privileges %}
-- probe: {{ table }} INSERT
INSERT INTO {{ enrichment }}.{{ table }} ({{ columns | join(', ') }})
SELECT{{ '\n  ' if columns | length > 1 else ' ' }}{{ columns | join(',\n  ') }}
FROM {{ enrichment }}.{{ table }}
WHERE FALSE;
{% endif %}
{%- if 'UPDATE' in privileges %}
-- probe: {{ table }} UPDATE
UPDATE {{ enrichment }}.{{ table }}
SET {{ columns[0] }} = {{ columns[0] }}
WHERE FALSE;
{% endif %}
{%- if 'DELETE' in privileges %}
-- probe: {{ table }} DELETE
DELETE FROM {{ enrichment }}.{{ table }}
WHERE FALSE;
{% endif %}
{%- endfor %}
