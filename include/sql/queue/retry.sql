-- Purpose:    re-queues tasks on request.
-- Grain:      see the included templates.
-- Binds:      those of the included templates.
-- Write mode: one transaction under the pass lock, so that a job is restored once, with the record of the operation, so
--             that a task that Airflow tries again does not re-queue twice.
BEGIN;

{% include 'queue/hold_pass_lock.sql' %}

{% include 'queue/requeue_tasks.sql' %}

{% include 'queue/restore_jobs.sql' %}

-- step: requeued
{% include 'queue/requeued_tasks.sql' %}

-- step: requested
{% include 'queue/requested_runs.sql' %}

{% include 'queue/record_operation.sql' %}

COMMIT;
