{% extends 'queue/_new_jobs.sql' %}
{#- Purpose:    gives every finished run of the look-back that has none a job.
    Grain:      one row of DELAYED_ENRICHMENT_QUEUE per run.
    Binds:      look_back_days; those of _new_jobs.sql.
    Write mode: inserts what is missing; running it again changes nothing.
    Limits:     a run that has task rows but whose queue row was cleaned up is not queued again. -#}
{% block chosen %}AGED_FROM >= DATEADD('day', -%(look_back_days)s, SYSDATE()){% endblock %}
