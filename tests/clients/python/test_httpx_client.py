"""The platform through httpx, blocking and for asyncio."""

from __future__ import annotations

import asyncio

import httpx
import pytest


@pytest.fixture(scope="session")
def headers(place):
    answer = httpx.post(f"{place.api}/v1/oauth/token", data=place.grant)
    assert answer.status_code == 200, answer.text
    return {"authorization": "Bearer " + answer.json()["access_token"]}


@pytest.fixture
def client(place, headers):
    with httpx.Client(base_url=place.api, headers=headers) as client:
        yield client


def test_it_reads(place, client):
    answer = client.get(f"/v1/patients/{place.patient_id}/safe")
    assert (answer.status_code, answer.json()["id"]) == (200, place.patient_id)


def test_bad_input_names_the_field(place, client):
    answer = client.post("/v1/biomarkers/parse", json=place.report(sauce="labcorp"))
    assert (answer.status_code, answer.json()["error"]) == (400, "validation_error")
    assert answer.json()["details"][1]["field_violations"][0]["field"] == "sauce"
    answer = client.get("/v1/biomarkers", params={"user_id": "x", "page_size": 101})
    assert answer.json()["details"][1]["field_violations"][0]["field"] == "page_size"


def test_a_retry_gets_the_first_answer(place, client):
    named = {"idempotency-key": place.key()}
    first = client.post("/v1/biomarkers/parse", json=place.report(), headers=named)
    again = client.post("/v1/biomarkers/parse", json=place.report(), headers=named)
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json()
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (
        False,
        "true",
    )


def test_pages_lead_to_the_end(place, client):
    written = client.post("/v1/biomarkers/parse", json=place.report()).json()["results"]
    found, query = [], {"user_id": place.user_id, "page_size": "2"}
    while query:
        page = client.get("/v1/biomarkers", params=query).json()
        found += [it["id"] for it in page["biomarkers"]]
        token = page.get("next_page_token")
        query = {**query, "page_token": token} if token else None
    assert len(found) == len(set(found))
    assert {it["id"] for it in written} <= set(found)


def test_a_token_that_is_no_more_is_told_from_one_that_lacks_a_scope(place, client):
    grant = {**place.grant, "scope": "admin:identity"}
    narrow = httpx.post(f"{place.api}/v1/oauth/token", data=grant).json()["access_token"]
    path = f"/v1/patients/{place.patient_id}/safe"
    answer = client.get(path, headers={"authorization": f"Bearer {narrow}"})
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    answer = client.get("/v1/biomarkers", headers={"authorization": "Bearer lph_at_none"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.anyio
async def test_many_calls_share_a_connection(place, headers):
    limits = httpx.Limits(max_connections=2)
    async with httpx.AsyncClient(base_url=place.api, headers=headers, limits=limits) as client:
        path = f"/v1/patients/{place.patient_id}/safe"
        answers = await asyncio.gather(*(client.get(path) for _ in range(20)))
    assert {it.status_code for it in answers} == {200}
    assert len({it.headers["x-request-id"] for it in answers}) == 20
