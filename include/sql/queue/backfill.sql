{% extends 'queue/_backfill.sql' %}
{#- Purpose:    queues finished runs that have no job, with lower priority than fresh ones.
    Grain:      see the included templates.
    Binds:      those of the included templates; backfill_priority.
    Write mode: one transaction under the pass lock, with the record of the operation; running it again changes
                nothing. -#}
{% block end %}
{%- include 'queue/record_operation.sql' %}

COMMIT;
{%- endblock %}
