"""Which functions a template may call: Snowflake's, by the name as it is written.

sqlglot alone would not do: it reads functions of other databases (``STRPOS``, ``GROUP_CONCAT``) as well.
"""

from __future__ import annotations

from itertools import pairwise

import sqlglot
from sqlglot import TokenType, exp

PAGES = "https://docs.snowflake.com/en/sql-reference/functions/"
_NAMED_AS_THEIR_PAGE = """
ANY_VALUE ARRAY_AGG ARRAY_CONSTRUCT ARRAY_SIZE ARRAY_SORT ARRAY_TO_STRING AS_ARRAY AVG BOOLAND_AGG BOOLOR_AGG CEIL
CHR COALESCE CONTAINS CONVERT_TIMEZONE COUNT COUNT_IF CURRENT_DATABASE CURRENT_ROLE CURRENT_SCHEMA CURRENT_USER
CURRENT_WAREHOUSE DATEADD DATEDIFF DATE_TRUNC DENSE_RANK EQUAL_NULL EXP ABS FIRST_VALUE FLATTEN FLOOR GREATEST IFF
IS_OBJECT LAG LAST_VALUE LEAST LEFT LENGTH LISTAGG LN LOWER MAX MD5 MEDIAN MIN NULLIF OBJECT_AGG OBJECT_CONSTRUCT
PARSE_JSON PERCENTILE_DISC POSITION RANK REPLACE ROUND ROW_NUMBER SPLIT SPLIT_PART SQRT STARTSWITH SUM SYSDATE
TO_CHAR TO_JSON TRIM TRY_PARSE_JSON TRY_TO_BOOLEAN TRY_TO_DOUBLE TYPEOF UPPER
"""
KNOWN = {name: PAGES + name.lower() for name in _NAMED_AS_THEIR_PAGE.split()} | {
    "POWER": PAGES + "pow",
    "TRY_TO_NUMBER": PAGES + "try_to_decimal",
}
"""Name to the page that documents it. A function that is missing here: read its page, then add it."""

NOT_FUNCTIONS = frozenset({"TABLE", "NUMBER", "VARCHAR"})
"""Written like a call: the table function wrapper, and types with a length."""

CLOCKS = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Localtime, exp.Localtimestamp)
CLOCK_NAMES = frozenset({"NOW", "GETDATE", "SYSTIMESTAMP", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP"})


def called(sql: str) -> set[str]:
    """Names of the functions that a statement calls, upper case.

    A name and a parenthesis without a space between them; sqlfluff's LT06 sees to it that a call is written so. What
    sqlglot does not know is added, however it is written.
    """
    tokens = sqlglot.tokenize(sql, read="snowflake")
    adjacent = {
        name.text.upper()
        for name, parenthesis in pairwise(tokens)
        if parenthesis.token_type is TokenType.L_PAREN
        and name.end + 1 == parenthesis.start
        and name.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)
        and name.text[:1].isalpha()
    }
    tree = sqlglot.parse_one(sql, read="snowflake")
    return (adjacent - NOT_FUNCTIONS) | {node.name.upper() for node in tree.find_all(exp.Anonymous)}


def unknown(sql: str) -> set[str]:
    """Functions that Snowflake does not have, as far as the gate knows."""
    return called(sql) - set(KNOWN)


def clocks(tree: exp.Expr) -> list[exp.Expr]:
    """Every call of a clock, SYSDATE() included."""
    return [
        *tree.find_all(*CLOCKS),
        *(node for node in tree.find_all(exp.Anonymous) if node.name.upper() in CLOCK_NAMES),
    ]


def is_sysdate(clock: exp.Expr) -> bool:
    """SYSDATE() is UTC and TIMESTAMP_NTZ; every other clock depends on the session's time zone."""
    return isinstance(clock, exp.CurrentTimestamp) and bool(clock.args.get("sysdate"))
