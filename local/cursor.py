"""fakesnow's cursor with the gaps closed: one statement in Snowflake's dialect, run on one DuckDB connection."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import Expr, exp

from local.dialect_gaps import Context, close_gaps
from local.plans import Translation
from local.transactions import Transactions

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


class EmbeddedCursor(FakeSnowflakeCursor):
    """Runs one statement; the session decides on locks, transactions and errors."""

    context: Context
    transactions: Transactions

    def run(self, statement: Expr, params: list[Any]) -> Translation | None:
        """Run a statement.

        :param params: positional bind values
        :returns: what ran; None: more than one statement
        :raises Exception: whatever fakesnow, sqlglot or DuckDB raises
        """
        known = frozenset(self.context.temporary)
        expression = close_gaps(statement.copy(), self.context)
        self.check_db_and_schema(expression)
        parts = self._transform_explode(expression)
        for part in parts:
            transformed = self._transform(part, params)
            if isinstance(transformed, exp.Merge):
                transformed.set("returning", exp.Returning(expressions=[exp.column("merge_action")]))
            created = frozenset(self.context.temporary) - known
            translation = Translation(transformed, transformed.sql(dialect="duckdb"), created)
            self._execute(translation.runnable(), params if transformed.find(exp.Placeholder) else None)
        return translation if len(parts) == 1 else None

    def run_translated(self, translation: Translation) -> None:
        """Run what an earlier statement of the same shape has taught, see :mod:`local.plans`."""
        self.context.temporary.update(translation.temporary)
        self._execute(translation.runnable())

    def _transform_explode(self, expression: Expr) -> list[Expr]:
        # fakesnow takes MERGE apart and loses source columns inside expressions; DuckDB has a MERGE of its own.
        if isinstance(expression, exp.Merge):
            return [expression]
        return list(super()._transform_explode(expression))

    def _execute(self, transformed: Expr, params: Any = None) -> None:
        if isinstance(transformed, exp.Create) and transformed.find(exp.TemporaryProperty):
            # Lengths and comments are kept in tables shared by all sessions, where two temporary tables would meet.
            transformed.args.pop("text_lengths", None)
            transformed.args.pop("table_comment", None)
        if isinstance(transformed, exp.Merge):
            self._execute_merge(transformed, params)
        else:
            super()._execute(transformed, params)
        if isinstance(transformed, _WRITES):
            self.transactions.record(transformed.sql(dialect="duckdb"), params)

    def _describe_last_sql(self) -> list[Any]:
        # as it was run: fakesnow parses it anew
        return self._duck_conn.execute(f"DESCRIBE {self._last_sql}", self._last_params).fetchall()

    def _execute_merge(self, merge: exp.Merge, params: Any) -> None:
        super()._execute(merge, params)
        assert self._arrow_table is not None
        actions = self._arrow_table.column(0).to_pylist()
        kinds = [when.args["then"] for when in merge.args["whens"].expressions]
        counts: dict[str, int] = {}
        for action, present in (
            ("insert", any(isinstance(kind, exp.Insert) for kind in kinds)),
            ("update", any(isinstance(kind, exp.Update) for kind in kinds)),
            ("delete", any(not isinstance(kind, (exp.Insert, exp.Update)) for kind in kinds)),
        ):
            if present:
                word = {"insert": "inserted", "update": "updated", "delete": "deleted"}[action]
                counts[f"number of rows {word}"] = actions.count(action.upper())
        self._arrow_table = pa.table({name: [count] for name, count in counts.items()})
        self._rowcount = sum(counts.values())
        self._last_sql = "SELECT " + ", ".join(f'{count}::BIGINT AS "{name}"' for name, count in counts.items())
        self._last_params = None
