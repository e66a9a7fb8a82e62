-- Purpose:    everything that happens before the mapped tasks of a pass: discover, rescue, claim, read back.
-- Grain:      see the included templates.
-- Binds:      those of the included templates.
-- Write mode: one transaction under the pass lock, then one read: eight statements, however many jobs there are.
BEGIN;

{% include 'queue/hold_pass_lock.sql' %}

{% include 'queue/queue_jobs.sql' %}

{% include 'queue/queue_tasks.sql' %}

{% include 'queue/record_lost_attempts.sql' %}

{% include 'queue/claim_tasks.sql' %}

COMMIT;

{% include 'queue/claimed_tasks.sql' %}
