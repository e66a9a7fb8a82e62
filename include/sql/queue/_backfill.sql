{#- What a backfill does, and its dry run does and takes back, so that the two cannot differ. They fill the block:

      end   COMMIT with the record of the operation, or ROLLBACK

    Jobs that somebody else queued get their tasks first, so that they keep their priority. -#}
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

{% block end %}ROLLBACK;{% endblock %}
