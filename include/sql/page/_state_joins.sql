{#- Fragment: what _state_columns.sql takes its columns from, but for the tasks. -#}
FROM run
LEFT JOIN parents ON run.RUN_ID = parents.RUN_ID
LEFT JOIN children ON run.RUN_ID = children.RUN_ID
LEFT JOIN jobs ON run.RUN_ID = jobs.RUN_ID
