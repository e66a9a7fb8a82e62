"""Generates the parts of the documentation that repeat the code: ``make docs``; a test fails when they drift."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic_core import PydanticUndefined

from docs import alert_rules, dag_reference, data_dictionary, percentiles_picture
from include.enrichment.error_numbers import ERROR_NUMBERS, ERROR_RANGES, UNLISTED, UNREACHABLE, ErrorClass
from include.enrichment.settings import PREFIX, ParseSettings, Settings
from include.enrichment.templates import SQL_FOLDER, paths, render

FOLDER = Path(__file__).parent
GROUPS = {
    "verify": "What one run, or a deployment, has got so far.",
    "monitor": "To look at from time to time.",
    "alert": "One number to compare with a threshold.",
}
"""``Group`` in the header of a query to what the group is for; a query without one belongs to ``monitor``."""

_HEADER = re.compile(r"\A(?:--[^\n]*\n)+")
_FIELD = re.compile(r"-- (\w[\w ]*):\s+(.*)")
_BIND = re.compile(r"%\((\w+)\)s")


def settings_reference() -> str:
    """``docs/settings.md``: every setting, its default and what it does."""
    lines = [
        "# Settings",
        "",
        "Generated from `include/enrichment/settings.py` by `make docs`.",
        "",
        "## Read when a DAG file is parsed",
        "",
        "From the **environment** of the DAG processor and the workers; they shape the DAGs.",
        "",
        *_table(ParseSettings),
        "",
        "## Read inside tasks",
        "",
        "From the **Airflow Variable** of the same name, else from the **environment**; a change counts from the next "
        "task.",
        "",
        *_table(Settings),
        "",
    ]
    return "\n".join(lines)


def _table(model: type[ParseSettings | Settings]) -> list[str]:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        rows.append(f"| `{PREFIX}{name.upper()}` | {_default(field.default)} | {field.description} |")
    return rows


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(str(item) for item in value)}`" if value else ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@dataclass(frozen=True)
class Query:
    """A query of ``include/sql/monitor``.

    :param fields: of its header, for instance ``Purpose``, as one line each
    :param sql: with the default settings, binds as ``'<name>'``, without the header
    """

    name: str
    fields: dict[str, str]
    sql: str

    @classmethod
    def read(cls, path: str) -> Self:
        header = _HEADER.match((SQL_FOLDER / path).read_text())
        fields: dict[str, str] = {}
        for line in header.group().splitlines() if header else ():
            if match := _FIELD.fullmatch(line):
                name = match[1]
                fields[name] = match[2]
            else:
                fields[name] += f" {line.removeprefix('--').strip()}"
        text = _HEADER.sub("", render(path, Settings.model_construct())).strip()
        return cls(Path(path).stem, fields, _BIND.sub(lambda match: f"'<{match[1].replace('_', ' ')}>'", text))

    @property
    def group(self) -> str:
        return self.fields.get("Group", "monitor")

    def lines(self) -> list[str]:
        purpose = self.fields["Purpose"]
        told = [f"{purpose[0].upper()}{purpose[1:]}", f"*Rows:* {self.fields['Grain']}"]
        told += [f"*{title}:* {self.fields[field]}" for field, title in _TOLD.items() if field in self.fields]
        source = f"[`include/sql/monitor/{self.name}.sql`](../include/sql/monitor/{self.name}.sql)"
        return [f"### {self.name}", "", "  \n".join([*told, source]), "", "```sql", self.sql, "```", ""]


_TOLD = {"Limits": "Note", "Corrects": "Differs from the plan"}


def queries() -> str:
    """``docs/queries.md``: every query of ``include/sql/monitor``, ready to paste."""
    found = [Query.read(path) for path in paths() if path.startswith("monitor/")]
    lines = [
        "# Queries",
        "",
        "Generated from `include/sql/monitor/*.sql` by `make docs`, with the default settings; ready for Snowsight.",
        "Replace `<run id>`; the id of a child finds its run. Times are UTC. NULL is *not known, or not yet*, never 0.",
        "",
    ]
    for group, meaning in GROUPS.items():
        lines += [f"## {group.title()}", "", meaning, ""]
        lines += [line for query in found if query.group == group for line in query.lines()]
    return "\n".join(lines).rstrip() + "\n"


ERROR_CLASSES = {
    ErrorClass.TRANSIENT: "Transient",
    ErrorClass.NO_PRIVILEGE: "No privilege",
    ErrorClass.PERMANENT: "Permanent",
}


def errors_reference() -> str:
    """``docs/errors.md``: every error number that is known, what happens, what to do, and where the number is from."""
    rows = [(f"{number:06d}", verdict) for number, verdict in sorted(ERROR_NUMBERS.items())]
    rows += [(f"{numbers.start}–{numbers.stop - 1}", verdict) for numbers, verdict in ERROR_RANGES.items()]
    lines = [
        "# Errors",
        "",
        "Generated from `include/enrichment/error_numbers.py` by `make docs`.",
        "",
        "What happens to a task whose try fails depends on Snowflake's error number. The reason is in `REASON_CODE`,",
        "the message in `LAST_ERROR` of `DELAYED_ENRICHMENT_TASKS`.",
        "",
        "| class | what happens |",
        "|---|---|",
        *(f"| {title} | {error_class.value} |" for error_class, title in ERROR_CLASSES.items()),
        "| Not ready | looked at again later, without counting the try |",
        "",
        "*No privilege*: a view of `ACCOUNT_USAGE` does not exist for the role (002003, 002043, 003001 or SQLSTATE",
        "42501 on such a view); the message has the exact `GRANT`. *Not ready* follows from a look at the view, not",
        f"from an error. A number that is not listed is transient, reason `{UNLISTED.reason_code}`; an error of the",
        f"network without a number is transient, reason `{UNREACHABLE.reason_code}`.",
        "",
        "| number | meaning | class | reason | next action | source |",
        "|---|---|---|---|---|---|",
        *(
            f"| {number} | {verdict.meaning} | {ERROR_CLASSES[verdict.error_class]} | `{verdict.reason_code}` "
            f"| {verdict.next_action} | {verdict.source} |"
            for number, verdict in rows
        ),
        "",
    ]
    return "\n".join(lines)


GENERATED = {
    "settings.md": settings_reference,
    "queries.md": queries,
    "errors.md": errors_reference,
    "data-dictionary.md": data_dictionary.document,
    "dags.md": dag_reference.document,
    "percentiles.svg": percentiles_picture.picture,
    "../deploy/prometheus-rules.yaml": alert_rules.prometheus_rules,
    "../deploy/grafana-dashboard.json": alert_rules.grafana_dashboard,
}


def main() -> None:
    """Write every generated document."""
    for name, document in GENERATED.items():
        (FOLDER / name).write_text(document())


if __name__ == "__main__":
    main()
