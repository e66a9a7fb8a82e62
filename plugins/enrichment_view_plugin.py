"""Adds the page "Enrichment" to the Airflow UI, and its API below ``/enrichment/api/v1``.

Airflow executes this file in every process, tasks included, so that it imports nothing heavy: the application is
imported with the first request, which only an API server gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class EnrichmentView:
    """The FastAPI application, made when it is asked for the first time."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on (ASGI)."""
        if self._app is None:
            from enrichment_view.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


class EnrichmentViewPlugin(AirflowPlugin):
    """Registers the application, the entry in the navigation, and the tabs of DAG runs and task instances."""

    name = "enrichment_view"
    fastapi_apps: list[Any] = [{"app": EnrichmentView(), "url_prefix": "/enrichment", "name": "Enrichment"}]  # noqa: RUF012 - as Airflow declares it
    # without a leading slash: below the base path, wherever that is
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Enrichment",
            "href": "enrichment/",
            "destination": "nav",
            "url_route": "enrichment",
            "category": "browse",
            "icon": "enrichment/static/icon.svg",
            "icon_dark_mode": "enrichment/static/icon_dark.svg",
        },
        {
            "name": "Enrichment",
            "href": "enrichment/dag-runs/{DAG_ID}/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "enrichment-of-dag-run",
        },
        {
            "name": "Enrichment",
            "href": "enrichment/dag-runs/{DAG_ID}/{RUN_ID}?task_id={TASK_ID}&map_index={MAP_INDEX}",
            "destination": "task_instance",
            "url_route": "enrichment-of-task",
        },
    ]
