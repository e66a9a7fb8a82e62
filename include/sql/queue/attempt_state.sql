-- Purpose:    what a failed try needs to know: the role that lacks a privilege, and the tries so far.
-- Grain:      one row.
-- Binds:      job_id, enrichment_type, fence.
-- Write mode: reads only.
SELECT
  CURRENT_ROLE() AS ROLE_NAME,
  (
    SELECT MAX(ATTEMPTS)
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
    WHERE JOB_ID = %(job_id)s AND ENRICHMENT_TYPE = %(enrichment_type)s AND STARTSWITH(CLAIM_TOKEN || ':', %(fence)s || ':')
  ) AS ATTEMPTS;
