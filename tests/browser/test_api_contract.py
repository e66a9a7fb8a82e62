"""The API does what its OpenAPI document says: schemathesis asks every operation, with right and with wrong values."""

from __future__ import annotations

import httpx
import schemathesis
from hypothesis import HealthCheck, settings

from enrichment_view.app import create_app
from enrichment_view.documentation import document_of
from local.deployment import Deployment
from tests.plugins.routes import SENT_BY_OUR_PAGE

DOCUMENT = document_of(create_app(), "/enrichment")
schema = schemathesis.openapi.from_dict(DOCUMENT)


def test_the_document_that_is_served_is_the_one_that_is_tested(api: httpx.Client) -> None:
    assert api.get("/api/v1/openapi.json").json() == DOCUMENT


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_its_contract(
    case: schemathesis.Case, deployment: Deployment, tokens: dict[str, str]
) -> None:
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    if case.method != "GET":
        headers |= SENT_BY_OUR_PAGE
    case.call_and_validate(base_url=f"{deployment.home.url}/enrichment", headers=headers)


def test_every_operation_says_what_is_complete_and_until_when(api: httpx.Client) -> None:
    document = api.get("/api/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, reply in operation["responses"].items():
                content = reply.get("content", {})
                for media in content.values():
                    name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
                    assert {"data_complete", "data_available_until"} <= set(schemas[name]["properties"]), (
                        method,
                        path,
                        status,
                    )


def test_the_document_is_only_for_who_is_logged_in(deployment: Deployment) -> None:
    reply = httpx.get(f"{deployment.home.url}/enrichment/api/v1/openapi.json", trust_env=False)
    assert reply.status_code == 401


def test_the_status_has_the_fields_of_the_original_plan(deployment: Deployment, api: httpx.Client) -> None:
    run = deployment.account.run("hybrid-fresh")
    found = api.get(f"/api/v1/runs/{run.run_id}/status").json()
    assert found["test_id"] == run.run_id
    assert (found["status"], found["queue_status"]) == ("PENDING", "PENDING")
    assert 0 < found["minutes_remaining"] < 200
    assert found["earliest_enrichment_time"].endswith("Z")
    assert found["completed_types"] == ["QUERY_HISTORY"]
    assert "AGGREGATE" in found["enrichment_types"]
    assert (found["completed_at"], found["last_error"], found["attempts"]) == (None, None, 1)


def test_a_run_that_does_not_exist_is_a_problem_with_a_status_of_404(api: httpx.Client) -> None:
    reply = api.get("/api/v1/runs/nobody/status")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    assert "nobody" in reply.json()["detail"]
