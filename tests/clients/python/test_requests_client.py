"""The platform through requests."""

from __future__ import annotations

import requests
import pytest


@pytest.fixture(scope="session")
def client(place):
    session = requests.Session()
    answer = session.post(f"{place.api}/v1/oauth/token", data=place.grant, timeout=20)
    assert answer.status_code == 200, answer.text
    session.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
    return session


def test_it_reads_and_is_told_its_quota(place, client):
    answer = client.get(f"{place.api}/v1/patients/{place.patient_id}/safe", timeout=20)
    assert (answer.status_code, answer.json()["id"]) == (200, place.patient_id)
    assert int(answer.headers["RateLimit-Remaining"]) < int(answer.headers["RateLimit-Limit"])


def test_bad_input_names_the_field(place, client):
    report = place.report()
    report["biomarkers"][0]["unit"] = ""
    answer = client.post(f"{place.api}/v1/biomarkers/parse", json=report, timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (400, "validation_error")
    assert answer.json()["details"][1]["field_violations"][0]["field"] == "biomarkers[0].unit"
    problem = client.post(
        f"{place.api}/v1/biomarkers/parse",
        json=report,
        headers={"Accept": "application/problem+json"},
        timeout=20,
    )
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert (problem.json()["status"], problem.json()["title"]) == (400, "Bad Request")


def test_a_retry_gets_the_first_answer(place, client):
    def post(body):
        url = f"{place.api}/v1/biomarkers/parse"
        return client.post(url, json=body, headers={"Idempotency-Key": key}, timeout=20)

    key = place.key()
    first, again = post(place.report()), post(place.report())
    assert (first.status_code, first.json()["count"]) == (200, 3), first.text
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = post(place.report(source="manual"))
    assert other.status_code == 409
    assert other.json()["error"] == "idempotency_key_payload_mismatch"


def test_pages_lead_to_the_end(place, client):
    written = client.post(f"{place.api}/v1/biomarkers/parse", json=place.report(), timeout=20)
    query, found = {"user_id": place.user_id, "page_size": 2}, []
    while True:
        page = client.get(f"{place.api}/v1/biomarkers", params=query, timeout=20).json()
        found += [it["id"] for it in page["biomarkers"]]
        if "next_page_token" not in page:
            break
        query["page_token"] = page["next_page_token"]
    assert len(found) == len(set(found))
    assert {it["id"] for it in written.json()["results"]} <= set(found)


def test_a_basic_client_and_a_wrong_one(place):
    form = {"grant_type": "client_credentials", "brand_id": "loop"}
    url = f"{place.api}/v1/oauth/token"
    good = requests.post(url, data=form, auth=(place.client_id, place.client_secret), timeout=20)
    assert good.status_code == 200
    wrong = requests.post(url, data=form, auth=(place.client_id, "wrong"), timeout=20)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def test_chunked_bodies_are_taken(place, client):
    def body():
        yield b'{"patient_id": "'
        yield place.patient_id.encode() + b'", "brand_id": "loop", "source": "manual"}'

    headers = {"Content-Type": "application/json"}
    url = f"{place.api}/v1/biomarkers/parse"
    answer = client.post(url, data=body(), headers=headers, timeout=20)
    violations = answer.json()["details"][1]["field_violations"]
    assert [it["field"] for it in violations] == ["biomarkers"], answer.text
