"""Params that several DAGs share: the trigger form is their documentation, the API refuses what does not fit."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from include.enrichment.catalogue import CATALOGUE

ID_LENGTH = 36
"""FlakeBench's TEST_ID and RUN_ID are VARCHAR(36)."""

_ID = {"type": "string", "minLength": 1, "maxLength": ID_LENGTH}
# not "format": jsonschema checks date-time only where an optional package is installed
_TIME: dict[str, Any] = {
    "type": ["null", "string"],
    "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$",
    "examples": ["2026-11-01", "2026-11-01T06:00:00Z"],
}

TEST_ID = Param(
    None,
    type=["null", "string"],
    minLength=1,
    maxLength=ID_LENGTH,
    title="Run",
    description="TEST_ID of a run, or of one of its children.",
    examples=["6f1c2a4e-0b1d-4c53-9d0e-3a7b5c9e8f21"],
)
TEST_IDS = Param(
    None,
    type=["null", "array"],
    items=_ID,
    minItems=1,
    maxItems=1000,
    uniqueItems=True,
    title="Runs",
    description="TEST_IDs of runs, or of their children; one a line.",
)
FROM = Param(None, **_TIME, title="From", description="Runs that ended at or after this day or time (UTC).")
TO = Param(
    None,
    **_TIME,
    title="To",
    description="Runs that ended before this time (UTC); a day without a time is included whole.",
)
TYPES = Param(
    None,
    type=["null", "array"],
    items={"type": "string", "enum": [name for entry in CATALOGUE for name in (entry.name, *entry.aliases)]},
    minItems=1,
    uniqueItems=True,
    title="Enrichment types",
    description="Only these; all when empty.",
    examples=[entry.name for entry in CATALOGUE],
)
