-- Purpose:    what the server measured of a run: its latency beside the client's, and its query patterns.
-- Source:     AGGREGATE_QUERY_METRICS and RUN_ENRICHMENT_SUMMARY.
-- Grain:      one row per query pattern, the most called first, the values of the run repeated on each; one row without a
--             pattern when there is none.
-- Binds:      run_id (of the run or of one of its children), page_size and page_offset (of the patterns).
-- Write mode: reads only.
-- Limits:     NULL is not known, or not yet. EXAMPLE_QUERY_ID is one of the pattern's statements that QUERY_HISTORY knows:
--             of hybrid tables it has the slow ones only.
WITH
{% include 'page/_run.sql' %},

patterns AS (
  SELECT
    metrics.RUN_ID,
    metrics.QUERY_PARAMETERIZED_HASH,
    metrics.QUERY_COUNT,
    metrics.ERRORS_COUNT,
    metrics.ERRORS_BREAKDOWN,
    metrics.HYBRID_REQUESTS_THROTTLED_COUNT,
    metrics.EXEC_AVG_MS,
{%- for name in ['MEDIAN', 'P95', 'P99'] %}
    metrics.EXEC_{{ name }}_MS,
    metrics.EXEC_{{ name }}_LOW_MS,
    metrics.EXEC_{{ name }}_HIGH_MS,
{%- endfor %}
    metrics.EXEC_MAX_MS,
    ROW_NUMBER() OVER (
      ORDER BY metrics.QUERY_COUNT DESC, metrics.QUERY_PARAMETERIZED_HASH NULLS LAST, metrics.METRIC_ID
    ) AS PLACE
  FROM {{ enrichment }}.AGGREGATE_QUERY_METRICS AS metrics
  INNER JOIN run ON metrics.RUN_ID = run.RUN_ID
),

examples AS (
  SELECT
    executions.QUERY_PARAMETERIZED_HASH,
    MAX(executions.QUERY_ID) AS QUERY_ID
  FROM {{ enrichment }}.QUERY_EXECUTION_METRICS AS executions
  INNER JOIN run ON executions.RUN_ID = run.RUN_ID
  WHERE executions.QUERY_PARAMETERIZED_HASH IS NOT NULL
  GROUP BY executions.QUERY_PARAMETERIZED_HASH
)

SELECT
{% include 'page/_state_columns.sql' %},
  summary.QUERY_PATTERN_COUNT,
  summary.QUERY_COUNT,
  summary.ERRORS_COUNT,
  summary.THROTTLED_QUERY_COUNT,
{%- for metric in ['EXEC', 'COMPILE', 'ELAPSED'] %}
  summary.{{ metric }}_AVG_MS,
  summary.{{ metric }}_MIN_MS,
  summary.{{ metric }}_MAX_MS,
{%- for name in ['MEDIAN', 'P90', 'P95', 'P99', 'P999'] %}
  summary.{{ metric }}_{{ name }}_MS,
  summary.{{ metric }}_{{ name }}_LOW_MS,
  summary.{{ metric }}_{{ name }}_HIGH_MS,
{%- endfor %}
{%- endfor %}
  summary.PERCENTILE_METHOD,
  summary.P999_IS_MAX,
  summary.QUEUED_OVERLOAD_SUM_MS,
  summary.QUEUED_OVERLOAD_MAX_MS,
  summary.QUEUED_PROVISIONING_SUM_MS,
  summary.QUEUED_PROVISIONING_MAX_MS,
  latency.CLIENT_QUERY_COUNT,
  latency.CLIENT_AVG_MS,
  latency.CLIENT_MEDIAN_MS,
  latency.CLIENT_P95_MS,
  latency.CLIENT_P99_MS,
  latency.OUTSIDE_SERVER_AVG_MS,
  latency.PCT_OUTSIDE_SERVER,
  latency.OUTSIDE_SERVER_METHOD,
  patterns.PLACE AS PATTERN_PLACE,
  patterns.QUERY_PARAMETERIZED_HASH AS PATTERN_HASH,
  patterns.QUERY_COUNT AS PATTERN_QUERY_COUNT,
  patterns.ERRORS_COUNT AS PATTERN_ERRORS_COUNT,
  patterns.ERRORS_BREAKDOWN AS PATTERN_ERRORS,
  patterns.HYBRID_REQUESTS_THROTTLED_COUNT AS PATTERN_THROTTLED_COUNT,
  patterns.EXEC_AVG_MS AS PATTERN_EXEC_AVG_MS,
{%- for name in ['MEDIAN', 'P95', 'P99'] %}
  patterns.EXEC_{{ name }}_MS AS PATTERN_EXEC_{{ name }}_MS,
  patterns.EXEC_{{ name }}_LOW_MS AS PATTERN_EXEC_{{ name }}_LOW_MS,
  patterns.EXEC_{{ name }}_HIGH_MS AS PATTERN_EXEC_{{ name }}_HIGH_MS,
{%- endfor %}
  patterns.EXEC_MAX_MS AS PATTERN_EXEC_MAX_MS,
  examples.QUERY_ID AS EXAMPLE_QUERY_ID
{% include 'page/_state_joins.sql' %}
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'AGGREGATE'
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary ON run.RUN_ID = summary.RUN_ID
LEFT JOIN {{ enrichment }}.V_CLIENT_AND_SERVER_LATENCY AS latency ON run.RUN_ID = latency.RUN_ID
LEFT JOIN patterns
  ON run.RUN_ID = patterns.RUN_ID
  AND patterns.PLACE > %(page_offset)s
  AND patterns.PLACE <= %(page_offset)s + %(page_size)s
LEFT JOIN examples ON patterns.QUERY_PARAMETERIZED_HASH = examples.QUERY_PARAMETERIZED_HASH
ORDER BY patterns.PLACE;
