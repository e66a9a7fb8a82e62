-- Purpose:    the latency that the client measured beside the server's, and the share of the time that was spent outside the
--             server, for the runs of the last 30 days.
-- Group:      verify
-- Grain:      one row per run of which QUERY_HISTORY is written, the newest first.
-- Write mode: reads only.
-- Limits:     server values are NULL until AGGREGATE is written. The share compares the same statements (PAIRED) where
--             QUERY_HISTORY has nearly all of them; else, as for hybrid tables, the averages of all statements of each
--             side (AVERAGES). Percentiles are of two distributions and are not subtracted.
-- Corrects:   the plan compared the client's p95 with the MAX over the patterns of the execution time alone, where the
--             client waits for compilation and queueing too: here it is the run's total elapsed time. Division by a client
--             value of 0 failed, lower-case table types and UNISTORE were left out.
SELECT
  latency.RUN_ID,
  latency.TEST_NAME,
  latency.TABLE_TYPE,
  latency.TEST_END_TIME,
  latency.DATA_COMPLETE,
  latency.CLIENT_QUERY_COUNT,
  latency.SERVER_QUERY_COUNT,
  latency.CLIENT_AVG_MS,
  latency.SERVER_AVG_MS,
  latency.OUTSIDE_SERVER_AVG_MS,
  latency.PCT_OUTSIDE_SERVER,
  latency.OUTSIDE_SERVER_METHOD,
  latency.CLIENT_MEDIAN_MS,
  latency.SERVER_MEDIAN_MS,
  latency.CLIENT_P95_MS,
  latency.SERVER_P95_MS,
  latency.SERVER_P95_LOW_MS,
  latency.SERVER_P95_HIGH_MS,
  latency.CLIENT_P99_MS,
  latency.SERVER_P99_MS,
  latency.SERVER_P99_LOW_MS,
  latency.SERVER_P99_HIGH_MS,
  latency.PERCENTILE_METHOD
FROM {{ enrichment }}.V_CLIENT_AND_SERVER_LATENCY AS latency
WHERE latency.TEST_END_TIME >= DATEADD('day', -30, SYSDATE())
ORDER BY latency.TEST_END_TIME DESC, latency.RUN_ID;
