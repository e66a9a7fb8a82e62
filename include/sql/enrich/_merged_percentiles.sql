{% import 'enrich/_normal_distribution.sql' as normal %}
{% import 'enrich/_time_columns.sql' as times %}
{#- Statements: the rows of ENRICHMENT_SOURCE merged into percentiles, for each pattern and for the whole run. What is
    computed and why: docs/percentiles.md. They fill three temporary tables, one after the other:

      ENRICHMENT_POINTS       a row per source row and time: its six known points, V_0 (min) to V_5 (max)
      ENRICHMENT_PIECES       a row per two neighbouring points: the curve between them
      ENRICHMENT_PERCENTILES  a row per pattern, and one for the run (SCOPE 0): estimates and bounds, ms

    Write mode: temporary tables of the session, replaced.
    Limits:     the curves are summed on a grid that all rows share, as in DDSketch, so that the work grows with the
                number of rows: buckets of 5 percent say where a percentile lies, their tenths what it is. NULL when one
                row lacks one of the six points, unless it is the only row. -#}
{%- set COARSE = 20 -%}
{%- set FINE = 10 -%}
{#- one call in so many lies above the point, respectively the percentile -#}
{%- set POINTS = [('MEDIAN', 2), ('P90', 10), ('P99', 100), ('P999', 1000)] -%}
{%- set PERCENTILES = [('MEDIAN', 2), ('P90', 10), ('P95', 20), ('P99', 100), ('P999', 1000)] -%}

CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_POINTS AS
WITH patterns AS (
  SELECT
    *,
    DENSE_RANK() OVER (ORDER BY QUERY_PARAMETERIZED_HASH) AS PATTERN
  FROM ENRICHMENT_SOURCE
),

-- CALLS_BELOW_n: calls below point n of the row. A percentile is one of the calls, half of which counts as below; the
-- least and the largest call are as likely outside the share of LN(2) calls as inside it. Few calls have few points
counted_points AS (
  SELECT
    *,
    LEAST(0.6931471805599453::FLOAT, CALLS::FLOAT / 2) AS END_CALLS
  FROM patterns
),

stated_points AS (
  {%- for metric, _ in times.METRICS %}
  SELECT
    PATTERN,
    QUERY_PARAMETERIZED_HASH,
    '{{ metric }}' AS METRIC,
    CALLS::FLOAT AS CALLS,
    END_CALLS AS CALLS_BELOW_0,
    {%- for _, divisor in POINTS %}
    CASE
      WHEN CALLS < {{ divisor }} THEN CALLS - END_CALLS
      WHEN FLOOR(CALLS::FLOAT / {{ divisor }}) = CALLS - 1 THEN END_CALLS
      ELSE CALLS - FLOOR(CALLS::FLOAT / {{ divisor }}) - 0.5::FLOAT
    END AS CALLS_BELOW_{{ loop.index }},
    {%- endfor %}
    CALLS - END_CALLS AS CALLS_BELOW_5,
    {{ metric }}_MIN AS STATED_0,
    {%- for name, _ in POINTS %}
    {{ metric }}_{{ name }} AS STATED_{{ loop.index }},
    {%- endfor %}
    {{ metric }}_MAX AS STATED_5
  FROM counted_points
  {%- if not loop.last %}
  UNION ALL
  {%- endif %}
  {%- endfor %}
)

-- a time below zero is none, and a point is no smaller than the one before it
SELECT
  PATTERN,
  QUERY_PARAMETERIZED_HASH,
  METRIC,
  CALLS,
  STATED_0 + STATED_1 + STATED_2 + STATED_3 + STATED_4 + STATED_5 IS NOT NULL AS IS_KNOWN,
  {%- for n in range(6) %}
  CALLS_BELOW_{{ n }},
  STATED_{{ n }},
  GREATEST(0{% for m in range(n + 1) %}, STATED_{{ m }}{% endfor %}) AS V_{{ n }}{{ ',' if not loop.last }}
  {%- endfor %}
FROM stated_points;

CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_PIECES AS
-- TAIL: the share of the calls on the side of a point where fewer are; of very many calls, 0.69 are no difference
WITH tails AS (
  {%- for n in range(6) %}
  SELECT
    CALLS,
    {{ n }} AS POINT,
    CASE WHEN 2 * CALLS_BELOW_{{ n }} > CALLS THEN -1 ELSE 1 END AS SIDE,
    GREATEST(LEAST(CALLS_BELOW_{{ n }}, CALLS - CALLS_BELOW_{{ n }}) / CALLS, 1E-15::FLOAT) AS TAIL
  FROM ENRICHMENT_POINTS{{ '\n  UNION DISTINCT' if not loop.last }}
  {%- endfor %}
),

-- Z: the point in units of the normal distribution
normal_points AS (
  SELECT
    CALLS,
    POINT,
    SIDE * {{ normal.lower_quantile('TAIL') }} AS Z
  FROM tails
),

normal_rows AS (
  SELECT
    CALLS,
    {%- for n in range(6) %}
    MAX(CASE WHEN POINT = {{ n }} THEN Z END) AS Z_{{ n }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM normal_points
  GROUP BY CALLS
),

-- X: logarithm of the time; half a millisecond gives zero one. Of few calls several points are the same call
curves AS (
  SELECT
    points.PATTERN,
    points.METRIC,
    points.CALLS,
    {%- for n in range(6) %}
    points.CALLS_BELOW_{{ n }},
    normal_rows.Z_{{ n }},
    LN(
      0.5::FLOAT + CASE
        WHEN points.CALLS_BELOW_{{ n }} = points.CALLS_BELOW_5 THEN points.V_5
        WHEN points.CALLS_BELOW_{{ n }} = points.CALLS_BELOW_0 THEN points.V_0
        ELSE points.V_{{ n }}
      END
    ) AS X_{{ n }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM ENRICHMENT_POINTS AS points
  INNER JOIN normal_rows ON points.CALLS = normal_rows.CALLS
  WHERE points.IS_KNOWN
),

-- from one point to the next a lognormal distribution has one slope
slopes AS (
  SELECT
    *,
    {%- for n in range(5) %}
    (Z_{{ n + 1 }} - Z_{{ n }}) / NULLIF(X_{{ n + 1 }} - X_{{ n }}, 0) AS SLOPE_{{ n }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM curves
),

-- where two pieces meet they have one slope, the harmonic mean; the maximum, a single call, bends nothing
bends AS (
  SELECT
    *,
    {%- for n in range(1, 4) %}
    2 * SLOPE_{{ n - 1 }} * SLOPE_{{ n }} / NULLIF(SLOPE_{{ n - 1 }} + SLOPE_{{ n }}, 0) AS BEND_{{ n }},
    {%- endfor %}
    NULL::FLOAT AS BEND_0,
    NULL::FLOAT AS BEND_4,
    NULL::FLOAT AS BEND_5
  FROM slopes
),

-- what lies beyond the least and the largest call is put on them: two pieces without width
pieces AS (
  {%- for n in range(5) %}
  SELECT
    PATTERN,
    METRIC,
    CALLS,
    CALLS_BELOW_{{ n }} AS CALLS_BELOW,
    CALLS_BELOW_{{ n + 1 }} - CALLS_BELOW_{{ n }} AS CALLS_INSIDE,
    X_{{ n }} AS X_FROM,
    X_{{ n + 1 }} AS X_TO,
    Z_{{ n }} AS Z_FROM,
    Z_{{ n + 1 }} - Z_{{ n }} AS RISE,
    COALESCE(BEND_{{ n }}, SLOPE_{{ n }}) * (X_{{ n + 1 }} - X_{{ n }}) AS RISE_FROM,
    COALESCE(BEND_{{ n + 1 }}, SLOPE_{{ n }}) * (X_{{ n + 1 }} - X_{{ n }}) AS RISE_TO
  FROM bends
  UNION ALL
  {%- endfor %}
  {%- for n in [0, 5] %}
  SELECT
    PATTERN,
    METRIC,
    CALLS,
    {{ '0' if n == 0 else 'CALLS_BELOW_5' }} AS CALLS_BELOW,
    CALLS_BELOW_0 AS CALLS_INSIDE,
    X_{{ n }} AS X_FROM,
    X_{{ n }} AS X_TO,
    Z_{{ n }} AS Z_FROM,
    0 AS RISE,
    0 AS RISE_FROM,
    0 AS RISE_TO
  FROM bends{{ '\n  UNION ALL' if not loop.last }}
  {%- endfor %}
)

-- with u from 0 to 1, Z = Z_FROM + u * (C_1 + u * (C_2 + u * C_3)): the cubic with the slopes of both ends
SELECT
  PATTERN,
  METRIC,
  CALLS,
  CALLS_BELOW,
  CALLS_INSIDE,
  X_FROM,
  X_TO,
  Z_FROM,
  RISE_FROM AS C_1,
  3 * RISE - 2 * RISE_FROM - RISE_TO AS C_2,
  RISE_FROM + RISE_TO - 2 * RISE AS C_3,
  FLOOR(X_FROM * {{ COARSE }}) AS COARSE_FROM,
  FLOOR(X_TO * {{ COARSE }}) AS COARSE_TO,
  FLOOR(X_FROM * {{ COARSE * FINE }}) AS FINE_FROM,
  FLOOR(X_TO * {{ COARSE * FINE }}) AS FINE_TO
FROM pieces
WHERE CALLS_INSIDE > 0;

CREATE OR REPLACE TEMPORARY TABLE ENRICHMENT_PERCENTILES AS
WITH digits AS (
  {%- for n in range(10) %}
  SELECT {{ n }} AS DIGIT{{ ' UNION ALL' if not loop.last }}
  {%- endfor %}
),

-- LN(10^18) spans fewer buckets
numbers AS (
  SELECT ones.DIGIT + 10 * tens.DIGIT + 100 * hundreds.DIGIT AS STEP
  FROM digits AS ones
  CROSS JOIN digits AS tens
  CROSS JOIN digits AS hundreds
),

shares AS (
  {%- for name, divisor in PERCENTILES %}
  SELECT
    '{{ name }}' AS QUANTILE,
    {{ divisor }}::FLOAT AS DIVISOR{{ '\n  UNION ALL' if not loop.last }}
  {%- endfor %}
),

-- every pattern for itself and, as scope 0, all together
scopes AS (
  SELECT DISTINCT
    PATTERN,
    PATTERN AS SCOPE
  FROM ENRICHMENT_POINTS
  UNION ALL
  SELECT DISTINCT
    PATTERN,
    0 AS SCOPE
  FROM ENRICHMENT_POINTS
),

totals AS (
  SELECT
    scopes.SCOPE,
    points.METRIC,
    SUM(points.CALLS) AS CALLS,
    COUNT(*) = 1 AS IS_ONE_ROW,
    COUNT(*) = COUNT_IF(points.IS_KNOWN) AS IS_KNOWN,
    MAX(points.V_5) AS MAXIMUM,
    {%- for n in range(1, 6) %}
    MAX(points.STATED_{{ n }}) AS STATED_{{ n }}{{ ',' if not loop.last }}
    {%- endfor %}
  FROM ENRICHMENT_POINTS AS points
  INNER JOIN scopes ON points.PATTERN = scopes.PATTERN
  GROUP BY scopes.SCOPE, points.METRIC
),

-- what the view itself says, where one row is all there is; it has no 95th percentile
stated AS (
  SELECT
    totals.SCOPE,
    totals.METRIC,
    shares.QUANTILE,
    CASE shares.QUANTILE
      WHEN 'MEDIAN' THEN totals.STATED_1 WHEN 'P99' THEN totals.STATED_3 WHEN 'P999' THEN totals.STATED_4 ELSE totals.STATED_2
    END AS LOW,
    CASE
      WHEN shares.QUANTILE = 'MEDIAN' THEN totals.STATED_1
      WHEN shares.QUANTILE = 'P90' THEN totals.STATED_2
      WHEN shares.QUANTILE <> 'P999' THEN totals.STATED_3
      WHEN totals.CALLS < shares.DIVISOR THEN totals.STATED_5
      ELSE totals.STATED_4
    END AS HIGH
  FROM totals
  CROSS JOIN shares
  WHERE totals.IS_ONE_ROW
),

-- PLACE: the smallest that any definition of the percentile takes among all calls in order; NEEDED: calls up to it
goals AS (
  SELECT
    totals.SCOPE,
    totals.METRIC,
    shares.QUANTILE,
    totals.CALLS,
    totals.MAXIMUM,
    totals.CALLS - CEIL((totals.CALLS - 1) / shares.DIVISOR) AS PLACE,
    -- less a millionth: where one row ends exactly at the percentile, rounding shall not decide which is next
    totals.CALLS * (1 - 1 / shares.DIVISOR - 0.000001::FLOAT) AS NEEDED
  FROM totals
  CROSS JOIN shares
  WHERE totals.IS_KNOWN
),

-- a bucket that a piece does not end in holds only some of its calls: those up to the bucket's end
coarse_parts AS (
  SELECT
    pieces.PATTERN,
    pieces.METRIC,
    pieces.CALLS,
    pieces.CALLS_BELOW,
    pieces.CALLS_INSIDE,
    pieces.Z_FROM,
    pieces.C_1,
    pieces.C_2,
    pieces.C_3,
    pieces.COARSE_FROM + numbers.STEP AS BUCKET,
    pieces.COARSE_FROM + numbers.STEP = pieces.COARSE_TO AS IS_LAST,
    ((pieces.COARSE_FROM + numbers.STEP + 1) / {{ COARSE }} - pieces.X_FROM) / NULLIF(pieces.X_TO - pieces.X_FROM, 0) AS U
  FROM ENRICHMENT_PIECES AS pieces
  INNER JOIN numbers ON numbers.STEP <= pieces.COARSE_TO - pieces.COARSE_FROM
),

coarse_ends AS (
  SELECT
    PATTERN,
    METRIC,
    BUCKET,
    CASE WHEN IS_LAST THEN 0 ELSE CALLS END AS OPEN_CALLS,
    CASE WHEN IS_LAST THEN 0 ELSE CALLS_BELOW END AS OPEN_CALLS_BELOW,
    CASE WHEN IS_LAST THEN CALLS_INSIDE ELSE 0 END AS CALLS_ENDED,
    Z_FROM + U * (C_1 + U * (C_2 + U * C_3)) AS Z
  FROM coarse_parts
),

pattern_buckets AS (
  SELECT
    PATTERN,
    METRIC,
    BUCKET,
    COALESCE(SUM(OPEN_CALLS * ({{ normal.share_below('Z') }}) - OPEN_CALLS_BELOW), 0) AS CALLS_OF_OPEN,
    SUM(CALLS_ENDED) AS CALLS_OF_ENDED
  FROM coarse_ends
  GROUP BY PATTERN, METRIC, BUCKET
),

scope_buckets AS (
  SELECT
    scopes.SCOPE,
    pattern_buckets.METRIC,
    pattern_buckets.BUCKET,
    SUM(pattern_buckets.CALLS_OF_OPEN) AS CALLS_OF_OPEN,
    SUM(pattern_buckets.CALLS_OF_ENDED) AS CALLS_OF_ENDED
  FROM pattern_buckets
  INNER JOIN scopes ON pattern_buckets.PATTERN = scopes.PATTERN
  GROUP BY scopes.SCOPE, pattern_buckets.METRIC, pattern_buckets.BUCKET
),

ended_buckets AS (
  SELECT
    SCOPE,
    METRIC,
    BUCKET,
    CALLS_OF_OPEN,
    CALLS_OF_ENDED,
    SUM(CALLS_OF_ENDED) OVER (
      PARTITION BY SCOPE, METRIC ORDER BY BUCKET ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS CALLS_ENDED
  FROM scope_buckets
),

summed_buckets AS (
  SELECT
    SCOPE,
    METRIC,
    BUCKET,
    CALLS_ENDED - CALLS_OF_ENDED AS ENDED_BEFORE,
    CALLS_ENDED + CALLS_OF_OPEN AS CALLS_UP_TO,
    LAG(CALLS_ENDED + CALLS_OF_OPEN, 1, 0) OVER (PARTITION BY SCOPE, METRIC ORDER BY BUCKET) AS CALLS_BEFORE
  FROM ended_buckets
),

found_buckets AS (
  SELECT
    goals.SCOPE,
    goals.METRIC,
    goals.QUANTILE,
    goals.NEEDED,
    summed_buckets.BUCKET,
    summed_buckets.ENDED_BEFORE,
    summed_buckets.CALLS_BEFORE
  FROM goals
  INNER JOIN summed_buckets
    ON goals.SCOPE = summed_buckets.SCOPE AND goals.METRIC = summed_buckets.METRIC
  WHERE summed_buckets.CALLS_UP_TO >= goals.NEEDED
  QUALIFY ROW_NUMBER() OVER (PARTITION BY goals.SCOPE, goals.METRIC, goals.QUANTILE ORDER BY summed_buckets.BUCKET) = 1
),

-- the same once more, inside the buckets that were found
fine_parts AS (
  SELECT
    found_buckets.SCOPE,
    found_buckets.METRIC,
    found_buckets.QUANTILE,
    pieces.CALLS,
    pieces.CALLS_BELOW,
    pieces.CALLS_INSIDE,
    pieces.X_FROM,
    pieces.X_TO,
    pieces.Z_FROM,
    pieces.C_1,
    pieces.C_2,
    pieces.C_3,
    found_buckets.BUCKET * {{ FINE }} + digits.DIGIT AS BUCKET,
    found_buckets.BUCKET * {{ FINE }} + digits.DIGIT = pieces.FINE_TO AS IS_LAST,
    ((found_buckets.BUCKET * {{ FINE }} + digits.DIGIT + 1) / {{ COARSE * FINE }} - pieces.X_FROM)
    / NULLIF(pieces.X_TO - pieces.X_FROM, 0) AS U
  FROM found_buckets
  INNER JOIN scopes ON found_buckets.SCOPE = scopes.SCOPE
  INNER JOIN ENRICHMENT_PIECES AS pieces
    ON scopes.PATTERN = pieces.PATTERN
    AND found_buckets.METRIC = pieces.METRIC
    AND found_buckets.BUCKET BETWEEN pieces.COARSE_FROM AND pieces.COARSE_TO
  INNER JOIN digits
    ON found_buckets.BUCKET * {{ FINE }} + digits.DIGIT BETWEEN pieces.FINE_FROM AND pieces.FINE_TO
),

fine_ends AS (
  SELECT
    SCOPE,
    METRIC,
    QUANTILE,
    BUCKET,
    CASE WHEN IS_LAST THEN 0 ELSE CALLS END AS OPEN_CALLS,
    CASE WHEN IS_LAST THEN 0 ELSE CALLS_BELOW END AS OPEN_CALLS_BELOW,
    CASE WHEN IS_LAST THEN CALLS_INSIDE ELSE 0 END AS CALLS_ENDED,
    GREATEST(X_FROM, BUCKET / {{ COARSE * FINE }}) AS X_LEFT,
    LEAST(X_TO, (BUCKET + 1) / {{ COARSE * FINE }}) AS X_RIGHT,
    Z_FROM + U * (C_1 + U * (C_2 + U * C_3)) AS Z
  FROM fine_parts
),

fine_buckets AS (
  SELECT
    SCOPE,
    METRIC,
    QUANTILE,
    BUCKET,
    COALESCE(SUM(OPEN_CALLS * ({{ normal.share_below('Z') }}) - OPEN_CALLS_BELOW), 0) AS CALLS_OF_OPEN,
    SUM(CALLS_ENDED) AS CALLS_OF_ENDED,
    MIN(X_LEFT) AS X_FROM,
    MAX(X_RIGHT) AS X_TO
  FROM fine_ends
  GROUP BY SCOPE, METRIC, QUANTILE, BUCKET
),

summed_fine_buckets AS (
  SELECT
    found_buckets.SCOPE,
    found_buckets.METRIC,
    found_buckets.QUANTILE,
    found_buckets.NEEDED,
    found_buckets.CALLS_BEFORE,
    fine_buckets.BUCKET,
    fine_buckets.X_FROM,
    fine_buckets.X_TO,
    found_buckets.ENDED_BEFORE + fine_buckets.CALLS_OF_OPEN + SUM(fine_buckets.CALLS_OF_ENDED) OVER (
      PARTITION BY fine_buckets.SCOPE, fine_buckets.METRIC, fine_buckets.QUANTILE ORDER BY fine_buckets.BUCKET
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS CALLS_UP_TO
  FROM found_buckets
  INNER JOIN fine_buckets
    ON found_buckets.SCOPE = fine_buckets.SCOPE
    AND found_buckets.METRIC = fine_buckets.METRIC
    AND found_buckets.QUANTILE = fine_buckets.QUANTILE
),

-- the calls of a bucket lie evenly between the smallest and the largest value that any row has in it
estimates AS (
  SELECT
    SCOPE,
    METRIC,
    QUANTILE,
    NEEDED,
    X_FROM,
    X_TO,
    CALLS_UP_TO,
    LAG(CALLS_UP_TO, 1, CALLS_BEFORE) OVER (PARTITION BY SCOPE, METRIC, QUANTILE ORDER BY BUCKET) AS CALLS_UP_TO_LEFT
  FROM summed_fine_buckets
  -- the two sums differ in their last digits
  QUALIFY CALLS_UP_TO >= NEEDED * (1 - 1E-9::FLOAT)
  AND ROW_NUMBER() OVER (PARTITION BY SCOPE, METRIC, QUANTILE, CALLS_UP_TO >= NEEDED * (1 - 1E-9::FLOAT) ORDER BY BUCKET) = 1
),

-- of the calls between two points all may lie at the lower one (MOST calls up to a value), or all at the upper one (FEWEST)
known_counts AS (
  SELECT
    PATTERN,
    METRIC,
    {%- for n in range(6) %}
    V_{{ n }},
    {%- endfor %}
    CALLS,
    1::FLOAT AS COUNT_0,
    {%- for _, divisor in POINTS %}
    CALLS - CEIL((CALLS - 1) / {{ divisor }}) AS COUNT_{{ loop.index }},
    {%- endfor %}
    CALLS AS COUNT_5
  FROM ENRICHMENT_POINTS
  WHERE IS_KNOWN
),

point_counts AS (
  {%- for n in range(6) %}
  SELECT
    PATTERN,
    METRIC,
    V_{{ n }} AS POINT_VALUE,
    COUNT_{{ n }}{{ ' - COUNT_' ~ (n - 1) if n }} AS FEWEST,
    {%- if n == 5 %}
    1 AS MOST
    {%- else %}
    LEAST(COUNT_{{ n + 1 }}, CALLS - 1){% if n %} - LEAST(COUNT_{{ n }}, CALLS - 1){% endif %} AS MOST
    {%- endif %}
  FROM known_counts{{ '\n  UNION ALL' if not loop.last }}
  {%- endfor %}
),

value_counts AS (
  SELECT
    scopes.SCOPE,
    point_counts.METRIC,
    point_counts.POINT_VALUE,
    SUM(point_counts.FEWEST) AS FEWEST,
    SUM(point_counts.MOST) AS MOST
  FROM point_counts
  INNER JOIN scopes ON point_counts.PATTERN = scopes.PATTERN
  GROUP BY scopes.SCOPE, point_counts.METRIC, point_counts.POINT_VALUE
),

summed_counts AS (
  SELECT
    SCOPE,
    METRIC,
    POINT_VALUE,
    SUM(FEWEST) OVER (PARTITION BY SCOPE, METRIC ORDER BY POINT_VALUE ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS FEWEST,
    SUM(MOST) OVER (PARTITION BY SCOPE, METRIC ORDER BY POINT_VALUE ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS MOST
  FROM value_counts
),

bounds AS (
  SELECT
    goals.SCOPE,
    goals.METRIC,
    goals.QUANTILE,
    MIN(CASE WHEN summed_counts.MOST >= goals.PLACE THEN summed_counts.POINT_VALUE END) AS LOW,
    MIN(CASE WHEN summed_counts.FEWEST >= LEAST(goals.PLACE + 1, goals.CALLS) THEN summed_counts.POINT_VALUE END) AS HIGH
  FROM goals
  INNER JOIN summed_counts ON goals.SCOPE = summed_counts.SCOPE AND goals.METRIC = summed_counts.METRIC
  GROUP BY goals.SCOPE, goals.METRIC, goals.QUANTILE
),

bounded AS (
  SELECT
    totals.SCOPE,
    totals.METRIC,
    shares.QUANTILE,
    CASE WHEN shares.QUANTILE = 'P999' AND totals.CALLS < shares.DIVISOR THEN
      CASE WHEN totals.IS_ONE_ROW THEN totals.STATED_5 WHEN totals.IS_KNOWN THEN totals.MAXIMUM END
    END AS ONLY_VALUE,
    CASE WHEN totals.IS_ONE_ROW THEN stated.LOW ELSE bounds.LOW END AS LOW,
    CASE WHEN totals.IS_ONE_ROW THEN stated.HIGH ELSE bounds.HIGH END AS HIGH,
    EXP(
      estimates.X_FROM + (estimates.X_TO - estimates.X_FROM) * LEAST(
        1, (estimates.NEEDED - estimates.CALLS_UP_TO_LEFT) / NULLIF(estimates.CALLS_UP_TO - estimates.CALLS_UP_TO_LEFT, 0)
      )
    ) - 0.5::FLOAT AS ESTIMATE
  FROM totals
  CROSS JOIN shares
  LEFT JOIN stated
    ON totals.SCOPE = stated.SCOPE AND totals.METRIC = stated.METRIC AND shares.QUANTILE = stated.QUANTILE
  LEFT JOIN bounds
    ON totals.SCOPE = bounds.SCOPE AND totals.METRIC = bounds.METRIC AND shares.QUANTILE = bounds.QUANTILE
  LEFT JOIN estimates
    ON totals.SCOPE = estimates.SCOPE AND totals.METRIC = estimates.METRIC AND shares.QUANTILE = estimates.QUANTILE
),

merged AS (
  SELECT
    SCOPE,
    METRIC || '_' || QUANTILE AS NAME,
    LOW,
    HIGH,
    CASE
      WHEN ONLY_VALUE IS NOT NULL THEN ONLY_VALUE
      WHEN LOW = HIGH THEN LOW
      WHEN ESTIMATE IS NOT NULL AND LOW IS NOT NULL AND HIGH IS NOT NULL THEN LEAST(GREATEST(ESTIMATE, LOW), HIGH)
    END AS ESTIMATE
  FROM bounded
),

hashes AS (
  SELECT
    PATTERN AS SCOPE,
    MAX(QUERY_PARAMETERIZED_HASH) AS QUERY_PARAMETERIZED_HASH
  FROM ENRICHMENT_POINTS
  GROUP BY PATTERN
  UNION ALL
  SELECT
    0 AS SCOPE,
    NULL AS QUERY_PARAMETERIZED_HASH
)

SELECT
  {%- for metric, _ in times.METRICS %}
  {%- for quantile, _ in PERCENTILES %}
  {%- for value, suffix in [('ESTIMATE', ''), ('LOW', '_LOW'), ('HIGH', '_HIGH')] %}
  MAX(CASE WHEN merged.NAME = '{{ metric }}_{{ quantile }}' THEN merged.{{ value }} END) AS {{ metric }}_{{ quantile }}{{ suffix }},
  {%- endfor %}
  {%- endfor %}
  {%- endfor %}
  hashes.SCOPE,
  hashes.QUERY_PARAMETERIZED_HASH
FROM hashes
LEFT JOIN merged ON hashes.SCOPE = merged.SCOPE
GROUP BY hashes.SCOPE, hashes.QUERY_PARAMETERIZED_HASH;
