{#- Macros: the statistics of EXECUTION_TIME, COMPILATION_TIME and TOTAL_ELAPSED_TIME, alike for a pattern and for a
    run. One place says how rows of AGGREGATE_QUERY_HISTORY become one. -#}
{%- set METRICS = [('EXEC', 'EXECUTION_TIME'), ('COMPILE', 'COMPILATION_TIME'), ('ELAPSED', 'TOTAL_ELAPSED_TIME')] -%}
{#- name, column of the view and key of each statistic that is read -#}
{%- set STATISTICS = [] -%}
{%- for metric, column in METRICS -%}
  {%- for name, key in [
    ('STATED_SUM', 'sum'), ('AVG', 'avg'), ('STDDEV', 'stddev'), ('MIN', 'min'), ('MEDIAN', 'median'), ('P90', 'p90'),
    ('P99', 'p99'), ('P999', 'p99.9'), ('MAX', 'max')
  ] -%}
    {%- set _ = STATISTICS.append((metric ~ '_' ~ name, column, key)) -%}
  {%- endfor -%}
{%- endfor -%}
{%- for name, column in [
  ('QUEUED_OVERLOAD', 'QUEUED_OVERLOAD_TIME'), ('QUEUED_PROVISIONING', 'QUEUED_PROVISIONING_TIME'),
  ('BYTES_SCANNED', 'BYTES_SCANNED'), ('ROWS_PRODUCED', 'ROWS_PRODUCED')
] -%}
  {%- set _ = STATISTICS.append((name ~ '_SUM', column, 'sum')) -%}
  {%- set _ = STATISTICS.append((name ~ '_MAX', column, 'max')) -%}
{%- endfor -%}
{%- set MOMENTS = ['SUM', 'AVG', 'STDDEV', 'MIN', 'MAX'] -%}
{#- the view has no 95th percentile -#}
{%- set QUANTILES = ['MEDIAN', 'P90', 'P95', 'P99', 'P999'] -%}

{#- The target's columns, in the order of `chosen`. -#}
{% macro columns() -%}
{%- for metric, _ in METRICS %}
  {% for value in MOMENTS %}{{ metric }}_{{ value }}_MS, {% endfor %}
  {%- for quantile in QUANTILES %}
  {{ metric }}_{{ quantile }}_MS, {{ metric }}_{{ quantile }}_LOW_MS, {{ metric }}_{{ quantile }}_HIGH_MS,
  {%- endfor %}
{%- endfor %}
{%- endmacro %}

{#- The same names, as a list for RUN_ENRICHMENT_SUMMARY. -#}
{% macro names() -%}
{%- for metric, _ in METRICS %}
{%- for value in MOMENTS %} {{ metric }}_{{ value }}_MS{% endfor %}
{%- for quantile in QUANTILES %}
{%- for suffix in ['', '_LOW', '_HIGH'] %} {{ metric }}_{{ quantile }}{{ suffix }}_MS{% endfor %}
{%- endfor %}
{%- endfor %}
{%- endmacro %}

{#- An aggregate over a column of ENRICHMENT_SOURCE; NULL when one row lacks it. -#}
{% macro all_known(function, column) -%}
CASE WHEN COUNT(source.{{ column }}) = COUNT(*) THEN {{ function }}(source.{{ column }}) END
{%- endmacro %}

{#- Aggregates over rows of ENRICHMENT_SOURCE joined with `means` (the mean per group, for the pooled deviation).
    A value that one row lacks is unknown for all. Percentiles are none of them: _merged_percentiles.sql. -#}
{% macro values() -%}
{%- for metric, _ in METRICS %}
  {{ all_known('SUM', metric ~ '_SUM') }} AS {{ metric }}_SUM_MS,
  CASE WHEN COUNT(source.{{ metric }}_SUM) = COUNT(*) THEN SUM(source.{{ metric }}_SUM) / NULLIF(SUM(source.CALLS), 0) END
    AS {{ metric }}_AVG_MS,
  -- pooled sample deviation: within the rows and between their means; one call has no variance of its own
  CASE
    WHEN COUNT(source.{{ metric }}_VARIATION) = COUNT(*) AND COUNT(source.{{ metric }}_SUM) = COUNT(*) AND SUM(source.CALLS) > 1
      THEN SQRT(
        (
          SUM(source.{{ metric }}_VARIATION)
          + SUM(source.CALLS * POWER(source.{{ metric }}_SUM / NULLIF(source.CALLS, 0) - means.{{ metric }}_MEAN, 2))
        ) / (SUM(source.CALLS) - 1)
      )
  END AS {{ metric }}_STDDEV_MS,
  {{ all_known('MIN', metric ~ '_MIN') }} AS {{ metric }}_MIN_MS,
  {{ all_known('MAX', metric ~ '_MAX') }} AS {{ metric }}_MAX_MS,
{%- endfor %}
{%- endmacro %}

{#- The columns of `columns` from two CTEs: `moments` with the aliases of `values`, `percentiles` with ENRICHMENT_PERCENTILES. -#}
{% macro chosen(moments, percentiles) -%}
{%- for metric, _ in METRICS %}
  {%- for value in MOMENTS %}
  {{ moments }}.{{ metric }}_{{ value }}_MS,
  {%- endfor %}
  {%- for quantile in QUANTILES %}
  {%- for suffix in ['', '_LOW', '_HIGH'] %}
  {{ percentiles }}.{{ metric }}_{{ quantile }}{{ suffix }} AS {{ metric }}_{{ quantile }}{{ suffix }}_MS,
  {%- endfor %}
  {%- endfor %}
{%- endfor %}
{%- endmacro %}
