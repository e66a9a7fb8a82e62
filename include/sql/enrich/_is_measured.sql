{#- Fragment: predicate on `source`, a statement of the measurement: no phase in its tag, or a measured one. -#}
(
  NOT CONTAINS(source.QUERY_TAG, ':phase=')
  OR SPLIT_PART(SPLIT_PART(source.QUERY_TAG, ':phase=', 2), ':', 1) IN ('RUNNING', 'MEASUREMENT')
)
