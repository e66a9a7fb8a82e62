"""Generates the parts of the documentation that repeat the code: ``make docs``; a test fails when they drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from include.enrichment.settings import PREFIX, ParseSettings, Settings

FOLDER = Path(__file__).parent


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


GENERATED = {"settings.md": settings_reference}


def main() -> None:
    """Write every generated document."""
    for name, render in GENERATED.items():
        (FOLDER / name).write_text(render())


if __name__ == "__main__":
    main()
