{#- Fragment: predicate, the task may be tried now: pending and due, or settled with a second look that is due and that
    nobody has begun. Bind: recheck_hours (0: no second looks). -#}
(
  (STATUS = 'PENDING' AND DUE_AT <= SYSDATE())
  OR (STATUS = 'COMPLETED' AND RECHECK_AT <= SYSDATE() AND LEASE_EXPIRES_AT IS NULL AND %(recheck_hours)s > 0)
)
