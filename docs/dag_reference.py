"""The DAG reference: schedule, parameters and tasks of every DAG, read from the DAGs themselves."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG, Param

PROJECT = Path(__file__).parents[1]
_UNITS = (("days", "d"), ("hours", "h"), ("minutes", "min"), ("seconds", "s"))
_LIMITS = {
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "maxLength": "At most {} characters.",
    "maxItems": "At most {} items.",
}


def document() -> str:
    """``docs/dags.md``: a chapter for each file of ``dags/``."""
    lines = [
        "# DAGs",
        "",
        "Generated from `dags/*.py` by `make docs`, with the default settings. What a DAG does, and how to repeat or",
        "stop it, is its documentation in the Airflow UI, the docstring of its file.",
        "",
    ]
    for file in sorted((PROJECT / "dags").glob("*.py")):
        lines += _chapter(_dag(file.stem))
    return "\n".join(lines).rstrip() + "\n"


def _dag(dag_id: str) -> DAG:
    """The DAG of a file, by its factory of the same name; as the file makes it, without a database."""
    os.environ.setdefault("AIRFLOW_HOME", str(PROJECT / ".local" / "airflow"))  # Airflow writes its configuration there
    made: DAG = getattr(importlib.import_module(f"dags.{dag_id}"), dag_id)()
    return made


def _chapter(dag: DAG) -> Iterator[str]:
    yield from (f"## {dag.dag_id}", "", _purpose(dag), "", "| | |", "|---|---|")
    yield f"| source | [`dags/{dag.dag_id}.py`](../dags/{dag.dag_id}.py) |"
    yield f"| schedule | {_schedule(dag)} |"
    yield f"| at the same time | {dag.max_active_runs} |"
    yield f"| stopped after | {_duration(dag.dagrun_timeout)} |"
    yield from (f"| reported after | {_duration(item.interval)} more than usual |" for item in _deadlines(dag))
    yield from ("", "| task | after | runs when | retries | stopped after | pool |", "|---|---|---|---|---|---|")
    for task in dag.topological_sort():
        after = ", ".join(f"`{name}`" for name in sorted(task.upstream_task_ids))
        retries = f"{task.retries}, after {_duration(task.retry_delay)}" if task.retries else "none"
        yield (
            f"| `{task.task_id}`{', mapped' if task.is_mapped else ''} | {after} | {_words(task.trigger_rule)} "
            f"| {retries} | {_duration(task.execution_timeout)} | `{task.pool}` |"
        )
    if names := list(dag.params):
        yield from ("", "| parameter | type | default | meaning |", "|---|---|---|---|")
        for name in names:
            yield _parameter(name, dag.params.get_param(name))
    yield ""


def _purpose(dag: DAG) -> str:
    """The first paragraph of its documentation, as one line."""
    paragraph = (dag.doc_md or "").strip().split("\n\n")[1]
    return " ".join(paragraph.split()).rstrip(":.") + "."


def _schedule(dag: DAG) -> str:
    schedule: Any = dag.schedule
    if schedule is None:
        return "by hand, by REST"
    return f"every {_duration(schedule)}" if isinstance(schedule, timedelta) else f"`{schedule}`"


def _deadlines(dag: DAG) -> list[Any]:
    found = dag.deadline or []
    return list(found) if isinstance(found, list) else [found]


def _parameter(name: str, param: Param) -> str:
    schema = param.schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = " or ".join(item for item in kinds if item != "null") + (", optional" if "null" in kinds else "")
    default = "" if param.value is None else f"`{str(param.value).lower()}`"
    meaning = [f"*{schema['title']}.* {param.description}"]
    if values := schema.get("enum", schema.get("items", {}).get("enum")):
        meaning.append(f"One of {', '.join(f'`{value}`' for value in values if value is not None)}.")
    meaning += [text.format(schema[key]) for key, text in _LIMITS.items() if key in schema]
    return f"| `{name}` | {kind} | {default} | {' '.join(meaning)} |"


def _words(trigger_rule: Any) -> str:
    return str(getattr(trigger_rule, "value", trigger_rule)).replace("_", " ")


def _duration(value: timedelta | float | None) -> str:
    """In its largest whole unit."""
    if value is None:
        return "never"
    duration = value if isinstance(value, timedelta) else timedelta(seconds=value)
    for name, unit in _UNITS:
        step = timedelta(**{name: 1})
        if duration >= step and not duration % step:
            return f"{duration // step} {unit}"
    return str(duration)
