{% from 'cleanup/_orphan_tables.sql' import ORPHAN_TABLES -%}
-- Purpose:    deletes what belongs to runs that FlakeBench has deleted, and the tries of jobs that no longer exist.
-- Grain:      at most batch_size keys of each table; called until none has more.
-- Binds:      batch_size.
-- Write mode: each DELETE is a transaction of its own, chooses and deletes in one statement, and may be repeated.
--             Without any row in TEST_RESULTS it deletes nothing: then the table is missing its data, not the runs.
-- Limits:     keys are not enforced; rows that share one are deleted together, as far as each is orphaned.
{%- for table, key in ORPHAN_TABLES %}
{%- if not loop.first %}

{% endif %}
DELETE FROM {{ enrichment }}.{{ table }}
WHERE
  EXISTS (SELECT 1 AS FOUND FROM {{ results }}.TEST_RESULTS WHERE RUN_ID IS NOT NULL)
  AND {{ key }} IN (
    SELECT {{ key }}
    FROM {{ enrichment }}.{{ table }}
    WHERE {% include 'cleanup/_is_orphaned.sql' %}
    QUALIFY ROW_NUMBER() OVER (ORDER BY {{ key }}) <= %(batch_size)s
  )
  AND {% include 'cleanup/_is_orphaned.sql' %};
{%- endfor %}

DELETE FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS
WHERE
  EXISTS (SELECT 1 AS FOUND FROM {{ results }}.TEST_RESULTS WHERE RUN_ID IS NOT NULL)
  AND JOB_ID IN (
    SELECT JOB_ID
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS
    WHERE JOB_ID NOT IN (
      SELECT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
      UNION ALL
      SELECT JOB_ID FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
    )
    QUALIFY ROW_NUMBER() OVER (ORDER BY JOB_ID) <= %(batch_size)s
  );
