{% extends 'queue/_backfill.sql' %}
{#- Purpose:    what a backfill would queue.
    Grain:      see the included templates.
    Binds:      those of the included templates; backfill_priority.
    Write mode: none: what was done is taken back. -#}
