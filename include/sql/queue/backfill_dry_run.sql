-- Purpose:    what a backfill would queue.
-- Grain:      see the included templates.
-- Binds:      those of the included templates.
-- Write mode: none: it does what backfill.sql does and takes it back, so that the two cannot differ.
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

ROLLBACK;
