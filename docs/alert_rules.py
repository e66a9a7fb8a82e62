"""Grafana's dashboard and the rules for Prometheus, made from the one table of thresholds.

The names are those that Airflow's StatsD client sends with its default prefix and that the statsd-exporter shows
without a mapping: dots become underscores. Tags need ``[metrics] statsd_datadog_enabled`` or
``statsd_influxdb_enabled``. With OpenTelemetry an exporter may add ``_total`` to counters; no rule reads a counter.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from include.enrichment import metrics
from include.enrichment.slo import METRIC_PREFIX, OBJECTIVES, RUNBOOK, UNREADABLE, Level, Objective

PREFIX = f"airflow_{METRIC_PREFIX}"
HOLD = "10m"
"""Two looks of the monitor: Prometheus' way of not calling for a value on the border."""
SILENCE_SECONDS = 1800
"""For a monitor that looks every five minutes; who sets MONITOR_MINUTES above 15 changes the rule."""
_WIDTH, _HEIGHT, _IN_A_ROW = 8, 7, 3
_UNITS = {"percent": "percent", "minutes": "m"}
_HEADER = "# Generated from include/enrichment/slo.py by `make docs`; change the thresholds there.\n"


def prometheus_rules() -> str:
    """``deploy/prometheus-rules.yaml``: an alert per objective and level, and one for a monitor that is silent."""
    looked_at = f"{PREFIX}_looked_at"
    rules = [
        _rule(objective, level)
        for objective in OBJECTIVES
        for level in (Level.WARNING, Level.CRITICAL)
        if objective.threshold(level) is not None
    ]
    rules.append(
        {
            "alert": "FlakeBenchEnrichmentMonitorSilent",
            "expr": f"time() - {looked_at} > {SILENCE_SECONDS} or absent({looked_at})",
            "for": HOLD,
            "labels": {"severity": "critical"},
            "annotations": {
                "summary": f"enrichment_monitor has not looked for {SILENCE_SECONDS // 60} minutes",
                "runbook": f"{RUNBOOK}#{UNREADABLE.anchor}",
            },
        }
    )
    groups = {"groups": [{"name": METRIC_PREFIX, "rules": rules}]}
    return _HEADER + yaml.safe_dump(groups, sort_keys=False, width=120)


def _rule(objective: Objective, level: Level) -> dict[str, Any]:
    title = objective.key.title().replace("_", "")
    threshold = objective.threshold(level)
    return {
        "alert": f"FlakeBenchEnrichment{title}{level.title()}",
        "expr": f"{gauge(objective)} > {threshold:g}",
        "for": HOLD,
        "labels": {"severity": level.lower()},
        "annotations": {
            "summary": f"{objective.name}: {{{{ $value }}}} {objective.unit} ({level.lower()} above {threshold:g})",
            "runbook": f"{RUNBOOK}#{objective.anchor}",
        },
    }


def gauge(objective: Objective) -> str:
    """Name of an objective's gauge in Prometheus."""
    return f"{PREFIX}_{objective.key}"


def grafana_dashboard() -> str:
    """``deploy/grafana-dashboard.json``: a panel per objective with its thresholds, then what the tasks did."""
    charts = [_chart(objective.name, objective.unit, [gauge(objective)], _steps(objective)) for objective in OBJECTIVES]
    charts += [_chart(description, "short", [_rate(name)], _NO_STEPS) for name, description in metrics.COUNTERS.items()]
    charts += [
        _chart(description, "s", [f"{PREFIX}_{name}{{quantile=~'0.5|0.99'}}"], _NO_STEPS)
        for name, description in metrics.TIMERS.items()
    ]
    charts += [
        _chart(description, "short", [f"{PREFIX}_{name}"], _NO_STEPS) for name, description in metrics.GAUGES.items()
    ]
    dashboard = {
        "uid": "flakebench-enrichment",
        "title": "FlakeBench enrichment",
        "tags": ["flakebench", "airflow"],
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "schemaVersion": 39,
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [{"id": number + 1, "gridPos": _position(number), **chart} for number, chart in enumerate(charts)],
    }
    return json.dumps(dashboard, indent=2) + "\n"


_NO_STEPS = [{"color": "green", "value": None}]


def _rate(counter: str) -> str:
    by = {"tasks_ended": " by (type, outcome, reason)", "rows_written": " by (type)"}.get(counter, "")
    return f"sum{by} (increase({PREFIX}_{counter}[1h]))"


def _steps(objective: Objective) -> list[dict[str, Any]]:
    levels = ((Level.WARNING, "orange"), (Level.CRITICAL, "red"))
    return _NO_STEPS + [
        {"color": color, "value": objective.threshold(level)}
        for level, color in levels
        if objective.threshold(level) is not None
    ]


def _chart(title: str, unit: str, queries: list[str], steps: list[dict[str, Any]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "fieldConfig": {
            "defaults": {
                "unit": _UNITS.get(unit, unit if unit == "s" else "short"),
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "line" if len(steps) > 1 else "off"}},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": source, "expr": query}
            for number, query in enumerate(queries)
        ],
    }


def _position(number: int) -> dict[str, int]:
    row, column = divmod(number, _IN_A_ROW)
    return {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
