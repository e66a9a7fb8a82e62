{#- Fragment: a job for each chosen finished run that has none: what discovery and backfill share. JOB_ID is derived from the
    run id, so that two deployments agree. Follows _finished_runs.sql; `chosen` is a predicate on unknown_runs.
    Binds: catalogue (JSON), known_table_types, fallback_table_type, unenriched_table_types. -#}
catalogue AS (
  SELECT
    entries.VALUE:"name"::VARCHAR AS ENRICHMENT_TYPE,
    tables.VALUE:"table_type"::VARCHAR AS TABLE_TYPE,
    entries.VALUE:"due_after_minutes"::INTEGER AS DUE_AFTER_MINUTES
  FROM
    TABLE(FLATTEN(INPUT => PARSE_JSON(%(catalogue)s))) AS entries,
    LATERAL FLATTEN(INPUT => entries.VALUE:"table_types") AS tables
  WHERE entries.VALUE:"is_discovered"::BOOLEAN
),

new_runs AS (
  SELECT
    RUN_ID,
    TABLE_TYPE,
    CASE WHEN TABLE_TYPE IN (%(known_table_types)s) THEN TABLE_TYPE ELSE %(fallback_table_type)s END AS ENRICHED_AS,
    TABLE_TYPE IN (%(unenriched_table_types)s) AS IS_UNENRICHED,
    ENDED_AT,
    -- an end that is missing or ahead of the clock says nothing: count from now
    CASE WHEN ENDED_AT <= SYSDATE() THEN ENDED_AT ELSE SYSDATE() END AS COUNTED_FROM
  FROM unknown_runs
  WHERE {{ chosen }}
),

new_jobs AS (
  SELECT
    MD5(new_runs.RUN_ID) AS JOB_ID,
    new_runs.RUN_ID AS TEST_ID,
    new_runs.RUN_ID,
    MAX(new_runs.ENDED_AT) AS TEST_END_TIME,
    MIN(DATEADD('minute', catalogue.DUE_AFTER_MINUTES, new_runs.COUNTED_FROM)) AS EARLIEST_ENRICHMENT_TIME,
    MAX(new_runs.TABLE_TYPE) AS TABLE_TYPE,
    ARRAY_AGG(catalogue.ENRICHMENT_TYPE) WITHIN GROUP (ORDER BY catalogue.ENRICHMENT_TYPE) AS ENRICHMENT_TYPES,
    CASE WHEN COUNT(catalogue.ENRICHMENT_TYPE) = 0 THEN 'NOT_APPLICABLE' ELSE 'PENDING' END AS STATUS,
    SYSDATE() AS CREATED_AT
  FROM new_runs
  LEFT JOIN catalogue ON new_runs.ENRICHED_AS = catalogue.TABLE_TYPE AND NOT new_runs.IS_UNENRICHED
  GROUP BY new_runs.RUN_ID
)
