"""The platform through its own Python library."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal

import httpx
import pytest

from loop_platform import (
    AsyncLoopClient,
    CallOptions,
    ClientCredentials,
    ConflictError,
    ForbiddenError,
    InsufficientScopeError,
    LoopClient,
    NotFoundError,
    OAuthError,
    RefreshToken,
    TokenAnswer,
    ValidationError,
)
from loop_platform.generated.clinical import BiomarkerResultInput
from sign_in import APP, sign_in

API = os.environ.get("LOOP_API", "")
USER = os.environ.get("LOOP_USER_ID", "")
PATIENT = os.environ.get("LOOP_PATIENT_ID", "")


class Watched(httpx.BaseTransport):
    """The network, which loses the first answers to come, and remembers the others."""

    def __init__(self) -> None:
        self.lose = 0
        self.answers: list[httpx.Response] = []
        self._network = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._network.handle_request(request)
        answer.read()
        if self.lose > 0:
            self.lose -= 1
            raise httpx.ReadError("the answer was lost", request=request)
        self.answers.append(answer)
        return answer


def machine(scope: str | None = None) -> ClientCredentials:
    client, secret = os.environ["LOOP_CLIENT_ID"], os.environ["LOOP_CLIENT_SECRET"]
    return ClientCredentials(client, secret, scope=scope, brand_id="loop")


@pytest.fixture
def network() -> Watched:
    return Watched()


@pytest.fixture
def loop(network: Watched) -> Iterator[LoopClient]:
    with httpx.Client(transport=network) as http:
        yield LoopClient(API, credentials=machine(), http=http)


def results() -> list[BiomarkerResultInput]:
    when = datetime(2026, 4, 28, 9, 30, tzinfo=timezone.utc).isoformat()
    return [
        {"code": "albumin", "name": "A", "value": 4.2, "unit": "g/dL", "collected_at": when},
        {"code": "glucose", "name": "G", "value": "91.25", "unit": "mg/dL", "collected_at": when},
    ]


def record(loop: LoopClient, key: str | None = None, source: str = "labcorp") -> list[str]:
    answer = loop.clinical.parse_biomarkers(
        patient_id=PATIENT,
        brand_id="loop",
        source=source,
        biomarkers=results(),
        options=CallOptions(idempotency_key=key, request_id="req-library"),
    )
    assert answer["count"] == 2
    return [it["id"] for it in answer["results"]]


def test_it_reads_one(loop: LoopClient) -> None:
    [first, _] = record(loop)
    biomarker = loop.clinical.get_biomarker(id=first)
    assert (biomarker["biomarker_code"], biomarker["value"]) == ("albumin", 4.2)
    assert biomarker["status"] == "normal"
    assert biomarker["collected_at"] == "2026-04-28T09:30:00Z"
    patient = loop.patient_graph.get_patient_safe(id=PATIENT)
    assert patient["brand_id"] == "loop"


def test_a_decimal_travels_exactly(loop: LoopClient) -> None:
    sent = results()[:1]
    sent[0]["value"] = str(Decimal("4.1234567891"))
    answer = loop.clinical.parse_biomarkers(
        patient_id=PATIENT, brand_id="loop", source="manual", biomarkers=sent
    )
    assert answer["results"][0]["value"] == 4.1234567891


def test_bad_input_is_a_type_that_names_the_field(loop: LoopClient) -> None:
    wrong = results()
    wrong[1]["value"] = "much"
    with pytest.raises(ValidationError) as caught:
        loop.clinical.parse_biomarkers(
            patient_id=PATIENT,
            brand_id="loop",
            source="labcorp",
            biomarkers=wrong,
            options=CallOptions(request_id="req-wrong"),
        )
    assert [it["field"] for it in caught.value.field_violations] == ["biomarkers[1].value"]
    assert caught.value.request_id == "req-wrong"


def test_each_refusal_has_its_type(loop: LoopClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        loop.clinical.get_biomarker(id="bio_none")
    assert caught.value.reason == "BIOMARKER_NOT_FOUND"
    with pytest.raises(ForbiddenError):
        loop.identity.get_me()
    with LoopClient(API, credentials=machine("admin:identity")) as narrow:
        with pytest.raises(InsufficientScopeError):
            narrow.patient_graph.get_patient_safe(id=PATIENT)
    record(loop, key := os.urandom(8).hex())
    with pytest.raises(ConflictError):
        record(loop, key, source="manual")
    with pytest.raises(OAuthError) as refused:
        LoopClient(API, credentials=ClientCredentials("cli_none", "x")).identity.get_me()
    assert refused.value.error == "invalid_client"


def test_pages_lead_to_the_end(loop: LoopClient) -> None:
    written = record(loop)
    found = [it["id"] for it in loop.clinical.iterate_biomarkers(user_id=USER, page_size=1)]
    assert len(found) == len(set(found)) and set(written) <= set(found)
    # Offsets shift when others write meanwhile: an event may be met twice, and none is missed.
    events = loop.patient_graph.list_timeline(patient_id=PATIENT, limit=100)["events"]
    met = {it["id"] for it in loop.patient_graph.iterate_timeline(patient_id=PATIENT, limit=3)}
    assert {it["id"] for it in events} <= met


def test_a_write_whose_answer_is_lost_is_done_once(loop: LoopClient, network: Watched) -> None:
    record(loop)
    network.lose = 2
    ids = record(loop)
    assert network.answers[-1].headers["idempotent-replayed"] == "true"
    found = [it["id"] for it in loop.clinical.iterate_biomarkers(user_id=USER)]
    assert [found.count(it) for it in ids] == [1, 1]


def test_a_revoked_token_is_replaced_within_the_call(loop: LoopClient, network: Watched) -> None:
    loop.patient_graph.get_patient_safe(id=PATIENT)
    token = network.answers[-1].request.headers["authorization"].removeprefix("Bearer ")
    client, secret = os.environ["LOOP_CLIENT_ID"], os.environ["LOOP_CLIENT_SECRET"]
    loop.identity.revoke_token(token=token, client_id=client, client_secret=secret)
    network.answers.clear()
    assert loop.patient_graph.get_patient_safe(id=PATIENT)["id"] == PATIENT
    assert [it.status_code for it in network.answers] == [401, 200, 200]


def test_a_persons_refresh_token_rotates(network: Watched) -> None:
    tokens = sign_in(API, os.environ["LOOP_MEMBER"], os.environ["LOOP_MEMBER_PASSWORD"])
    kept: list[TokenAnswer] = []
    credentials = RefreshToken(
        APP, tokens["refresh_token"], access_token="lph_at_old", on_rotate=kept.append
    )
    network.lose = 1
    with httpx.Client(transport=network) as http:
        assert LoopClient(API, credentials=credentials, http=http).identity.get_me()["user_id"] == USER
    [rotated] = kept
    assert rotated["refresh_token"] != tokens["refresh_token"]
    again = RefreshToken(APP, rotated["refresh_token"])
    with LoopClient(API, credentials=again) as loop:
        assert loop.identity.get_me()["user_id"] == USER


@pytest.mark.anyio
async def test_awaited_calls_do_the_same() -> None:
    async with AsyncLoopClient(API, credentials=machine()) as loop:
        calls = (loop.patient_graph.get_patient_safe(id=PATIENT) for _ in range(5))
        assert {it["id"] for it in await asyncio.gather(*calls)} == {PATIENT}
        pages = loop.clinical.iterate_biomarkers(user_id=USER, page_size=2)
        found = [it["id"] async for it in pages]
        assert len(found) == len(set(found))
        with pytest.raises(NotFoundError):
            await loop.clinical.get_biomarker(id="bio_none")
