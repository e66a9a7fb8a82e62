"""The JSON of a run, its sections and the comparison, from the API server."""

from __future__ import annotations

import httpx
import pytest

from local.deployment import Deployment

SECTIONS = ("server-metrics", "lock-contention", "credits", "query-acceleration", "insights", "partitions", "history")
LISTS = {"server-metrics": "patterns", "lock-contention": "waits", "partitions": "patterns", "history": "attempts"}


@pytest.fixture
def run_path(deployment: Deployment) -> str:
    return f"/api/v1/runs/{deployment.account.run('hybrid-settled').run_id}"


@pytest.fixture
def paths(deployment: Deployment, run_path: str) -> list[str]:
    other = deployment.account.run("unistore-settled").run_id
    comparison = f"/api/v1/compare?run={run_path.rpartition('/')[2]}&run={other}"
    return [run_path, comparison, *(f"{run_path}/{section}" for section in SECTIONS)]


def test_every_reply_says_what_is_complete_and_how_far_it_reaches(api: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        reply = api.get(path)
        assert reply.status_code == 200, path
        assert {"data_complete", "data_available_until"} <= reply.json().keys(), path


def test_who_has_the_current_reply_is_not_sent_it_again(api: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        tag = api.get(path).headers["etag"]
        assert api.get(path, headers={"If-None-Match": tag}).status_code == 304, path


def test_each_answer_is_one_statement_and_then_kept(
    deployment: Deployment, api: httpx.Client, paths: list[str]
) -> None:
    for path in paths:
        begun = deployment.server("GET", "/statements")["last"]
        for headers in ({"Cache-Control": "no-cache"}, {}):
            api.get(path, headers=headers).raise_for_status()
        sent = deployment.server("GET", f"/statements?since={begun}")["statements"]
        assert len([item for item in sent if "TEST_RESULTS" in item["text"]]) == 1, path


def test_lists_are_paged_and_the_head_stays(api: httpx.Client, run_path: str) -> None:
    for section, name in LISTS.items():
        first, second, beyond = (
            api.get(f"{run_path}/{section}", params={"limit": 1, "offset": offset}).json() for offset in (0, 1, 1000)
        )
        assert first["total"] == second["total"] == beyond["total"] > 1, section
        assert [len(page[name]) for page in (first, second, beyond)] == [1, 1, 0], section
        assert first[name] != second[name], section


def test_a_childs_id_finds_its_run(api: httpx.Client, deployment: Deployment) -> None:
    run = deployment.account.run("hybrid-settled")
    assert api.get(f"/api/v1/runs/{run.children[0].test_id}").json()["run_id"] == run.run_id


@pytest.mark.parametrize("path", ["/api/v1/runs/nobody", *(f"/api/v1/runs/nobody/{section}" for section in SECTIONS)])
def test_an_id_that_nothing_has_is_not_found_as_problem_details(api: httpx.Client, path: str) -> None:
    reply = api.get(path)

    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert "nobody" in reply.json()["detail"]


def test_hostile_ids_are_data(api: httpx.Client, deployment: Deployment) -> None:
    hostile = "x' OR '1'='1"
    known = deployment.account.run("hybrid-settled").run_id
    assert api.get(f"/api/v1/runs/{hostile}").status_code in (404, 422)
    assert api.get("/api/v1/compare", params={"run": [known, hostile]}).status_code == 422
