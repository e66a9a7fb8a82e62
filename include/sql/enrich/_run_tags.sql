{#- Fragment: the usable tags of the run, none of them a prefix of another, so that a statement matches at most
    one. Bind: tags (JSON). -#}
run_tags AS (
  SELECT
    VALUE:"tag"::VARCHAR AS TAG,
    VALUE:"test_id"::VARCHAR AS TEST_ID
  FROM TABLE(FLATTEN(INPUT => PARSE_JSON(%(tags)s)))
)
