"""What the compared runs were given: the columns of TEST_RESULTS and the items of TEST_CONFIG, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.enrichment.page.rows import Row, structure

_SECRET_WORDS = ("password", "secret", "token", "credential", "private_key", "passphrase")

_COLUMNS = {
    "table type": "TABLE_TYPE",
    "table": "TABLE_NAME",
    "scenario": "SCENARIO_NAME",
    "warehouse": "WAREHOUSE",
    "warehouse size": "WAREHOUSE_SIZE",
    "workers": "WORKER_COUNT",
    "connections": "CONCURRENT_CONNECTIONS",
}


@dataclass(frozen=True)
class ConfigurationItem:
    """One item of the configuration, of all runs in their order; None: the run does not have it."""

    name: str
    values: tuple[str | None, ...]
    is_different: bool


def configurations(rows: Sequence[Row]) -> tuple[ConfigurationItem, ...]:
    """What differs before what does not; the columns of TEST_RESULTS first, then the items of TEST_CONFIG.

    :param rows: of ``page/compare.sql``
    """
    items = [
        *((name, [row[column] for row in rows]) for name, column in _COLUMNS.items()),
        *_test_configs([structure(row["TEST_CONFIG"]) or {} for row in rows]),
    ]
    shown = [
        ConfigurationItem(name, tuple(_shown(value) for value in values), len({_shown(value) for value in values}) > 1)
        for name, values in items
        if any(value is not None for value in values)
    ]
    return tuple(sorted(shown, key=lambda item: not item.is_different))


def _test_configs(configs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    flat = [dict(_leaves(config)) for config in configs]
    for path in sorted({path for leaves in flat for path in leaves}):
        yield path, [leaves.get(path) for leaves in flat]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a nested structure by dotted path, but for what may be a secret."""
    if any(word in path.lower() for word in _SECRET_WORDS):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    else:
        yield path, value


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
