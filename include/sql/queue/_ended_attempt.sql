{#- Fragment: the row of a try that ended without writing anything, in the history; fenced by the token, so that of a task
    that somebody else took over nothing is said. Binds: job_id, enrichment_type, token, fence, held_status, outcome,
    reason_code, message, query_id. -#}
INSERT INTO {{ enrichment }}.DELAYED_ENRICHMENT_ATTEMPTS (
  JOB_ID, RUN_ID, ENRICHMENT_TYPE, CLAIM_TOKEN, CLAIMED_BY, STARTED_AT, ENDED_AT, OUTCOME, REASON_CODE, DURATION_MS,
  QUERY_ID, ERROR, CREATED_AT
)
SELECT
  JOB_ID,
  RUN_ID,
  ENRICHMENT_TYPE,
  %(token)s AS CLAIM_TOKEN,
  CLAIMED_BY,
  COALESCE(STARTED_AT, SYSDATE()) AS STARTED_AT,
  SYSDATE() AS ENDED_AT,
  %(outcome)s AS OUTCOME,
  %(reason_code)s AS REASON_CODE,
  DATEDIFF('millisecond', STARTED_AT, SYSDATE()) AS DURATION_MS,
  %(query_id)s AS QUERY_ID,
  %(message)s AS ERROR,
  SYSDATE() AS CREATED_AT
FROM {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
WHERE
  JOB_ID = %(job_id)s
  AND ENRICHMENT_TYPE = %(enrichment_type)s
  AND STARTSWITH(CLAIM_TOKEN || ':', %(fence)s || ':')
  AND STATUS = %(held_status)s;
