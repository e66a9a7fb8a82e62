-- Purpose:    everything that happens before the mapped tasks of a pass: discover, rescue, claim, read back.
-- Grain:      see the included templates.
-- Binds:      those of the included templates.
-- Write mode: one transaction under the pass lock, then one read.
BEGIN;

{% include 'queue/hold_pass_lock.sql' %}

{% include 'queue/restore_jobs.sql' %}

{% include 'queue/discover_jobs.sql' %}

{% include 'queue/skip_duplicate_jobs.sql' %}

{% include 'queue/create_tasks.sql' %}

{% include 'queue/rescue_tasks.sql' %}

{% include 'queue/rescue_second_looks.sql' %}

{% include 'queue/record_lost_attempts.sql' %}

{% include 'queue/claim_tasks.sql' %}

COMMIT;

{% include 'queue/claimed_tasks.sql' %}
