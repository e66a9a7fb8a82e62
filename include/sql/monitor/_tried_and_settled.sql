{#- Fragment: predicate, a task that was tried and has settled. What never had a try (NOT_APPLICABLE, switched off, beyond
    retention) would only hide failures. -#}
(STATUS IN ('COMPLETED', 'FAILED') OR (STATUS = 'SKIPPED' AND REASON_CODE IN ('NO_DATA', 'WAREHOUSE_UNKNOWN')))
