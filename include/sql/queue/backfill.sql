-- Purpose:    queues finished runs that have no job, with lower priority than fresh ones.
-- Grain:      see the included templates.
-- Binds:      those of the included templates; backfill_priority.
-- Write mode: one transaction under the pass lock, with the record of the operation; running it again changes
--             nothing. Jobs that somebody else queued get their tasks first, so that they keep their priority.
BEGIN;

{% include 'queue/hold_pass_lock.sql' %}

-- step: requested
{% include 'queue/requested_runs.sql' %}

{% include 'queue/skip_duplicate_jobs.sql' %}

{% include 'queue/create_tasks.sql' %}

{% include 'queue/backfill_jobs.sql' %}

{% set priority_bind = 'backfill_priority' %}
{% include 'queue/create_tasks.sql' %}

-- step: queued
{% include 'queue/backfilled_tasks.sql' %}

{% include 'queue/record_operation.sql' %}

COMMIT;
