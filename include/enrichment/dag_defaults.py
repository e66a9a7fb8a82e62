"""``default_args`` of every DAG of the package."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.enrichment.settings import ParseSettings

_SETTINGS = ParseSettings()

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "flakebench",
    "retries": 2,
    "retry_delay": timedelta(seconds=_SETTINGS.retry_delay_seconds),
    "execution_timeout": timedelta(minutes=_SETTINGS.task_timeout_minutes),
}
