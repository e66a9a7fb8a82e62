{#- Fragment: how far QUERY_HISTORY reaches, by the newest row of anybody. Binds: window_start, newest_before. -#}
(
  SELECT CONVERT_TIMEZONE('UTC', MAX(START_TIME))::TIMESTAMP_NTZ
  FROM {{ account_usage }}.QUERY_HISTORY
  WHERE START_TIME >= %(window_start)s::TIMESTAMP_LTZ AND START_TIME < %(newest_before)s::TIMESTAMP_LTZ
)
