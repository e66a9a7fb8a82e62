-- Purpose:    makes tasks that failed, or with force any settled ones, due at once, as if they had never been tried.
-- Grain:      tasks of the chosen runs, types and statuses. A pending task is chosen only when a try of it failed
--             (no privilege, backoff): one that waits for its view is not helped by a try now.
-- Binds:      token (of the operation, to read back by), performed_by, priority, force, types, task_statuses, test_ids (JSON list),
--             has_test_ids, ended_from, ended_before (NULL: no limit).
-- Write mode: state is tested in the UPDATE itself; the history is kept; running it again finds nothing that failed.
-- Limits:     of a run of which a chosen type is being enriched now, or that FlakeBench deleted, nothing is re-queued.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET
  STATUS = 'PENDING',
  PRIORITY = %(priority)s,
  ATTEMPTS = 0,
  SNOOZES = 0,
  RECHECK_AT = NULL,
  DUE_AT = SYSDATE(),
  -- a forced task that waits after a failed try stays forced
  IS_FORCED = %(force)s OR (DELAYED_ENRICHMENT_TASKS.STATUS = 'PENDING' AND COALESCE(IS_FORCED, FALSE)),
  CLAIM_TOKEN = %(token)s,
  CLAIMED_BY = %(performed_by)s,
  LEASE_EXPIRES_AT = NULL,
  COMPLETED_AT = NULL,
  REASON_CODE = NULL,
  LAST_ERROR = NULL,
  EVENT_EMITTED_AT = NULL,
  UPDATED_AT = SYSDATE()
FROM (
  WITH
  {% include 'queue/_runs.sql' %},

  {% include 'queue/_requested_runs.sql' %},

  chosen AS (
    SELECT
      tasks.JOB_ID,
      tasks.ENRICHMENT_TYPE,
      tasks.STATUS,
      -- a settled task has a lease while it is looked at for the second time
      COUNT_IF(
        (tasks.STATUS = 'IN_PROGRESS' OR tasks.RECHECK_AT IS NOT NULL)
        AND COALESCE(tasks.LEASE_EXPIRES_AT, '1970-01-01'::TIMESTAMP_NTZ) > SYSDATE()
      ) OVER (PARTITION BY tasks.JOB_ID) AS RUNNING_COUNT
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS AS tasks
    INNER JOIN runs ON tasks.RUN_ID = runs.RUN_ID
    WHERE
      tasks.ENRICHMENT_TYPE IN (%(types)s)
      AND (NOT %(has_test_ids)s OR tasks.RUN_ID IN (SELECT RUN_ID FROM requested_runs))
      AND (%(ended_from)s IS NULL OR runs.ENDED_AT >= %(ended_from)s::TIMESTAMP_NTZ)
      AND (%(ended_before)s IS NULL OR runs.ENDED_AT < %(ended_before)s::TIMESTAMP_NTZ)
  )

  SELECT
    JOB_ID,
    ENRICHMENT_TYPE,
    STATUS
  FROM chosen
  WHERE RUNNING_COUNT = 0
) AS wanted
WHERE
  DELAYED_ENRICHMENT_TASKS.JOB_ID = wanted.JOB_ID
  AND DELAYED_ENRICHMENT_TASKS.ENRICHMENT_TYPE = wanted.ENRICHMENT_TYPE
  AND DELAYED_ENRICHMENT_TASKS.STATUS = wanted.STATUS
  AND DELAYED_ENRICHMENT_TASKS.STATUS IN (%(task_statuses)s)
  AND (DELAYED_ENRICHMENT_TASKS.STATUS <> 'PENDING' OR DELAYED_ENRICHMENT_TASKS.LAST_ERROR IS NOT NULL);
