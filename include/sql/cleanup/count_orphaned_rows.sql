{% from 'cleanup/_orphan_tables.sql' import ORPHAN_TABLES -%}
-- Purpose:    what delete_orphaned_rows.sql would delete, and whether FlakeBench has any run at all.
-- Grain:      one row: a column per statement of delete_orphaned_rows.sql, in its order, then KNOWN_TESTS, the rows of
--             TEST_RESULTS. When that is 0 the counts are not to be trusted: it is another table, or being set up.
-- Write mode: reads only.
SELECT
{%- for table, key in ORPHAN_TABLES %}
  (
    SELECT COUNT(*) FROM {{ enrichment }}.{{ table }}
    WHERE {% include 'cleanup/_is_orphaned.sql' %}
  ) AS {{ table }},
{%- endfor %}
  (
    SELECT COUNT(*) FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS
    WHERE
      JOB_ID NOT IN (
        SELECT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
        UNION ALL
        SELECT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
      )
      AND NOT {% include 'cleanup/_is_orphaned.sql' %}
  ) AS ATTEMPTS_WITHOUT_JOB,
  (SELECT COUNT(RUN_ID) FROM {{ results }}.TEST_RESULTS) AS KNOWN_TESTS;
