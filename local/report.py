"""What the launcher prints: one line per run and type, and the key numbers of each run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_TASKS = """
SELECT COALESCE(runs.TEST_NAME, tasks.RUN_ID) AS RUN, jobs.TABLE_TYPE, tasks.ENRICHMENT_TYPE, tasks.STATUS,
  tasks.REASON_CODE, tasks.ROWS_WRITTEN, tasks.COVERAGE, tasks.DUE_AT, tasks.COMPLETED_AT, tasks.LAST_ERROR
FROM {schema}.DELAYED_ENRICHMENT_TASKS AS tasks
LEFT JOIN {schema}.DELAYED_ENRICHMENT_QUEUE AS jobs ON tasks.JOB_ID = jobs.JOB_ID
LEFT JOIN {results}.TEST_RESULTS AS runs ON tasks.RUN_ID = runs.RUN_ID AND runs.TEST_ID = runs.RUN_ID
ORDER BY jobs.TEST_END_TIME, RUN, tasks.ENRICHMENT_TYPE
"""
_JOBS_WITHOUT_TASKS = """
SELECT COALESCE(runs.TEST_NAME, jobs.RUN_ID) AS RUN, jobs.TABLE_TYPE, jobs.STATUS
FROM {schema}.DELAYED_ENRICHMENT_QUEUE AS jobs
LEFT JOIN {schema}.DELAYED_ENRICHMENT_TASKS AS tasks ON jobs.JOB_ID = tasks.JOB_ID
LEFT JOIN {results}.TEST_RESULTS AS runs ON jobs.RUN_ID = runs.RUN_ID AND runs.TEST_ID = runs.RUN_ID
WHERE tasks.JOB_ID IS NULL
ORDER BY RUN
"""
_NUMBERS = """
SELECT TEST_NAME, QUERY_COUNT, EXEC_AVG_MS, EXEC_P99_MS, EXEC_P99_LOW_MS, EXEC_P99_HIGH_MS, EXEC_MAX_MS, ERRORS_COUNT,
  THROTTLED_QUERY_COUNT, LOCK_WAIT_COUNT, LOCK_WAIT_TOTAL_MS, PARTITIONS_SCANNED, PARTITIONS_TOTAL,
  BYTES_SPILLED_LOCAL, QUERY_INSIGHTS_COUNT, HYBRID_CREDITS_USED
FROM {schema}.V_RUN_ENRICHMENT
WHERE QUERY_COUNT IS NOT NULL OR QUERIES_RECORDED IS NOT NULL
ORDER BY TEST_END_TIME, TEST_NAME
"""
_NUMBER_COLUMNS = (
    "calls", "avg ms", "p99 ms", "max ms", "errors", "throttled", "locks", "waited s", "scanned", "spilled",
    "insights", "credits",
)  # fmt: skip
_STYLES = {"COMPLETED": "green", "PENDING": "cyan", "IN_PROGRESS": "cyan", "FAILED": "bold red"}


def rows(connection: SnowflakeConnection, sql: str, results: str, schema: str) -> list[dict[str, Any]]:
    """The rows of a query as mappings."""
    cursor = connection.cursor()
    cursor.execute(sql.format(results=results, schema=schema))
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def print_report(connection: SnowflakeConnection, *, results: str, schema: str) -> list[str]:
    """Print where every run stands.

    :param results: FlakeBench's schema, qualified
    :param schema: the package's schema, qualified
    :returns: a line per failed task
    """
    console = Console(width=150, highlight=False)
    tasks = rows(connection, _TASKS, results, schema)
    table = Table("run", "table", "type", "status", "rows", "coverage", "when (UTC)", "reason", title="Enrichment")
    for task in tasks:
        style = _STYLES.get(task["STATUS"], "dim")
        table.add_row(
            task["RUN"],
            task["TABLE_TYPE"],
            task["ENRICHMENT_TYPE"],
            f"[{style}]{task['STATUS']}[/]",
            _text(task["ROWS_WRITTEN"]),
            "" if task["COVERAGE"] is None else f"{task['COVERAGE']:.1%}",
            _when(task),
            task["REASON_CODE"] or "",
        )
    for job in rows(connection, _JOBS_WITHOUT_TASKS, results, schema):
        table.add_row(job["RUN"], job["TABLE_TYPE"], "(none)", f"[dim]{job['STATUS']}[/]", "", "", "", "")
    console.print(table)
    _print_numbers(console, rows(connection, _NUMBERS, results, schema))
    return [f"{task['LAST_ERROR']}" for task in tasks if task["STATUS"] == "FAILED"]


def _print_numbers(console: Console, runs: list[dict[str, Any]]) -> None:
    table = Table(title="What Snowflake measured (empty: not known, or not yet)")
    table.add_column("run", no_wrap=True)
    for name in _NUMBER_COLUMNS:
        table.add_column(name, no_wrap=True, justify="right")
    for run in runs:
        table.add_row(
            run["TEST_NAME"],
            _text(run["QUERY_COUNT"]),
            _number(run["EXEC_AVG_MS"], 1),
            _estimate(run["EXEC_P99_MS"], run["EXEC_P99_LOW_MS"], run["EXEC_P99_HIGH_MS"]),
            _number(run["EXEC_MAX_MS"]),
            _text(run["ERRORS_COUNT"]),
            _text(run["THROTTLED_QUERY_COUNT"]),
            _text(run["LOCK_WAIT_COUNT"]),
            _number(run["LOCK_WAIT_TOTAL_MS"], 1, 1000),
            _share(run["PARTITIONS_SCANNED"], run["PARTITIONS_TOTAL"]),
            _spilled(run["BYTES_SPILLED_LOCAL"]),
            _text(run["QUERY_INSIGHTS_COUNT"]),
            _number(run["HYBRID_CREDITS_USED"], 6),
        )
    console.print(table)


def _number(value: Any, digits: int = 0, unit: int = 1) -> str:
    return "" if value is None else f"{float(value) / unit:,.{digits}f}"


def _estimate(value: Any, low: Any, high: Any) -> str:
    """A percentile, with its bounds when it is not exact."""
    if value is None or low == high:
        return _number(value)
    return f"{_number(value)} ({_number(low)}…{_number(high)})"


def _share(part: Any, whole: Any) -> str:
    return f"{part / whole:.0%}" if part is not None and whole else ""


def _spilled(value: Any) -> str:
    return "" if value is None else f"{value / 2**20:,.0f} MiB"


def _when(task: dict[str, Any]) -> str:
    moment: datetime | None = task["DUE_AT"] if task["STATUS"] == "PENDING" else task["COMPLETED_AT"]
    if moment is None:
        return ""
    return f"{'due' if task['STATUS'] == 'PENDING' else 'settled'} {moment:%m-%d %H:%M}"


def _text(value: Any) -> str:
    return "" if value is None else f"{value}"
