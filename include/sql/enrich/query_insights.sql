{% extends 'enrich/_lifecycle.sql' %}
{#- Purpose:    what Snowflake noticed about a run's queries, and what it suggests.
    Source:     ACCOUNT_USAGE.QUERY_INSIGHTS, latency up to 90 minutes, joined by QUERY_ID to the run's QUERY_HISTORY rows.
    Grain:      one row of QUERY_INSIGHTS_CACHE per (QUERY_ID, INSIGHT_INSTANCE_ID); without an instance id, per type.
    Binds:      those of _lifecycle.sql; insights_days, store_raw.
    Write mode: replaces the run's rows.
    Limits:     the view has no tag, no text and no severity. Severity is derived: an opportunity is HIGH, anything else
                LOW. Query text is never copied. None are produced for hybrid and interactive tables.
                Of an insight that is there twice the later END_TIME holds, then the longer elapsed time, then the larger
                values. Type and category are cut at their columns' lengths. -#}
{% set target = 'QUERY_INSIGHTS_CACHE' %}
{% set joined_view = 'QUERY_INSIGHTS' %}
{% set joined_time = 'START_TIME' %}
{% set summary_columns = ['QUERY_INSIGHTS_COUNT', 'QUERY_INSIGHTS_HIGH_SEVERITY_COUNT'] %}
{% block newest %}{% include 'enrich/_query_history_newest.sql' %}{% endblock %}
{% block read %}
WITH
{% include 'enrich/_run_queries.sql' %},

insights AS (
  SELECT
    source.QUERY_ID,
    source.INSIGHT_INSTANCE_ID,
    source.QUERY_PARAMETERIZED_HASH,
    source.INSIGHT_TYPE_ID,
    source.INSIGHT_TOPIC,
    source.IS_OPPORTUNITY,
    source.MESSAGE,
    source.SUGGESTIONS
  FROM {{ account_usage }}.QUERY_INSIGHTS AS source
  INNER JOIN run_queries ON source.QUERY_ID = run_queries.QUERY_ID
  WHERE
    source.START_TIME >= %(window_start)s::TIMESTAMP_LTZ
    AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
    AND run_queries.IS_MEASURED
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY
      source.QUERY_ID,
      source.INSIGHT_INSTANCE_ID,
      CASE WHEN source.INSIGHT_INSTANCE_ID IS NULL THEN source.INSIGHT_TYPE_ID END
    ORDER BY
      source.END_TIME DESC NULLS LAST,
      source.TOTAL_ELAPSED_TIME DESC NULLS LAST,
      source.IS_OPPORTUNITY DESC NULLS LAST,
      source.INSIGHT_TYPE_ID DESC NULLS LAST,
      source.INSIGHT_TOPIC DESC NULLS LAST,
      source.QUERY_PARAMETERIZED_HASH DESC NULLS LAST,
      TO_JSON(source.MESSAGE) DESC NULLS LAST,
      TO_JSON(source.SUGGESTIONS) DESC NULLS LAST
  ) = 1
),

affected AS (
  SELECT
    INSIGHT_TYPE_ID,
    COUNT(DISTINCT QUERY_ID) AS AFFECTED_QUERY_COUNT
  FROM insights
  GROUP BY INSIGHT_TYPE_ID
)

SELECT
  insights.QUERY_ID,
  insights.INSIGHT_INSTANCE_ID,
  insights.QUERY_PARAMETERIZED_HASH,
  insights.INSIGHT_TYPE_ID,
  insights.INSIGHT_TOPIC,
  insights.IS_OPPORTUNITY,
  insights.MESSAGE,
  NULLIF(ARRAY_TO_STRING(insights.SUGGESTIONS, CHR(10)), '') AS RECOMMENDATION,
  affected.AFFECTED_QUERY_COUNT
FROM insights
LEFT JOIN affected ON insights.INSIGHT_TYPE_ID IS NOT DISTINCT FROM affected.INSIGHT_TYPE_ID
{% endblock %}
{% block reading %}
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_ROWS,
  (SELECT COUNT(*) FROM {{ enrichment }}.QUERY_INSIGHTS_CACHE WHERE RUN_ID = %(run_id)s) AS STORED_ROWS,
  NULL AS FOUND_CALLS,
  NULL AS STORED_CALLS,
  (SELECT COUNT(*) FROM ENRICHMENT_SOURCE) AS FOUND_COUNT,
  NULL AS EXPECTED_COUNT
{% endblock %}
{% block write %}
INSERT INTO {{ enrichment }}.QUERY_INSIGHTS_CACHE (
  INSIGHT_ID, TEST_ID, RUN_ID, QUERY_ID, INSIGHT_INSTANCE_ID, QUERY_PARAMETERIZED_HASH, INSIGHT_TYPE, INSIGHT_CATEGORY,
  INSIGHT_SEVERITY, IS_OPPORTUNITY, RECOMMENDATION, RECOMMENDATION_DETAILS, AFFECTED_QUERY_COUNT, RAW_INSIGHT, CREATED_AT,
  EXPIRES_AT
)
SELECT
  MD5(%(run_id)s || '/' || QUERY_ID || '/' || COALESCE(INSIGHT_INSTANCE_ID::VARCHAR, '/' || INSIGHT_TYPE_ID, '')) AS INSIGHT_ID,
  %(run_id)s AS TEST_ID,
  %(run_id)s AS RUN_ID,
  QUERY_ID,
  INSIGHT_INSTANCE_ID,
  QUERY_PARAMETERIZED_HASH,
  LEFT(INSIGHT_TYPE_ID, 100) AS INSIGHT_TYPE,
  LEFT(INSIGHT_TOPIC, 50) AS INSIGHT_CATEGORY,
  CASE WHEN IS_OPPORTUNITY THEN 'HIGH' ELSE 'LOW' END AS INSIGHT_SEVERITY,
  IS_OPPORTUNITY,
  RECOMMENDATION,
  MESSAGE AS RECOMMENDATION_DETAILS,
  AFFECTED_QUERY_COUNT,
  CASE WHEN %(store_raw)s THEN OBJECT_CONSTRUCT('insight_type_id', INSIGHT_TYPE_ID, 'insight_topic', INSIGHT_TOPIC) END
    AS RAW_INSIGHT,
  SYSDATE() AS CREATED_AT,
  DATEADD('day', %(insights_days)s, SYSDATE()) AS EXPIRES_AT
FROM ENRICHMENT_SOURCE
WHERE %(replace)s
{% endblock %}
{% block summary %}
  SELECT
    %(run_id)s AS RUN_ID,
    COUNT(*) AS QUERY_INSIGHTS_COUNT,
    COUNT_IF(IS_OPPORTUNITY) AS QUERY_INSIGHTS_HIGH_SEVERITY_COUNT
  FROM ENRICHMENT_SOURCE
{% endblock %}
