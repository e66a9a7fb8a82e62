-- Purpose:    what enrichment_monitor compares with the thresholds: counts and extreme times, by hour; of what is still
--             to come, due times and ends of leases, by minute.
-- Group:      monitor
-- Grain:      one row per figure, time (and enrichment type, of UNTRIED: since due; and of WAITING: since their run).
--             AMOUNT: jobs of DUE_JOBS, BACKFILL_JOBS, SETTLED_JOBS, SETTLED_BACKFILL_JOBS and ENDED_JOBS, tasks of
--             UNTRIED, WAITING, LEASES, SETTLED_TASKS and COMPLETED_TASKS, runs of UNKNOWN_RUNS. PART: how many of them
--             failed; of ENDED_JOBS: were done 4 hours after the test's end; of UNKNOWN_RUNS: ended since the package is
--             there. TOTAL: attempts of the settled jobs; longest delay in seconds of COMPLETED_TASKS; of ENDED_JOBS:
--             done after 3.5 hours.
-- Binds:      statuses, look_back_days, later_types: those that are due after the target; ENDED_JOBS is without them.
-- Write mode: reads only.
-- Limits:     no clock and no hybrid table, so that Snowflake answers an unchanged question from the result cache
--             without a warehouse; ages are computed in Python. "The last day" reaches back from the newest row instead,
--             which is at least as far. Backfill is in LEASES and in figures of its own only: it waits on purpose, and
--             its many old runs would hide how the fresh ones fare.
WITH
{% include 'queue/_finished_runs.sql' %},

all_tasks AS (
  SELECT
    JOB_ID,
    ENRICHMENT_TYPE,
    STATUS,
    PRIORITY > 0 AS IS_BACKFILL,
    ENRICHMENT_TYPE IN (%(later_types)s) AS IS_LATER,
    DUE_AT,
    ATTEMPTS,
    CREATED_AT,
    COMPLETED_AT,
    LEASE_EXPIRES_AT,
    ATTEMPTS = 0 AND SNOOZES = 0 AND REASON_CODE IS NULL AND DUE_AT IS NOT NULL AS IS_UNTRIED,
    {% include 'queue/_is_held.sql' %} AS IS_HELD,
    {% include 'monitor/_tried_and_settled.sql' %} AS IS_TRIED_AND_SETTLED
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
),

-- without a clock, "the last day" is the day before the newest row
newest AS (
  SELECT DATEADD('hour', -26, MAX(COMPLETED_AT)) AS SETTLED_FROM
  FROM all_tasks
),

-- the first migration; or the first task, where the record is younger than the tables
installation AS (
  SELECT
    MIN(SEEN_AT) AS INSTALLED_AT,
    DATEADD('day', -%(look_back_days)s, MIN(SEEN_AT)) AS KNOWN_FROM
  FROM (
    SELECT MIN(CREATED_AT) AS SEEN_AT
    FROM all_tasks
    UNION ALL
    SELECT MAX(CHANGED_AT) AS SEEN_AT
    FROM {{ enrichment }}.ENRICHMENT_MIGRATIONS
    WHERE VERSION = 1 AND STATE = 'APPLIED'
  ) AS traces
),

newest_job AS (
  SELECT DATEADD('hour', -32, MAX(CREATED_AT)) AS ENDED_FROM
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
),

-- until it is tried, a task's first due time is its only one; a try that waits again moves it
waiting_tasks AS (
  SELECT
    all_tasks.ENRICHMENT_TYPE,
    all_tasks.IS_UNTRIED,
    CASE
      WHEN all_tasks.IS_UNTRIED THEN GREATEST(all_tasks.DUE_AT, all_tasks.CREATED_AT)
      ELSE GREATEST(all_tasks.CREATED_AT, COALESCE(queued.TEST_END_TIME, all_tasks.CREATED_AT))
    END AS SINCE
  FROM all_tasks
  LEFT JOIN {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued ON all_tasks.JOB_ID = queued.JOB_ID
  WHERE all_tasks.STATUS = 'PENDING' AND NOT all_tasks.IS_BACKFILL
),

jobs AS (
  SELECT
    JOB_ID,
    IS_BACKFILL,
    MIN(CASE WHEN STATUS = 'PENDING' THEN DUE_AT END) AS FIRST_DUE_AT,
    MAX(CASE WHEN IS_TRIED_AND_SETTLED THEN COMPLETED_AT END) AS SETTLED_AT,
    MAX(CASE WHEN IS_TRIED_AND_SETTLED AND NOT IS_LATER THEN COMPLETED_AT END) AS DONE_AT,
    MAX(CASE WHEN IS_TRIED_AND_SETTLED THEN ATTEMPTS END) AS ATTEMPTS,
    COUNT_IF(STATUS IN ('PENDING', 'IN_PROGRESS') AND NOT IS_LATER) AS OPEN_TASKS,
    COUNT_IF(STATUS = 'FAILED') AS FAILED_TASKS,
    COUNT_IF(STATUS = 'FAILED' AND NOT IS_LATER) AS NOT_DONE_TASKS
  FROM all_tasks
  GROUP BY JOB_ID, IS_BACKFILL
),

ended_jobs AS (
  SELECT
    queued.TEST_END_TIME,
    CASE
      WHEN jobs.OPEN_TASKS = 0 AND jobs.NOT_DONE_TASKS = 0 THEN DATEDIFF('minute', queued.TEST_END_TIME, jobs.DONE_AT)
    END AS DONE_AFTER_MINUTES
  FROM {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE AS queued
  INNER JOIN jobs ON queued.JOB_ID = jobs.JOB_ID AND NOT jobs.IS_BACKFILL
  CROSS JOIN newest_job
  CROSS JOIN installation
  WHERE
    queued.TEST_END_TIME >= newest_job.ENDED_FROM
    -- what had ended before the package was there could not be done in time
    AND queued.TEST_END_TIME >= installation.INSTALLED_AT
    AND (jobs.OPEN_TASKS > 0 OR jobs.DONE_AT IS NOT NULL)
)

SELECT
  CASE WHEN IS_BACKFILL THEN 'BACKFILL_JOBS' ELSE 'DUE_JOBS' END AS FIGURE,
  DATE_TRUNC('minute', FIRST_DUE_AT) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  0 AS PART,
  0 AS TOTAL,
  MIN(FIRST_DUE_AT) AS OLDEST_AT,
  MAX(FIRST_DUE_AT) AS NEWEST_AT
FROM jobs
WHERE FIRST_DUE_AT IS NOT NULL
GROUP BY IS_BACKFILL, DATE_TRUNC('minute', FIRST_DUE_AT)
UNION ALL
SELECT
  CASE WHEN IS_UNTRIED THEN 'UNTRIED' ELSE 'WAITING' END AS FIGURE,
  NULL::TIMESTAMP_NTZ AS BUCKET_AT,
  ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  0 AS PART,
  0 AS TOTAL,
  MIN(SINCE) AS OLDEST_AT,
  MAX(SINCE) AS NEWEST_AT
FROM waiting_tasks
GROUP BY IS_UNTRIED, ENRICHMENT_TYPE
UNION ALL
SELECT
  'LEASES' AS FIGURE,
  DATE_TRUNC('minute', LEASE_EXPIRES_AT) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  0 AS PART,
  0 AS TOTAL,
  MIN(LEASE_EXPIRES_AT) AS OLDEST_AT,
  MAX(LEASE_EXPIRES_AT) AS NEWEST_AT
FROM all_tasks
WHERE IS_HELD
GROUP BY DATE_TRUNC('minute', LEASE_EXPIRES_AT)
UNION ALL
SELECT
  'SETTLED_TASKS' AS FIGURE,
  DATE_TRUNC('hour', all_tasks.COMPLETED_AT) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  COUNT_IF(all_tasks.STATUS = 'FAILED') AS PART,
  0 AS TOTAL,
  MIN(all_tasks.COMPLETED_AT) AS OLDEST_AT,
  MAX(all_tasks.COMPLETED_AT) AS NEWEST_AT
FROM all_tasks
CROSS JOIN newest
WHERE all_tasks.IS_TRIED_AND_SETTLED AND NOT all_tasks.IS_BACKFILL AND all_tasks.COMPLETED_AT >= newest.SETTLED_FROM
GROUP BY DATE_TRUNC('hour', all_tasks.COMPLETED_AT)
UNION ALL
SELECT
  'COMPLETED_TASKS' AS FIGURE,
  DATE_TRUNC('hour', all_tasks.COMPLETED_AT) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  0 AS PART,
  MAX(DATEDIFF('second', GREATEST(all_tasks.DUE_AT, all_tasks.CREATED_AT), all_tasks.COMPLETED_AT)) AS TOTAL,
  MIN(all_tasks.COMPLETED_AT) AS OLDEST_AT,
  MAX(all_tasks.COMPLETED_AT) AS NEWEST_AT
FROM all_tasks
CROSS JOIN newest
WHERE
  all_tasks.STATUS = 'COMPLETED'
  AND NOT all_tasks.IS_BACKFILL
  AND all_tasks.DUE_AT IS NOT NULL
  AND all_tasks.COMPLETED_AT >= newest.SETTLED_FROM
GROUP BY DATE_TRUNC('hour', all_tasks.COMPLETED_AT)
UNION ALL
SELECT
  CASE WHEN jobs.IS_BACKFILL THEN 'SETTLED_BACKFILL_JOBS' ELSE 'SETTLED_JOBS' END AS FIGURE,
  DATE_TRUNC('hour', jobs.SETTLED_AT) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  COUNT_IF(jobs.FAILED_TASKS > 0) AS PART,
  SUM(jobs.ATTEMPTS) AS TOTAL,
  MIN(jobs.SETTLED_AT) AS OLDEST_AT,
  MAX(jobs.SETTLED_AT) AS NEWEST_AT
FROM jobs
CROSS JOIN newest
WHERE jobs.SETTLED_AT >= newest.SETTLED_FROM
GROUP BY jobs.IS_BACKFILL, DATE_TRUNC('hour', jobs.SETTLED_AT)
UNION ALL
SELECT
  'ENDED_JOBS' AS FIGURE,
  DATE_TRUNC('hour', TEST_END_TIME) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  COUNT_IF(DONE_AFTER_MINUTES <= 240) AS PART,
  COUNT_IF(DONE_AFTER_MINUTES <= 210) AS TOTAL,
  MIN(TEST_END_TIME) AS OLDEST_AT,
  MAX(TEST_END_TIME) AS NEWEST_AT
FROM ended_jobs
GROUP BY DATE_TRUNC('hour', TEST_END_TIME)
UNION ALL
SELECT
  'UNKNOWN_RUNS' AS FIGURE,
  DATE_TRUNC('hour', unknown_runs.AGED_FROM) AS BUCKET_AT,
  NULL::VARCHAR AS ENRICHMENT_TYPE,
  COUNT(*) AS AMOUNT,
  COUNT_IF(unknown_runs.AGED_FROM >= installation.INSTALLED_AT) AS PART,
  0 AS TOTAL,
  MIN(unknown_runs.AGED_FROM) AS OLDEST_AT,
  MAX(unknown_runs.AGED_FROM) AS NEWEST_AT
FROM unknown_runs
CROSS JOIN installation
-- what ended before the package could have seen it is a matter of a backfill
WHERE unknown_runs.AGED_FROM >= installation.KNOWN_FROM
GROUP BY DATE_TRUNC('hour', unknown_runs.AGED_FROM)
ORDER BY FIGURE, BUCKET_AT, ENRICHMENT_TYPE;
