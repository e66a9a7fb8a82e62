"""SHOW, which sqlglot reads only in part and which no query can contain: the few forms that a template may use."""

from __future__ import annotations

import re

from sqlglot import exp

_PARAMETER = r"PARAMETERS LIKE '\w+' IN (SESSION|WAREHOUSE)"  # .../sql-reference/sql/show-parameters
_WAREHOUSE = r"WAREHOUSES LIKE '[^']+'"  # .../sql-reference/sql/show-warehouses
_DOCUMENTED = re.compile(rf"SHOW ({_PARAMETER}|{_WAREHOUSE})")


def is_documented_show(tree: exp.Expr) -> bool:
    """Whether a statement is one of the forms of SHOW that are allowed; each is documented by Snowflake."""
    return _DOCUMENTED.fullmatch(tree.sql("snowflake", comments=False)) is not None
