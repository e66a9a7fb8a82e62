{% set views = [
  'V_DELAYED_ENRICHMENT_ROLLUP', 'V_AGGREGATE_QUERY_STATS', 'V_LOCK_CONTENTION_SUMMARY', 'V_DELAYED_ENRICHMENT_STATUS',
  'V_RUN_ENRICHMENT', 'V_DELAYED_ENRICHMENT_COMPLETENESS', 'V_CLIENT_AND_SERVER_LATENCY',
] -%}
-- Purpose:    whether each view of the package exists, still compiles, and the role may read it.
-- Grain:      no row; a test compares the list above with what the migrations create.
-- Write mode: reads only.
-- Limits:     a view whose table lost a column fails when it is read, not before.
{% for view in views %}
-- probe: {{ view }} SELECT
SELECT RUN_ID
FROM {{ enrichment }}.{{ view }}
WHERE FALSE;
{% endfor %}
