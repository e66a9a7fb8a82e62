"""Puts the application together: routers, guards, headers and problem replies, each from its module."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI

from enrichment_view import (
    airflow_links,
    api,
    assets,
    documentation,
    health_api,
    pages,
    problems,
    retry_api,
    run_api,
    run_pages,
)
from enrichment_view.headers import SecurityHeaders
from enrichment_view.security import may_see_plugins, may_see_runs

API_PREFIX = "/api/v1"

DATA_ROUTERS: tuple[APIRouter, ...] = (
    # API: JSON below /api/v1
    api.router,
    run_api.router,
    run_api.comparison_router,
    retry_api.router,
    health_api.router,
    documentation.router,
)
PAGE_ROUTERS: tuple[APIRouter, ...] = (
    # HTML below /
    pages.router,
    run_pages.router,
    airflow_links.router,
)


def create_app() -> FastAPI:
    """The application that Airflow mounts under ``/enrichment``.

    Airflow does not authenticate the applications of plugins. So the dependency of the whole application does, the
    routes that FastAPI would add without it (documentation, OpenAPI) are switched off, files are served by a route,
    and a path that nothing serves ends at a route as well.
    """
    app = FastAPI(
        title="FlakeBench enrichment",
        version="1",
        description="What Snowflake measured during each benchmark run, what is still coming, and when.",
        dependencies=[Depends(may_see_plugins)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    for router in DATA_ROUTERS:
        app.include_router(router, prefix=API_PREFIX, dependencies=[Depends(may_see_runs)])
    app.include_router(assets.router)
    for router in PAGE_ROUTERS:
        app.include_router(router, dependencies=[Depends(may_see_runs)], include_in_schema=False)
    app.include_router(problems.router, include_in_schema=False)  # last: it takes every path
    return app
