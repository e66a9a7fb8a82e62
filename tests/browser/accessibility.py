"""What axe finds in a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

COUNTED = frozenset({"serious", "critical"})


def serious_issues(page: Page) -> list[str]:
    """Rule and element of each serious or critical violation."""
    found = Axe().run(page).response["violations"]
    return [
        f"{issue['id']}: {node['target']} {node.get('failureSummary', '')}"
        for issue in found
        if issue["impact"] in COUNTED
        for node in issue["nodes"]
    ]
