-- Purpose:    what two to five runs were given and what came out, side by side.
-- Source:     TEST_RESULTS, V_RUN_ENRICHMENT and V_CLIENT_AND_SERVER_LATENCY.
-- Grain:      one row per id that is known; the caller puts them into the order that was asked for.
-- Binds:      run_ids (of runs or of their children).
-- Write mode: reads only.
-- Limits:     an id that nothing has gives no row. Server values are NULL until their enrichment type is written;
--             COMPLETENESS says which are still to come.
WITH requested AS (
  SELECT
    tests.TEST_ID AS REQUESTED_ID,
    MAX(tests.RUN_ID) AS RUN_ID
  FROM {{ results }}.TEST_RESULTS AS tests
  WHERE tests.TEST_ID IN (%(run_ids)s)
  GROUP BY tests.TEST_ID
),

children AS (
  SELECT
    tests.RUN_ID,
    COUNT(DISTINCT tests.TEST_ID) AS WORKER_COUNT,
    MIN(tests.START_TIME) AS STARTED_AT,
    MAX(tests.END_TIME) AS ENDED_AT
  FROM {{ results }}.TEST_RESULTS AS tests
  INNER JOIN requested ON tests.RUN_ID = requested.RUN_ID
  WHERE tests.TEST_ID <> tests.RUN_ID
  GROUP BY tests.RUN_ID
)

SELECT
  requested.REQUESTED_ID,
  parents.RUN_ID,
  parents.TEST_NAME,
  parents.SCENARIO_NAME,
  parents.TABLE_NAME,
  UPPER(TRIM(parents.TABLE_TYPE)) AS TABLE_TYPE,
  parents.WAREHOUSE,
  parents.WAREHOUSE_SIZE,
  parents.STATUS AS RUN_STATUS,
  COALESCE(children.STARTED_AT, parents.START_TIME) AS RUN_STARTED_AT,
  COALESCE(children.ENDED_AT, parents.END_TIME) AS RUN_ENDED_AT,
  children.WORKER_COUNT,
  parents.CONCURRENT_CONNECTIONS,
  parents.TEST_CONFIG,
  parents.TOTAL_OPERATIONS,
  parents.FAILED_OPERATIONS,
  parents.QPS,
  enriched.ENRICHMENT_STATUS,
  enriched.DATA_COMPLETE,
  enriched.DATA_AVAILABLE_UNTIL,
  enriched.ETA_AT,
  enriched.COMPLETENESS,
  enriched.QUERY_COUNT,
  enriched.ERRORS_COUNT,
  enriched.THROTTLED_QUERY_COUNT,
{%- for metric in ['EXEC', 'COMPILE', 'ELAPSED'] %}
  enriched.{{ metric }}_AVG_MS,
  enriched.{{ metric }}_MAX_MS,
{%- for name in ['MEDIAN', 'P90', 'P95', 'P99', 'P999'] %}
  enriched.{{ metric }}_{{ name }}_MS,
  enriched.{{ metric }}_{{ name }}_LOW_MS,
  enriched.{{ metric }}_{{ name }}_HIGH_MS,
{%- endfor %}
{%- endfor %}
  enriched.PERCENTILE_METHOD,
  enriched.QUEUED_OVERLOAD_SUM_MS,
  enriched.LOCK_WAIT_COUNT,
  enriched.LOCK_WAIT_TOTAL_MS,
  enriched.PARTITIONS_SCANNED,
  enriched.PARTITIONS_TOTAL,
  enriched.BYTES_SPILLED_LOCAL,
  enriched.BYTES_SPILLED_REMOTE,
  latency.CLIENT_AVG_MS,
  latency.CLIENT_MEDIAN_MS,
  latency.CLIENT_P95_MS,
  latency.CLIENT_P99_MS,
  latency.PCT_OUTSIDE_SERVER
FROM requested
INNER JOIN {{ results }}.TEST_RESULTS AS parents
  ON requested.RUN_ID = parents.TEST_ID AND parents.TEST_ID = parents.RUN_ID
LEFT JOIN children ON requested.RUN_ID = children.RUN_ID
LEFT JOIN {{ enrichment }}.V_RUN_ENRICHMENT AS enriched ON requested.RUN_ID = enriched.RUN_ID
LEFT JOIN {{ enrichment }}.V_CLIENT_AND_SERVER_LATENCY AS latency ON requested.RUN_ID = latency.RUN_ID
-- keys are not enforced: a parent row may be there twice
QUALIFY ROW_NUMBER() OVER (PARTITION BY requested.REQUESTED_ID ORDER BY parents.CREATED_AT DESC) = 1
ORDER BY requested.REQUESTED_ID;
