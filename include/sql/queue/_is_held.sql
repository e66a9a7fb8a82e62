{#- Fragment: predicate, a worker holds the task: it is enriched (IN_PROGRESS), or looked at for the second time, which
    its status does not show: COMPLETED with a RECHECK_AT and a lease; see enrich/_lifecycle.sql. -#}
(
  STATUS = 'IN_PROGRESS'
  OR (STATUS = 'COMPLETED' AND RECHECK_AT IS NOT NULL AND LEASE_EXPIRES_AT IS NOT NULL)
)
