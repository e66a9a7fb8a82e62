{% extends 'queue/_new_jobs.sql' %}
{#- Purpose:    gives the finished runs of a date range, or named ones, a job, however old they are.
    Grain:      one row of DELAYED_ENRICHMENT_QUEUE per run.
    Binds:      performed_by, test_ids (JSON list), has_test_ids, ended_from, ended_before (NULL: no limit); those
                of _new_jobs.sql.
    Write mode: inserts what is missing; running it again changes nothing. CLAIMED_BY says who queued the job, until
                its first roll-up. -#}
{% block selection %}
{% include 'queue/_requested_runs.sql' %},
{% endblock %}
{% block chosen %}
    (NOT %(has_test_ids)s OR RUN_ID IN (SELECT RUN_ID FROM requested_runs))
    AND (%(ended_from)s IS NULL OR AGED_FROM >= %(ended_from)s::TIMESTAMP_NTZ)
    AND (%(ended_before)s IS NULL OR AGED_FROM < %(ended_before)s::TIMESTAMP_NTZ)
{%- endblock %}
{% block claimed_by %}%(performed_by)s{% endblock %}
