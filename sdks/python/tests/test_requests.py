"""How requests are made of what a method takes."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from loop_platform import CallOptions, LoopClient
from loop_platform._operation import Body, Draft, Operation, draft

from .stub import BASE, Reply, Seen, Stub


def made(request: dict[str, Any], path: str, body: Body | None = None) -> Draft:
    return draft(f"{BASE}/", Operation("S/M", "GET", path, body), request)


def test_fields_go_into_the_path_the_query_and_the_body_each_into_one() -> None:
    update = made({"id": "a/b", "name": "N"}, "/v1/brands/{id}", Body("json"))
    assert (update.url, update.content) == (f"{BASE}/v1/brands/a%2Fb", b'{"name": "N"}')
    request = {"a": {"id": 7, "z": 1}, "it": {"n": 1}, "q": "?"}
    field = made(request, "/v1/x/{a.id}", Body("json", "it"))
    assert (field.url, field.content) == (f"{BASE}/v1/x/7?a.z=1&q=%3F", b'{"n": 1}')
    assert request["a"] == {"id": 7, "z": 1}
    assert made({"scope": "a b", "none": None}, "/t", Body("form")).content == b"scope=a+b"
    raw = made({"body": b"\x01", "n": 1}, "/t", Body("bytes", "body"))
    assert (raw.url, raw.content) == (f"{BASE}/t?n=1", b"\x01")


def test_a_path_of_several_segments_keeps_its_slashes_and_an_empty_one_is_refused() -> None:
    assert made({"name": "a/b c"}, "/v1/{+name}:stop").url == f"{BASE}/v1/a/b%20c:stop"
    for value in ["", None]:
        with pytest.raises(ValueError, match="S/M needs id"):
            made({"id": value}, "/v1/{id}")


def test_values_have_the_text_that_the_platform_reads() -> None:
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)
    query = made({"a": ["1", "2"], "b": None, "d": False, "since": since}, "/v1/x").url
    assert query == f"{BASE}/v1/x?a=1&a=2&d=false&since=2026-01-01T00%3A00%3A00%2B00%3A00"
    body = made({"value": Decimal("1.10"), "at": since}, "/v1/x", Body("json")).content
    assert body == b'{"value": "1.10", "at": "2026-01-01T00:00:00+00:00"}'
    for wrong in [object(), float("nan")]:
        with pytest.raises((TypeError, ValueError)):
            made({"value": wrong}, "/v1/x", Body("json"))


def test_a_client_without_credentials_sends_no_token_and_an_empty_answer_is_none() -> None:
    stub = Stub(lambda *_: {"status": 204})
    client = LoopClient(BASE, brand_id="loop", http=stub.http())
    options = CallOptions(request_id="req-9", headers={"x-more": "1"})
    client.identity.disconnect_app(client_id="c", options=options)
    [seen] = stub.seen
    assert (seen.method, seen.url.path) == ("DELETE", "/v1/users/me/connected-apps/c")
    assert "authorization" not in seen.headers
    named = [seen.headers[it] for it in ("x-brand-id", "x-request-id", "x-more")]
    assert named == ["loop", "req-9", "1"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", seen.headers["idempotency-key"])


def pages(seen: Seen, _: int) -> Reply:
    query = seen.url.params
    if seen.url.path == "/v1/biomarkers/me":
        token = int(query.get("page_token", 0))
        more = {"next_page_token": str(token + 1)} if token < 2 else {}
        return {"body": {"biomarkers": [] if token == 1 else [{"id": f"b{token}"}], **more}}
    offset = int(query.get("offset", 0))
    events = [{"id": str(offset)}, {"id": str(offset + 1)}][: 3 - offset]
    return {"body": {"events": events, "total": 3}}


def test_every_item_of_every_page_is_given_by_tokens_and_by_offsets() -> None:
    stub = Stub(pages)
    client = LoopClient(BASE, http=stub.http())
    found = client.clinical.iterate_my_biomarkers(biomarker_code="albumin")
    assert [it["id"] for it in found] == ["b0", "b2"]
    assert all(it.url.params["biomarker_code"] == "albumin" for it in stub.seen)
    events = client.patient_graph.iterate_timeline(patient_id="pat_1")
    assert [it["id"] for it in events] == ["0", "1", "2"]
    next(client.clinical.iterate_my_biomarkers())
    assert len(stub.seen) == 6, "a page nobody needs is not asked for"
