-- Purpose:    records that the asset events of these jobs were emitted.
-- Grain:      the tasks of the jobs; the job row itself where a job has no tasks.
-- Binds:      job_ids.
-- Write mode: two statements; running them again changes nothing. Runs after the task that emitted has
--             succeeded: a crash in between repeats the event, it is never lost.
UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_TASKS
SET EVENT_EMITTED_AT = SYSDATE()
WHERE
  JOB_ID IN (%(job_ids)s)
  AND EVENT_EMITTED_AT IS NULL
  AND STATUS NOT IN ('PENDING', 'IN_PROGRESS');

UPDATE {{ enrichment }}.DELAYED_ENRICHMENT_QUEUE
SET COMPLETED_AT = SYSDATE(), UPDATED_AT = SYSDATE()
WHERE
  JOB_ID IN (%(job_ids)s)
  AND STATUS = 'NOT_APPLICABLE'
  AND COMPLETED_AT IS NULL;
