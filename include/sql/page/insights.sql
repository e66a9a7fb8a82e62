-- Purpose:    what Snowflake noticed about the queries of a run, and what it suggests.
-- Source:     QUERY_INSIGHTS_CACHE and RUN_ENRICHMENT_SUMMARY.
-- Grain:      one row per distinct insight (topic, type, suggestion), opportunities first, then the most affected queries, the
--             counts of the run repeated on each; one row without an insight when there is none.
-- Binds:      run_id (of the run or of one of its children), page_size and page_offset (of the insights).
-- Write mode: reads only.
-- Limits:     the rows expire (FLAKEBENCH_ENRICHMENT_INSIGHTS_DAYS) and are cleaned up, the counts of the run stay.
WITH
{% include 'page/_run.sql' %},

cached AS (
  SELECT
    insights.RUN_ID,
    insights.QUERY_ID,
    insights.QUERY_PARAMETERIZED_HASH,
    insights.INSIGHT_TYPE,
    insights.INSIGHT_CATEGORY,
    COALESCE(insights.IS_OPPORTUNITY, FALSE) AS IS_OPPORTUNITY,
    insights.RECOMMENDATION,
    insights.RECOMMENDATION_DETAILS,
    DENSE_RANK() OVER (
      PARTITION BY
        insights.INSIGHT_CATEGORY, insights.INSIGHT_TYPE, insights.IS_OPPORTUNITY, insights.RECOMMENDATION
      ORDER BY insights.QUERY_ID
    ) AS QUERY_PLACE
  FROM {{ enrichment }}.QUERY_INSIGHTS_CACHE AS insights
  INNER JOIN run ON insights.RUN_ID = run.RUN_ID
),

found AS (
  SELECT
    RUN_ID,
    INSIGHT_CATEGORY,
    INSIGHT_TYPE,
    IS_OPPORTUNITY,
    RECOMMENDATION,
    COUNT(DISTINCT QUERY_ID) AS AFFECTED_QUERY_COUNT,
    COUNT(DISTINCT QUERY_PARAMETERIZED_HASH) AS AFFECTED_PATTERN_COUNT,
    ARRAY_AGG(DISTINCT CASE WHEN QUERY_PLACE <= 5 THEN QUERY_ID END) AS EXAMPLE_QUERY_IDS,
    MIN(TO_JSON(RECOMMENDATION_DETAILS)) AS MESSAGE
  FROM cached
  GROUP BY RUN_ID, INSIGHT_CATEGORY, INSIGHT_TYPE, IS_OPPORTUNITY, RECOMMENDATION
),

ranked AS (
  SELECT
    RUN_ID,
    INSIGHT_CATEGORY,
    INSIGHT_TYPE,
    IS_OPPORTUNITY,
    RECOMMENDATION,
    AFFECTED_QUERY_COUNT,
    AFFECTED_PATTERN_COUNT,
    EXAMPLE_QUERY_IDS,
    MESSAGE,
    COUNT(*) OVER (PARTITION BY RUN_ID) AS INSIGHT_COUNT,
    ROW_NUMBER() OVER (
      ORDER BY
        IS_OPPORTUNITY DESC, AFFECTED_QUERY_COUNT DESC, INSIGHT_CATEGORY NULLS LAST, INSIGHT_TYPE NULLS LAST, RECOMMENDATION
    ) AS PLACE
  FROM found
),

totals AS (
  SELECT
    RUN_ID,
    MAX(INSIGHT_COUNT) AS INSIGHT_COUNT
  FROM ranked
  GROUP BY RUN_ID
)

SELECT
{% include 'page/_state_columns.sql' %},
  summary.QUERY_INSIGHTS_COUNT,
  summary.QUERY_INSIGHTS_HIGH_SEVERITY_COUNT,
  totals.INSIGHT_COUNT,
  ranked.PLACE AS INSIGHT_PLACE,
  ranked.INSIGHT_CATEGORY,
  ranked.INSIGHT_TYPE,
  ranked.IS_OPPORTUNITY,
  ranked.RECOMMENDATION,
  ranked.MESSAGE,
  ranked.AFFECTED_QUERY_COUNT,
  ranked.AFFECTED_PATTERN_COUNT,
  ranked.EXAMPLE_QUERY_IDS
{% include 'page/_state_joins.sql' %}
LEFT JOIN tasks ON run.RUN_ID = tasks.RUN_ID AND tasks.ENRICHMENT_TYPE = 'QUERY_INSIGHTS'
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary ON run.RUN_ID = summary.RUN_ID
LEFT JOIN totals ON run.RUN_ID = totals.RUN_ID
LEFT JOIN ranked
  ON run.RUN_ID = ranked.RUN_ID
  AND ranked.PLACE > %(page_offset)s
  AND ranked.PLACE <= %(page_offset)s + %(page_size)s
ORDER BY ranked.PLACE;
