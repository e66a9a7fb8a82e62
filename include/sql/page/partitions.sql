-- Purpose:    how much of the tables a run read, and what it spilled.
-- Source:     QUERY_EXECUTION_METRICS and RUN_ENRICHMENT_SUMMARY.
-- Grain:      one row per query pattern, the most spilled bytes first, then the most partitions, the values of the run
--             repeated on each; one row without a pattern when there is none.
-- Binds:      run_id (of the run or of one of its children), page_size and page_offset (of the patterns).
-- Write mode: reads only.
-- Limits:     QUERY_HISTORY has only some statements of hybrid tables; the values are those of the recorded ones.
WITH
{% include 'page/_run.sql' %},

executions AS (
  SELECT
    metrics.RUN_ID,
    metrics.QUERY_ID,
    metrics.QUERY_PARAMETERIZED_HASH,
    metrics.PARTITIONS_SCANNED,
    metrics.PARTITIONS_TOTAL,
    metrics.BYTES_SCANNED,
    metrics.BYTES_SPILLED_LOCAL,
    metrics.BYTES_SPILLED_REMOTE,
    COALESCE(metrics.BYTES_SPILLED_LOCAL, 0) + COALESCE(metrics.BYTES_SPILLED_REMOTE, 0) AS BYTES_SPILLED
  FROM {{ enrichment }}.QUERY_EXECUTION_METRICS AS metrics
  INNER JOIN run ON metrics.RUN_ID = run.RUN_ID
),

ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY QUERY_PARAMETERIZED_HASH
      ORDER BY BYTES_SPILLED DESC, PARTITIONS_SCANNED DESC NULLS LAST, QUERY_ID
    ) AS PLACE_IN_PATTERN
  FROM executions
),

patterns AS (
  SELECT
    RUN_ID,
    QUERY_PARAMETERIZED_HASH,
    COUNT(*) AS QUERY_COUNT,
    COUNT_IF(BYTES_SPILLED > 0) AS SPILLING_QUERY_COUNT,
    SUM(PARTITIONS_SCANNED) AS PARTITIONS_SCANNED,
    SUM(PARTITIONS_TOTAL) AS PARTITIONS_TOTAL,
    SUM(BYTES_SCANNED) AS BYTES_SCANNED,
    SUM(BYTES_SPILLED_LOCAL) AS BYTES_SPILLED_LOCAL,
    SUM(BYTES_SPILLED_REMOTE) AS BYTES_SPILLED_REMOTE,
    MAX(CASE WHEN PLACE_IN_PATTERN = 1 THEN QUERY_ID END) AS EXAMPLE_QUERY_ID,
    ROW_NUMBER() OVER (
      ORDER BY SUM(BYTES_SPILLED) DESC, SUM(PARTITIONS_SCANNED) DESC NULLS LAST, QUERY_PARAMETERIZED_HASH NULLS LAST
    ) AS PLACE
  FROM ranked
  GROUP BY RUN_ID, QUERY_PARAMETERIZED_HASH
),

totals AS (
  SELECT
    RUN_ID,
    COUNT(*) AS PATTERN_COUNT,
    SUM(SPILLING_QUERY_COUNT) AS SPILLING_QUERY_COUNT,
    SUM(BYTES_SCANNED) AS BYTES_SCANNED
  FROM patterns
  GROUP BY RUN_ID
)

SELECT
{% include 'page/_state_columns.sql' %},
  summary.QUERIES_RECORDED,
  summary.PARTITIONS_SCANNED,
  summary.PARTITIONS_TOTAL,
  summary.BYTES_SPILLED_LOCAL,
  summary.BYTES_SPILLED_REMOTE,
  summary.PCT_SCANNED_FROM_CACHE,
  totals.PATTERN_COUNT,
  totals.SPILLING_QUERY_COUNT,
  totals.BYTES_SCANNED,
  patterns.PLACE AS PATTERN_PLACE,
  patterns.QUERY_PARAMETERIZED_HASH AS PATTERN_HASH,
  patterns.QUERY_COUNT AS PATTERN_QUERY_COUNT,
  patterns.SPILLING_QUERY_COUNT AS PATTERN_SPILLING_QUERY_COUNT,
  patterns.PARTITIONS_SCANNED AS PATTERN_PARTITIONS_SCANNED,
  patterns.PARTITIONS_TOTAL AS PATTERN_PARTITIONS_TOTAL,
  patterns.BYTES_SCANNED AS PATTERN_BYTES_SCANNED,
  patterns.BYTES_SPILLED_LOCAL AS PATTERN_BYTES_SPILLED_LOCAL,
  patterns.BYTES_SPILLED_REMOTE AS PATTERN_BYTES_SPILLED_REMOTE,
  patterns.EXAMPLE_QUERY_ID
{% include 'page/_state_joins.sql' %}
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'QUERY_HISTORY'
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary ON run.RUN_ID = summary.RUN_ID
LEFT JOIN totals ON run.RUN_ID = totals.RUN_ID
LEFT JOIN patterns
  ON run.RUN_ID = patterns.RUN_ID
  AND patterns.PLACE > %(page_offset)s
  AND patterns.PLACE <= %(page_offset)s + %(page_size)s
ORDER BY patterns.PLACE;
