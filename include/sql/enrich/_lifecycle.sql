{#- The life of one try, shared by every enrichment type; a type's template extends it and fills the blocks:

      newest     how far the view reaches; asked before it is read, so that it never claims more than was read
      read       CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_SOURCE AS ...   the view's rows of this run
      derive     further temporary tables made of it, before the transaction (optional)
      reading    FOUND_ROWS rows to write, STORED_ROWS rows written before; FOUND_CALLS, STORED_CALLS their calls
                 (NULL: not counted); FOUND_COUNT of EXPECTED_COUNT for the coverage. The stored summary is read with
                 them, before the transaction: nobody else writes these columns, or the fence says so
      write      INSERT INTO the target
      extra      further statements of the transaction (optional)
      summary    one row: RUN_ID and the columns of RUN_ENRICHMENT_SUMMARY that this type owns

    and sets `target`, the table that is replaced for the run, and `summary_columns`.

    A statement behind "-- step: <name>" is one that include/enrichment/lifecycle.py looks at: the rows of `run`,
    `newest` and `reading` become bind parameters of the statements after it, as psql's \gset does; `take_over` and
    `finish` must change exactly one row, or the connection is closed before COMMIT and nothing is written. One behind
    "-- when: <name>" is left out when it would change nothing: there are no rows of an earlier look to delete, none to
    insert, no values to compare. Its own WHERE says so as well, so the template does the same when it is sent in whole.

    Write mode: the view is read before the transaction; the transaction replaces the run's rows, its part of
    the summary and, last, the task's row, fenced by the token. %(replace)s is false when there is nothing to
    write or the source holds less than is stored. Nothing follows the last semicolon: Snowflake would refuse
    the empty statement.

    The second look. A task that settled incomplete, or below full coverage, has a RECHECK_AT; the view is read once more
    then, because rows can still arrive or change. The status does not show it, so that a run that is complete stays so
    whatever happens to the look; what holds the task is its lease:

      state of a COMPLETED task         RECHECK_AT   LEASE_EXPIRES_AT   left by
      settled                           NULL         NULL               clearing, retry with force
      second look waits                 set          NULL               claim, when due; clearing, retry with force
      second look is under way          set          set                this template; end_second_look.sql; rescue
      and then: settled; or it waits    NULL; later  NULL               (written or given up; to be tried again)

    RECHECK_AT is NULL in every other status: taking a task over for a first look, and a retry, clear it. A second look
    (%(is_second_look)s) takes over a COMPLETED task only, counts its tries in RECHECK_ATTEMPTS, never writes less than is
    stored, leaves STATUS and COMPLETED_AT alone, and lets the job be announced again only when a value changed. Cleared
    by a person, it is repeated as what it was. -#}
{%- set columns_of_the_look = [
  ('ROWS_WRITTEN', '%(rows_written)s'),
  ('EXPECTED_COUNT', '%(expected_count)s'),
  ('FOUND_COUNT', '%(found_count)s'),
  ('COVERAGE', '%(coverage)s'),
  ('DATA_COMPLETE', '%(data_complete)s'),
  ('DATA_AVAILABLE_UNTIL', '%(data_available_until)s::TIMESTAMP_NTZ'),
  ('LAST_QUERY_ID', '%(query_id)s'),
  ('REASON_CODE', '%(reason_code)s'),
  ('LAST_ERROR', '%(message)s'),
] %}
-- step: take_over
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = %(held_status)s,
  CLAIM_TOKEN = %(token)s,
  CLAIMED_BY = %(claimed_by)s,
  LEASE_EXPIRES_AT = DATEADD('second', %(lease_seconds)s, SYSDATE()),
  CLAIMED_AT = COALESCE(CLAIMED_AT, SYSDATE()),
  STARTED_AT = SYSDATE(),
  ATTEMPTS = CASE WHEN %(is_second_look)s THEN ATTEMPTS ELSE ATTEMPTS + 1 END,
  RECHECK_ATTEMPTS = CASE
    WHEN NOT %(is_second_look)s THEN 0 WHEN RECHECK_AT IS NULL THEN 1 ELSE COALESCE(RECHECK_ATTEMPTS, 0) + 1
  END,
  RECHECK_AT = CASE WHEN %(is_second_look)s THEN COALESCE(RECHECK_AT, SYSDATE()) END,
  UPDATED_AT = SYSDATE()
WHERE
  JOB_ID = %(job_id)s
  AND ENRICHMENT_TYPE = %(enrichment_type)s
  AND (STATUS = 'COMPLETED' OR NOT %(is_second_look)s)
  AND NOT (
    {% include 'queue/_is_held.sql' %}
    AND COALESCE(LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) > SYSDATE()
    AND NOT STARTSWITH(COALESCE(CLAIM_TOKEN, '') || ':', %(claim_token)s || ':')
  );

-- step: run
WITH run_rows AS (
  SELECT
    TEST_ID,
    TEST_ID <> RUN_ID AS IS_CHILD,
    STATUS,
    UPPER(TRIM(TABLE_TYPE)) AS TABLE_TYPE,
    START_TIME,
    END_TIME,
    GREATEST(COALESCE(TOTAL_OPERATIONS, 0) - COALESCE(FAILED_OPERATIONS, 0), 0) AS SUCCESSFUL_OPERATIONS,
    -- the base of a tag: without its ":phase=..." tail; blanks around it belong to it, statements carry them too
    CASE
      WHEN CONTAINS(QUERY_TAG, ':phase=') THEN LEFT(QUERY_TAG, POSITION(':phase=' IN QUERY_TAG) - 1)
      ELSE QUERY_TAG
    END AS BASE_TAG
  FROM {{ results }}.TEST_RESULTS
  WHERE RUN_ID = %(run_id)s
),

run_window AS (
  SELECT
    COALESCE(MIN(CASE WHEN IS_CHILD THEN START_TIME END), MIN(CASE WHEN NOT IS_CHILD THEN START_TIME END)) AS STARTED_AT,
    COALESCE(MAX(CASE WHEN IS_CHILD THEN END_TIME END), MAX(CASE WHEN NOT IS_CHILD THEN END_TIME END)) AS ENDED_AT
  FROM run_rows
),

-- tags that another run carries as well, or extends, at an overlapping time
foreign_tags AS (
  SELECT DISTINCT run_rows.BASE_TAG
  FROM run_rows
  CROSS JOIN run_window
  INNER JOIN {{ results }}.TEST_RESULTS AS others
    ON STARTSWITH(others.QUERY_TAG || ':', run_rows.BASE_TAG || ':')
    AND others.RUN_ID <> %(run_id)s
    AND others.START_TIME < DATEADD('minute', 5, run_window.ENDED_AT)
    AND COALESCE(others.END_TIME, '9999-12-31'::TIMESTAMP_NTZ) >= DATE_TRUNC('minute', run_window.STARTED_AT)
),

tags AS (
  SELECT
    run_rows.BASE_TAG,
    -- a tag that several children share names none of them
    CASE WHEN COUNT(DISTINCT run_rows.TEST_ID) = 1 THEN MAX(CASE WHEN run_rows.IS_CHILD THEN run_rows.TEST_ID END) END
      AS TEST_ID,
    BOOLOR_AGG(
      CONTAINS(run_rows.BASE_TAG, run_rows.TEST_ID) OR CONTAINS(run_rows.BASE_TAG, %(run_id)s)
      OR (foreign_tags.BASE_TAG IS NULL AND TRIM(run_rows.BASE_TAG) NOT IN (%(control_plane_tags)s))
    ) AS IS_USABLE
  FROM run_rows
  LEFT JOIN foreign_tags ON run_rows.BASE_TAG = foreign_tags.BASE_TAG
  WHERE TRIM(run_rows.BASE_TAG) <> ''
  GROUP BY run_rows.BASE_TAG
),

-- TEST_RESULTS enforces no key: a child counts once, however often its row is there
children AS (
  SELECT
    TEST_ID,
    MAX(SUCCESSFUL_OPERATIONS) AS SUCCESSFUL_OPERATIONS
  FROM run_rows
  WHERE IS_CHILD
  GROUP BY TEST_ID
)

SELECT
  SYSDATE() AS NOW_AT,
  (SELECT COUNT(*) FROM run_rows WHERE NOT IS_CHILD) AS PARENT_COUNT,
  (SELECT MAX(STATUS) FROM run_rows WHERE NOT IS_CHILD) AS RUN_STATUS,
  (SELECT MAX(TABLE_TYPE) FROM run_rows WHERE NOT IS_CHILD) AS TABLE_TYPE,
  (SELECT MAX(PHASE) FROM {{ results }}.RUN_STATUS WHERE RUN_ID = %(run_id)s) AS RUN_PHASE,
  run_window.STARTED_AT,
  run_window.ENDED_AT,
  (SELECT SUM(SUCCESSFUL_OPERATIONS) FROM children) AS SUCCESSFUL_OPERATIONS,
  (SELECT TO_JSON(ARRAY_AGG(TEST_ID)) FROM children) AS CHILD_IDS,
  (SELECT COUNT(*) FROM tags) AS TAG_COUNT,
  (
    SELECT TO_JSON(ARRAY_AGG(OBJECT_CONSTRUCT('tag', BASE_TAG, 'test_id', TEST_ID))) FROM tags WHERE IS_USABLE
  ) AS TAGS,
  CASE WHEN %(is_second_look)s THEN tasks.RECHECK_ATTEMPTS ELSE tasks.ATTEMPTS END AS ATTEMPTS,
  tasks.SNOOZES,
  tasks.ROWS_WRITTEN,
  tasks.EXPECTED_COUNT,
  tasks.FOUND_COUNT,
  tasks.COVERAGE,
  tasks.DATA_COMPLETE,
  tasks.REASON_CODE,
  COALESCE(tasks.IS_FORCED, FALSE) AS IS_FORCED,
  tasks.CREATED_AT AS QUEUED_AT
FROM run_window
CROSS JOIN {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
WHERE tasks.JOB_ID = %(job_id)s AND tasks.ENRICHMENT_TYPE = %(enrichment_type)s;

-- step: newest
SELECT {% block newest %}NULL::TIMESTAMP_NTZ{% endblock %} AS NEWEST_AT;

-- step: read
CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_SOURCE AS
{% block read %}{% endblock %};
{% block derive %}{% endblock %}
-- step: reading
SELECT
{%- block reading %}{% endblock %},
  {{ 'stored.' ~ summary_columns | join(',\n  stored.') }}
FROM (SELECT %(run_id)s AS RUN_ID) AS this_run
LEFT JOIN {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS stored ON this_run.RUN_ID = stored.RUN_ID;

BEGIN;

-- when: has_stored_rows
DELETE FROM {{ enrichment }}.{{ target }}
WHERE RUN_ID = %(run_id)s AND %(replace)s;

-- when: has_found_rows
-- step: write
{% block write %}{% endblock %};
{% block extra %}{% endblock %}
-- when: replace
MERGE INTO {{ enrichment }}.RUN_ENRICHMENT_SUMMARY AS summary
USING (
{%- block summary %}{% endblock %}
) AS fresh
  ON summary.RUN_ID = fresh.RUN_ID
WHEN MATCHED AND %(replace)s THEN UPDATE SET
{%- for column in summary_columns %}
  {{ column }} = fresh.{{ column }},
{%- endfor %}
  UPDATED_AT = SYSDATE()
WHEN NOT MATCHED AND %(replace)s THEN INSERT (
  RUN_ID, TEST_ID,{% for column in summary_columns %} {{ column }},{% endfor %} CREATED_AT, UPDATED_AT
) VALUES (
  fresh.RUN_ID, fresh.RUN_ID,{% for column in summary_columns %} fresh.{{ column }},{% endfor %} SYSDATE(), SYSDATE()
);

-- when: has_stored_summary
-- step: written_summary
SELECT
  {{ summary_columns | join(',\n  ') }}
FROM {{ enrichment }}.RUN_ENRICHMENT_SUMMARY
WHERE RUN_ID = %(run_id)s;

INSERT INTO {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS (
  JOB_ID, RUN_ID, ENRICHMENT_TYPE, CLAIM_TOKEN, CLAIMED_BY, STARTED_AT, ENDED_AT, OUTCOME, REASON_CODE, ROWS_WRITTEN,
  EXPECTED_COUNT, FOUND_COUNT, CHANGES, DURATION_MS, QUERY_ID, ERROR, CREATED_AT
)
SELECT
  JOB_ID,
  RUN_ID,
  ENRICHMENT_TYPE,
  CLAIM_TOKEN,
  CLAIMED_BY,
  STARTED_AT,
  SYSDATE() AS ENDED_AT,
  %(outcome)s AS OUTCOME,
  %(reason_code)s AS REASON_CODE,
  %(rows_written)s AS ROWS_WRITTEN,
  %(expected_count)s AS EXPECTED_COUNT,
  %(found_count)s AS FOUND_COUNT,
  PARSE_JSON(%(changes)s) AS CHANGES,
  DATEDIFF('millisecond', STARTED_AT, SYSDATE()) AS DURATION_MS,
  %(query_id)s AS QUERY_ID,
  %(message)s AS ERROR,
  SYSDATE() AS CREATED_AT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE JOB_ID = %(job_id)s AND ENRICHMENT_TYPE = %(enrichment_type)s AND CLAIM_TOKEN = %(token)s;

-- step: finish
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = %(status)s,
  DUE_AT = COALESCE(%(due_at)s::TIMESTAMP_NTZ, DUE_AT),
  ATTEMPTS = GREATEST(ATTEMPTS + %(attempts_delta)s, 0),
  SNOOZES = SNOOZES + %(snoozes_delta)s,
  LEASE_EXPIRES_AT = NULL,
  IS_FORCED = IS_FORCED AND %(status)s = 'PENDING',
  COMPLETED_AT = CASE WHEN %(is_second_look)s THEN COMPLETED_AT WHEN %(status)s <> 'PENDING' THEN SYSDATE() END,
  RECHECK_AT = %(recheck_at)s::TIMESTAMP_NTZ,
  -- a second look that found less describes nothing that is stored
{%- for column, value in columns_of_the_look %}
  {{ column }} = CASE WHEN %(is_second_look)s AND NOT %(replace)s THEN {{ column }} ELSE {{ value }} END,
{%- endfor %}
  DURATION_MS = DATEDIFF('millisecond', STARTED_AT, SYSDATE()),
  EVENT_EMITTED_AT = CASE WHEN %(is_second_look)s AND NOT %(is_changed)s THEN EVENT_EMITTED_AT END,
  UPDATED_AT = SYSDATE()
WHERE
  JOB_ID = %(job_id)s
  AND ENRICHMENT_TYPE = %(enrichment_type)s
  AND CLAIM_TOKEN = %(token)s
  AND STATUS = %(held_status)s;

COMMIT;
