"""FLATTEN and the functions on VARIANT, OBJECT and ARRAY, which DuckDB keeps as JSON."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import Expr, exp

from local.errors import UNSUPPORTED, SnowflakeError

# Qualified, so that a session finds the functions whatever its current database is.
_HOME = "memory.main"


def _flatten(node: Expr) -> Expr:
    """FLATTEN's named arguments: fakesnow takes the first one for the input and drops the others."""
    if not (isinstance(node, (exp.Lateral, exp.TableFromRows)) and isinstance(node.this, exp.Explode)):
        return node
    given = [node.this.this, *node.this.expressions]
    named = {item.this.name.upper(): item.expression for item in given if isinstance(item, exp.Kwarg)}
    source = named.pop("INPUT", None) or given[0]
    path = named.pop("PATH", None)
    outer = named.pop("OUTER", None)
    unknown = sorted(set(named) - {"MODE"})
    if unknown:
        raise SnowflakeError(
            UNSUPPORTED, f"Unsupported feature in the embedded Snowflake: FLATTEN({unknown[0]} => ...)."
        )
    if path is not None:
        source = exp.Anonymous(this="json_extract", expressions=[source, exp.Literal.string(f"$.{path.name}")])
    name = "_sf_flatten_outer" if isinstance(outer, exp.Boolean) and outer.this else "_sf_flatten"
    database, schema = (exp.to_identifier(part) for part in _HOME.split("."))
    call = exp.Anonymous(this=name, expressions=[source])
    return exp.Table(this=call, db=schema, catalog=database, alias=node.args.get("alias"))


def _type_of(node: Expr) -> Expr:
    """TYPEOF, IS_OBJECT and IS_ARRAY ask what a VARIANT holds, not for DuckDB's type."""
    if isinstance(node, exp.Typeof):
        return _call("_sf_typeof", node.this)
    name = node.name.upper() if isinstance(node, exp.Anonymous) else ""
    if isinstance(node, exp.IsArray) or name in {"IS_OBJECT", "IS_ARRAY"}:
        argument = node.this if isinstance(node, exp.IsArray) else node.expressions[0]
        wanted = "OBJECT" if name == "IS_OBJECT" else "ARRAY"
        return exp.EQ(this=_call("_sf_typeof", argument), expression=exp.Literal.string(wanted))
    return node


def _array_functions(node: Expr) -> Expr:
    """ARRAY_CONTAINS and ARRAY_DISTINCT on semi-structured arrays."""
    if isinstance(node, exp.ArrayContains):
        # Snowflake's arguments are the value, then the array; the parser has sorted them.
        return _call("_sf_array_contains", node.this, _without_cast(node.expression))
    if isinstance(node, exp.ArrayDistinct):
        return _call("_sf_array_distinct", node.this)
    return node


def _without_cast(value: Expr) -> Expr:
    is_variant = isinstance(value, exp.Cast) and value.to.this == exp.DType.VARIANT
    return value.this if is_variant else value


def _array_to_string(node: Expr) -> Expr:
    """An ARRAY is JSON to DuckDB, which ARRAY_TO_STRING wants as a list of texts."""
    if isinstance(node, exp.ArrayToString):
        texts = exp.Anonymous(this="from_json", expressions=[node.this, exp.Literal.string('["VARCHAR"]')])
        joined = exp.Anonymous(
            this="list_aggregate", expressions=[texts, exp.Literal.string("string_agg"), node.expression]
        )
        empty = exp.Literal.string("")
        return exp.Case(
            ifs=[exp.If(this=exp.Is(this=node.this.copy(), expression=exp.Null()), true=exp.Null())],
            default=exp.Coalesce(this=joined, expressions=[empty]),
        )
    return node


def _array_agg(node: Expr) -> Expr:
    """ARRAY_AGG leaves NULL out and gives an empty array for no rows; DuckDB keeps NULL and gives NULL."""
    inner = node.this if isinstance(node, exp.WithinGroup) else node
    if not isinstance(inner, exp.ArrayAgg) or isinstance(node.parent, (exp.WithinGroup, exp.Window)):
        return node
    value = inner.this.expressions[0] if isinstance(inner.this, exp.Distinct) else inner.this
    listed = inner.this.copy()
    if isinstance(node, exp.WithinGroup):
        listed = exp.Order(this=listed, expressions=node.expression.expressions)
    present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    values = exp.Filter(this=exp.Anonymous(this="list", expressions=[listed]), expression=exp.Where(this=present))
    return exp.Coalesce(
        this=exp.Anonymous(this="to_json", expressions=[values]),
        expressions=[exp.ParseJSON(this=exp.Literal.string("[]"))],
    )


def _as_text(node: Expr) -> Expr:
    """A VARIANT that holds a string is cast to the string itself; DuckDB would keep JSON's quotes."""
    if (
        isinstance(node, exp.Cast)
        and isinstance(node.this, exp.Column)
        and node.to.this in (exp.DType.VARCHAR, exp.DType.TEXT)
    ):
        return _call("_sf_to_varchar", node.this)
    return node


def _call(name: str, *arguments: Expr) -> exp.Anonymous:
    return exp.Anonymous(this=f"{_HOME}.{name}", expressions=list(arguments))


CHANGES: tuple[Callable[[Expr], Expr], ...] = (
    _flatten,
    _array_agg,
    _array_to_string,
    _type_of,
    _array_functions,
    _as_text,
)

# A value that is neither an array nor an object has no rows, as in Snowflake; fakesnow's macro raises.
MACROS = """
CREATE OR REPLACE MACRO memory.main._sf_typeof(input) AS
CASE json_type(to_json(input)) WHEN 'NULL' THEN 'NULL_VALUE' WHEN 'BIGINT' THEN 'INTEGER' WHEN 'UBIGINT' THEN 'INTEGER'
     WHEN 'HUGEINT' THEN 'INTEGER' WHEN 'DOUBLE' THEN 'DECIMAL' ELSE json_type(to_json(input)) END;
CREATE OR REPLACE MACRO memory.main._sf_to_varchar(input) AS
CASE WHEN typeof(input) = 'JSON' THEN json_extract_string(to_json(input), '$') ELSE CAST(input AS VARCHAR) END;
CREATE OR REPLACE MACRO memory.main._sf_array_contains(items, item) AS
list_contains(CAST(to_json(items) AS JSON[]), to_json(item));
CREATE OR REPLACE MACRO memory.main._sf_array_distinct(items) AS
to_json(list_distinct(CAST(to_json(items) AS JSON[])));
CREATE OR REPLACE MACRO memory.main._sf_flatten(input) AS TABLE
SELECT hash(to_json(input))::UBIGINT AS SEQ, e.k AS KEY,
       CASE WHEN e.k IS NULL THEN '[' || e.i || ']' ELSE e.k END AS PATH,
       e.i AS INDEX, e.v AS VALUE, to_json(input) AS THIS
FROM (
    SELECT unnest(
        CASE json_type(to_json(input))
            WHEN 'OBJECT' THEN list_transform(
                json_keys(to_json(input)),
                lambda x: struct_pack(k := x, i := NULL::BIGINT, v := json_extract(to_json(input), '$."' || x || '"')))
            WHEN 'ARRAY' THEN list_transform(
                CAST(to_json(input) AS JSON[]),
                lambda x, n: struct_pack(k := NULL::VARCHAR, i := n - 1, v := x))
            ELSE [] END, max_depth := 2)
) AS e(k, i, v);
CREATE OR REPLACE MACRO memory.main._sf_flatten_outer(input) AS TABLE
SELECT f.* FROM (SELECT 1) AS one LEFT JOIN memory.main._sf_flatten(input) AS f ON TRUE
"""
