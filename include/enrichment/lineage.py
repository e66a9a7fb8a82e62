"""OpenLineage: what each template reads and writes. Airflow's OpenLineage provider sends it, where it is installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from include.enrichment import settings as settings_module
from include.enrichment.templates import render

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from include.enrichment.catalogue import EnrichmentType
    from include.enrichment.settings import Settings

SUMMARY = "RUN_ENRICHMENT_SUMMARY"


def tables(entry: EnrichmentType, settings: Settings) -> tuple[list[str], list[str]]:
    """The inputs and the outputs of a type's template, each ``<database>.<schema>.<name>``.

    The views are those that its SQL names, so that a new template needs no list here.
    """
    views = re.findall(rf"{re.escape(settings.account_usage)}\.\w+", render(entry.template, settings))
    inputs = [*sorted(set(views)), f"{settings.results}.TEST_RESULTS"]
    return inputs, [f"{settings.enrichment}.{table}" for table in (entry.target, SUMMARY)]


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
