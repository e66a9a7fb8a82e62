-- Purpose:    what a failed try needs to know: the role that lacks a privilege, and the tries so far.
-- Grain:      one row.
-- Binds:      job_id, enrichment_type, fence, is_second_look (whose tries are counted by themselves).
-- Write mode: reads only.
SELECT
  CURRENT_ROLE() AS ROLE_NAME,
  (
    SELECT MAX(CASE WHEN %(is_second_look)s THEN RECHECK_ATTEMPTS ELSE ATTEMPTS END)
    FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
    WHERE JOB_ID = %(job_id)s AND ENRICHMENT_TYPE = %(enrichment_type)s AND STARTSWITH(CLAIM_TOKEN || ':', %(fence)s || ':')
  ) AS ATTEMPTS;
