"""The dashboard and the rules agree with the table of thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.alert_rules import gauge
from include.enrichment.slo import OBJECTIVES, Level, Objective

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text())["groups"]
    return list(group["rules"])


@pytest.fixture(scope="module")
def panels() -> dict[str, dict[str, Any]]:
    found = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    return {panel["title"]: panel for panel in found}


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.key)
def test_each_threshold_is_one_rule_and_one_line_in_the_dashboard(
    objective: Objective, rules: list[dict[str, Any]], panels: dict[str, dict[str, Any]]
) -> None:
    levels = (Level.WARNING, Level.CRITICAL)
    thresholds = {
        level.lower(): objective.threshold(level) for level in levels if objective.threshold(level) is not None
    }
    found = {rule["labels"]["severity"]: rule["expr"] for rule in rules if gauge(objective) == rule["expr"].split()[0]}
    assert found == {level: f"{gauge(objective)} > {value:g}" for level, value in thresholds.items()}
    panel = panels[objective.name]
    assert [target["expr"] for target in panel["targets"]] == [gauge(objective)]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps[1:]] == list(thresholds.values())


def test_every_rule_has_a_name_of_its_own_and_says_where_to_read_on(rules: list[dict[str, Any]]) -> None:
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert all(rule["annotations"]["runbook"].startswith("docs/operate.md#") for rule in rules)
