{#- Macros: the normal distribution, which Snowflake has no function for. FLOAT in, FLOAT out. -#}

{#- The share below `z`. Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17; its error is below 7.5e-8. -#}
{% macro share_below(z) -%}
{%- set t = '(1 / NULLIF(1 + 0.2316419::FLOAT * ABS(' ~ z ~ '), 0))' -%}
CASE WHEN {{ z }} > 0 THEN 1 ELSE 0 END
+ CASE WHEN {{ z }} > 0 THEN -1 ELSE 1 END * EXP(-{{ z }} * {{ z }} / 2) * 0.3989422804014327::FLOAT * {{ t }} * (
  0.319381530::FLOAT + {{ t }} * (
    -0.356563782::FLOAT + {{ t }} * (1.781477937::FLOAT + {{ t }} * (-1.821255978::FLOAT + {{ t }} * 1.330274429::FLOAT))
  )
)
{%- endmacro %}

{#- The z that has the share `tail`, at most one half, below it. P. J. Acklam's approximation; its relative error is
    below 1.15e-9. -#}
{% macro lower_quantile(tail) -%}
{%- set r = 'SQRT(-2 * LN(' ~ tail ~ '))' -%}
{%- set d = '(' ~ tail ~ ' - 0.5::FLOAT)' -%}
{%- set s = '(' ~ d ~ ' * ' ~ d ~ ')' -%}
CASE
  WHEN {{ tail }} < 0.02425::FLOAT THEN (
    2.938163982698783::FLOAT + {{ r }} * (
      4.374664141464968::FLOAT + {{ r }} * (
        -2.549732539343734::FLOAT + {{ r }} * (
          -2.400758277161838::FLOAT + {{ r }} * (-0.3223964580411365::FLOAT + {{ r }} * -0.007784894002430293::FLOAT)
        )
      )
    )
  ) / (
    1 + {{ r }} * (
      3.754408661907416::FLOAT + {{ r }} * (
        2.445134137142996::FLOAT + {{ r }} * (0.3224671290700398::FLOAT + {{ r }} * 0.007784695709041462::FLOAT)
      )
    )
  )
  ELSE {{ d }} * (
    2.506628277459239::FLOAT + {{ s }} * (
      -30.66479806614716::FLOAT + {{ s }} * (
        138.3577518672690::FLOAT + {{ s }} * (
          -275.9285104469687::FLOAT + {{ s }} * (220.9460984245205::FLOAT + {{ s }} * -39.69683028665376::FLOAT)
        )
      )
    )
  ) / (
    1 + {{ s }} * (
      -13.28068155288572::FLOAT + {{ s }} * (
        66.80131188771972::FLOAT + {{ s }} * (
          -155.6989798598866::FLOAT + {{ s }} * (161.5858368580409::FLOAT + {{ s }} * -54.47609879822406::FLOAT)
        )
      )
    )
  )
END
{%- endmacro %}
