"""The enrichment types, declared once.

How one is added, file by file: ``docs/add-a-type.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

SNOWFLAKE_TABLE_TYPES = ("STANDARD", "HYBRID", "UNISTORE", "INTERACTIVE", "DYNAMIC")
HYBRID_TABLE_TYPES = ("HYBRID", "UNISTORE")
FALLBACK_TABLE_TYPE = "STANDARD"
"""An unknown table type is treated as this one."""

NO_ENRICHMENT_TABLE_TYPES = ("POSTGRES",)
"""Table types without any enrichment type: their job is ``NOT_APPLICABLE``."""

_NO_INSIGHTS = "Snowflake produces no query insights for {} tables"


class Readiness(Enum):
    """What tells that a view holds all of a run (SPEC §7, readiness)."""

    COUNT = "the view has passed the window and the expected number of statements is there"
    QUERY_HISTORY_PASSED = "QUERY_HISTORY, through which the rows are joined, has passed the window"
    DUE = "nothing but the view's stated latency"


@dataclass(frozen=True)
class EnrichmentType:
    """One enrichment type.

    :param name: its name in ``DELAYED_ENRICHMENT_TASKS.ENRICHMENT_TYPE``
    :param source_view: the view of ``ACCOUNT_USAGE`` that it reads
    :param latency: the view's documented latency
    :param buffer: added to the latency; a task is due at run end + latency + buffer
    :param table_types: table types that have this type at all
    :param not_applicable: table type to reason; such a run has a ``NOT_APPLICABLE`` task
    :param ended: runs that ended on or after this day are ``NOT_APPLICABLE``
    :param ended_reason: why
    :param readiness: how completeness is judged
    :param target: the table that it fills
    :param retention: how long the view keeps rows
    :param horizon: after due, when waiting for completeness ends
    :param aliases: other names accepted in ``ENRICHMENT_TYPES`` of a job
    :param is_optional: runs get it in a deployment that names it in its settings, and in no other
    """

    name: str
    source_view: str
    latency: timedelta
    buffer: timedelta
    table_types: tuple[str, ...]
    readiness: Readiness
    target: str
    not_applicable: tuple[tuple[str, str], ...] = ()
    ended: date | None = None
    ended_reason: str | None = None
    retention: timedelta = timedelta(days=365)
    horizon: timedelta = timedelta(hours=12)
    aliases: tuple[str, ...] = ()
    is_optional: bool = False

    @property
    def due_after(self) -> timedelta:
        """Time from the end of a run to its first try."""
        return self.latency + self.buffer

    @property
    def template(self) -> str:
        """Path of the SQL template below ``include/sql``."""
        return f"enrich/{self.name.lower()}.sql"


CATALOGUE: tuple[EnrichmentType, ...] = (
    EnrichmentType(
        name="QUERY_HISTORY",
        source_view="QUERY_HISTORY",
        latency=timedelta(minutes=45),
        buffer=timedelta(minutes=5),
        table_types=SNOWFLAKE_TABLE_TYPES,
        readiness=Readiness.COUNT,
        target="QUERY_EXECUTION_METRICS",
    ),
    EnrichmentType(
        name="QUERY_INSIGHTS",
        source_view="QUERY_INSIGHTS",
        latency=timedelta(minutes=90),
        buffer=timedelta(minutes=10),
        table_types=SNOWFLAKE_TABLE_TYPES,
        readiness=Readiness.QUERY_HISTORY_PASSED,
        target="QUERY_INSIGHTS_CACHE",
        not_applicable=tuple(
            (table_type, _NO_INSIGHTS.format(table_type.lower())) for table_type in (*HYBRID_TABLE_TYPES, "INTERACTIVE")
        ),
        aliases=("INSIGHTS",),
    ),
    EnrichmentType(
        name="AGGREGATE",
        source_view="AGGREGATE_QUERY_HISTORY",
        latency=timedelta(hours=3),
        buffer=timedelta(minutes=15),
        table_types=SNOWFLAKE_TABLE_TYPES,
        readiness=Readiness.COUNT,
        target="AGGREGATE_QUERY_METRICS",
    ),
    EnrichmentType(
        name="LOCK_CONTENTION",
        source_view="LOCK_WAIT_HISTORY",
        latency=timedelta(hours=3),
        buffer=timedelta(minutes=15),
        table_types=HYBRID_TABLE_TYPES,
        readiness=Readiness.QUERY_HISTORY_PASSED,
        target="LOCK_CONTENTION_EVENTS",
        aliases=("LOCK",),
    ),
    EnrichmentType(
        name="HYBRID_CREDITS",
        source_view="HYBRID_TABLE_USAGE_HISTORY",
        latency=timedelta(hours=3),
        buffer=timedelta(minutes=15),
        table_types=HYBRID_TABLE_TYPES,
        readiness=Readiness.DUE,
        target="HYBRID_TABLE_CREDITS",
        # https://docs.snowflake.com/en/release-notes/2026/other/2026-03-02-hybrid-tables-pricing
        ended=date(2026, 3, 1),
        ended_reason="Snowflake has not billed hybrid table requests since 2026-03-01",
        aliases=("CREDITS",),
    ),
    EnrichmentType(
        name="QUERY_ACCELERATION",
        source_view="QUERY_ACCELERATION_HISTORY",
        latency=timedelta(hours=3),
        buffer=timedelta(minutes=75),  # its rows are hours: the last of a run ends up to an hour after it
        table_types=SNOWFLAKE_TABLE_TYPES,
        readiness=Readiness.DUE,
        target="QUERY_ACCELERATION_CREDITS",
        # https://docs.snowflake.com/en/user-guide/tables-hybrid-limitations
        not_applicable=(("HYBRID", "Snowflake does not accelerate queries of hybrid tables"),),
        # Enterprise Edition: https://docs.snowflake.com/en/user-guide/query-acceleration-service
        is_optional=True,
    ),
)

OPTIONAL_TYPES = tuple(entry.name for entry in CATALOGUE if entry.is_optional)

_BY_NAME = {entry.name: entry for entry in CATALOGUE}


def enrichment_type(name: str) -> EnrichmentType:
    """Look a type up by its name.

    :raises KeyError: when the catalogue has no such type
    """
    return _BY_NAME[name]


def as_bind(off: Mapping[str, str]) -> str:
    """The catalogue as the JSON bind parameter of the templates that give runs a job and jobs their tasks.

    :param off: the types that are off by setting, name to why; see ``Settings.off_types``
    """
    return json.dumps(
        [
            {
                "name": entry.name,
                "names": [entry.name, *entry.aliases],
                "due_after_minutes": int(entry.due_after.total_seconds() // 60),
                "retention_days": entry.retention.days,
                "table_types": [
                    {"table_type": table_type, "reason": dict(entry.not_applicable).get(table_type)}
                    for table_type in entry.table_types
                ],
                "ended": entry.ended.isoformat() if entry.ended else None,
                "ended_reason": entry.ended_reason,
                "off_reason": off.get(entry.name),
                "is_discovered": not (entry.is_optional and entry.name in off),
            }
            for entry in CATALOGUE
        ]
    )
