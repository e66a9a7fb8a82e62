"""OpenLineage: what each template reads and writes. Airflow's OpenLineage provider sends it, where it is installed."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from include.enrichment import settings as settings_module
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from include.enrichment.catalogue import EnrichmentType
    from include.enrichment.settings import Settings

_SCHEMAS = ("results", "enrichment", "account_usage")
_WRITTEN = re.compile(r"\b(?:INSERT INTO|MERGE INTO|UPDATE) <(results|enrichment)>\.(?!DELAYED_ENRICHMENT_)(\w+)")
"""The queue's own tables say what became of a task, not of a run's data."""
_READ = re.compile(r"\b(?:FROM|JOIN|USING) <(results|account_usage)>\.(\w+)")
"""What the package reads of its own tables is what it wrote at an earlier look."""


def tables(entry: EnrichmentType, settings: Settings) -> tuple[list[str], list[str]]:
    """The inputs and the outputs of a type's template, each ``<database>.<schema>.<name>``.

    They are those that its SQL names, so that a new template needs no list here. It is rendered with the schemas' roles
    instead of their names, because FlakeBench's and the package's tables can be in one schema.
    """
    sql = render(entry.template, cast("Settings", SimpleNamespace(**{name: f"<{name}>" for name in _SCHEMAS})))

    def named(pattern: re.Pattern[str]) -> list[str]:
        return sorted({f"{getattr(settings, schema)}.{table}" for schema, table in pattern.findall(sql)})

    return named(_READ), named(_WRITTEN)


def of_type(entry: EnrichmentType, hook: SnowflakeHook) -> OperatorLineage[Any, Any] | None:
    """The lineage of one try; None without the OpenLineage provider."""
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import Dataset
    except ImportError:
        return None
    namespace = _namespace(hook)

    def datasets(names: list[str]) -> list[Any]:
        return [Dataset(namespace=namespace, name=name) for name in names]

    inputs, outputs = tables(entry, settings_module.current())
    return OperatorLineage(inputs=datasets(inputs), outputs=datasets(outputs))


def _namespace(hook: SnowflakeHook) -> str:
    """``snowflake://<account>``, normalized as the provider does it, so that other tools' datasets are the same."""
    info = hook.get_openlineage_database_info(hook.get_connection(hook.get_conn_id()))
    return f"{info.scheme}://{info.authority}"
