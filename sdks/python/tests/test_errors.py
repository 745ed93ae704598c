"""Errors as types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import loop_platform as loop
from loop_platform.errors import failed

from .stub import BASE, Stub, worded

DOCUMENT = Path(__file__).parents[3] / "edge" / "openapi.json"


def test_an_error_says_what_why_where_and_for_which_request() -> None:
    violation = {"field": "biomarkers[0].value", "description": "must be a decimal"}
    body = worded("validation_error", "VALUE_NOT_DECIMAL", violation)
    client = loop.LoopClient(BASE, http=Stub(lambda *_: {"status": 400, "body": body}).http())
    with pytest.raises(loop.ValidationError) as caught:
        client.clinical.get_biomarker(id="x")
    error = caught.value
    assert (error.status, error.error, error.reason) == (400, "validation_error", "VALUE_NOT_DECIMAL")
    assert (error.request_id, str(error)) == ("req-1", "because of VALUE_NOT_DECIMAL")
    assert error.field_violations == [violation]
    assert len(error.details) == 2


def test_every_failure_that_the_platform_documents_has_a_type_of_its_own() -> None:
    paths = json.loads(DOCUMENT.read_text())["paths"]
    operations = [it for path in paths.values() for it in path.values()]
    statuses = {int(status) for it in operations for status in it["responses"]}
    failures = {it for it in statuses if it >= 400}
    assert len(failures) > 10
    for status in failures:
        error = failed(status, json.dumps(worded("x", "Y")).encode())
        assert type(error) is not loop.LoopError, status


def test_a_missing_scope_and_an_oauth_error_are_told_from_others_of_their_status() -> None:
    scope = failed(403, json.dumps(worded("insufficient_scope", "X")).encode())
    assert isinstance(scope, loop.InsufficientScopeError)
    forbidden = failed(403, json.dumps(worded("forbidden", "X")).encode())
    assert type(forbidden) is loop.ForbiddenError
    oauth = failed(400, b'{"error":"invalid_grant","error_description":"it is used"}')
    assert isinstance(oauth, loop.OAuthError)
    assert (oauth.error, oauth.message) == ("invalid_grant", "it is used")


@pytest.mark.parametrize(
    "text", ["<h1>Bad gateway</h1>", "", "[]", "null", '{"error":7,"details":3}', "\ud800"]
)
def test_what_a_proxy_says_in_words_of_its_own_is_still_an_error_of_its_status(text: str) -> None:
    error = failed(502, text.encode("utf-8", "surrogatepass"), None, "req-2")
    assert isinstance(error, loop.UnavailableError)
    assert (error.error, error.request_id, error.reason) == ("unknown", "req-2", None)
    assert error.field_violations == []


def test_an_answer_that_is_no_json_is_an_error_and_none_comes_twice() -> None:
    stub = Stub(lambda *_: {"body": "<html>"})
    with pytest.raises(loop.LoopError) as caught:
        loop.LoopClient(BASE, http=stub.http()).identity.get_me()
    assert (type(caught.value), caught.value.status, len(stub.seen)) == (loop.LoopError, 200, 1)
