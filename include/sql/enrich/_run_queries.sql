{#- Fragment: the run's statements in QUERY_HISTORY, one row per query.
    A statement belongs to the run when its tag equals one of the run's or starts with one followed by ":".
    The view can return a query twice: the later END_TIME holds, then the longer elapsed time, then the larger
    values, so that the same rows in another order give the same. A row without an id or a start is of no use.
    A template that joins them with the rows of another view sets `joined_view` and its `joined_time`: of a run of
    millions of statements only those that are there are sorted.
    Binds: tags, window_start, window_end. -#}
{% include 'enrich/_run_tags.sql' %},

run_queries AS (
  SELECT
    source.QUERY_ID,
    run_tags.TEST_ID,
    source.QUERY_PARAMETERIZED_HASH,
    source.START_TIME,
    source.END_TIME,
    source.TOTAL_ELAPSED_TIME,
    source.BYTES_SCANNED,
    source.PERCENTAGE_SCANNED_FROM_CACHE,
    source.PARTITIONS_SCANNED,
    source.PARTITIONS_TOTAL,
    source.BYTES_SPILLED_TO_LOCAL_STORAGE,
    source.BYTES_SPILLED_TO_REMOTE_STORAGE,
    source.TRANSACTION_BLOCKED_TIME,
    {% include 'enrich/_is_measured.sql' %} AS IS_MEASURED
  FROM {{ account_usage }}.QUERY_HISTORY AS source
  INNER JOIN run_tags ON STARTSWITH(source.QUERY_TAG || ':', run_tags.TAG || ':')
  WHERE
    source.START_TIME >= %(window_start)s::TIMESTAMP_LTZ
    AND source.START_TIME < %(window_end)s::TIMESTAMP_LTZ
    AND source.QUERY_ID IS NOT NULL
    {%- if joined_view is defined %}
    AND source.QUERY_ID IN (
      SELECT joined.QUERY_ID
      FROM {{ account_usage }}.{{ joined_view }} AS joined
      WHERE
        joined.{{ joined_time }} >= %(window_start)s::TIMESTAMP_LTZ
        AND joined.{{ joined_time }} < %(window_end)s::TIMESTAMP_LTZ
    )
    {%- endif %}
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY source.QUERY_ID
    ORDER BY
      source.END_TIME DESC NULLS LAST,
      source.TOTAL_ELAPSED_TIME DESC NULLS LAST,
      source.QUERY_TAG DESC NULLS LAST,
      source.START_TIME DESC NULLS LAST,
      source.QUERY_PARAMETERIZED_HASH DESC NULLS LAST,
      source.BYTES_SCANNED DESC NULLS LAST,
      source.PERCENTAGE_SCANNED_FROM_CACHE DESC NULLS LAST,
      source.PARTITIONS_SCANNED DESC NULLS LAST,
      source.PARTITIONS_TOTAL DESC NULLS LAST,
      source.BYTES_SPILLED_TO_LOCAL_STORAGE DESC NULLS LAST,
      source.BYTES_SPILLED_TO_REMOTE_STORAGE DESC NULLS LAST,
      source.TRANSACTION_BLOCKED_TIME DESC NULLS LAST
  ) = 1
)
