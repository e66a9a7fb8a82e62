"""Who may do what: Airflow's own permissions, and what tells our page from a foreign one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from fastapi import Depends, Header, HTTPException, Request, status

from include.enrichment.page import retries

PASS_DAG_ID = "delayed_enrichment"
RETRY_DAG_ID = retries.DAG_ID
REQUESTED_WITH = "enrichment-view"
"""Value of ``X-Requested-With``: a form of a foreign page cannot set a header, a script of it needs our consent."""

may_see_plugins = requires_access_view(AccessView.PLUGINS)
may_see_runs = requires_access_dag("GET", DagAccessEntity.RUN, param_dag_id=PASS_DAG_ID)
may_retry = requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=RETRY_DAG_ID)

User = GetUserDep


def comes_from_our_page(
    request: Request,
    x_requested_with: Annotated[
        str | None, Header(description=f"`{REQUESTED_WITH}`; shows that no foreign page sent the request")
    ] = None,
) -> None:
    """Refuse a request that changes something and may come from a foreign page with the user's cookie.

    Airflow checks no origin of requests that its cookie authenticates.

    :raises HTTPException: 403, or 415 when the body is not JSON
    """
    if x_requested_with != REQUESTED_WITH:
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"The header X-Requested-With: {REQUESTED_WITH} is missing.")
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "The request comes from another site.")
    origin = request.headers.get("origin")
    # browsers leave Sec-Fetch-Site out over plain HTTP
    if site is None and origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "The request comes from another site.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")


def is_allowed_to_retry(user: GetUserDep) -> bool:
    """Whether to offer the button; :data:`may_retry` is what decides."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
    from airflow.models.dag import DagModel

    details = DagDetails(id=RETRY_DAG_ID, team_name=DagModel.get_team_name(RETRY_DAG_ID))
    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
    )


MayRetry = Annotated[bool, Depends(is_allowed_to_retry)]
