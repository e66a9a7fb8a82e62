-- Purpose:    who holds a task that a try could not take over.
-- Grain:      one row; none when the job was deleted.
-- Binds:      job_id, enrichment_type.
-- Write mode: reads only.
SELECT
  STATUS,
  CLAIMED_BY,
  LEASE_EXPIRES_AT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE JOB_ID = %(job_id)s AND ENRICHMENT_TYPE = %(enrichment_type)s;
