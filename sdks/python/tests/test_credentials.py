"""Tokens: asked for once, refreshed once, rotated."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from loop_platform import (
    AsyncLoopClient,
    ClientCredentials,
    LoopClient,
    LoopError,
    OAuthError,
    RefreshToken,
    StaticToken,
    TokenAnswer,
    UnauthenticatedError,
)

from .stub import BASE, Reply, Seen, Stub, worded


class Platform:
    """Takes the newest token and no other."""

    def __init__(self, expires: float = 900) -> None:
        self.expires = expires
        self.issued = 0
        self.revoked: set[str] = set()
        self.grants: list[dict[str, str]] = []
        self.stub = Stub(self.answer)

    def answer(self, seen: Seen, _: int) -> Reply:
        if seen.url.path == "/v1/oauth/token":
            self.grants.append(seen.form)
            self.issued += 1
            tokens = {"access_token": f"at{self.issued}", "refresh_token": f"rt{self.issued}"}
            return {"body": {**tokens, "expires_in": self.expires}}
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if token != f"at{self.issued}" or token in self.revoked:
            return {"status": 401, "body": worded("invalid_token", "TOKEN_INVALID")}
        return {"body": {"user_id": token}}


def machine() -> ClientCredentials:
    return ClientCredentials("cli", "s", brand_id="loop", scope="admin:x")


def test_a_machines_token_is_asked_for_once_however_many_calls_begin_together() -> None:
    platform = Platform()
    client = LoopClient(BASE, credentials=machine(), http=platform.stub.http())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.identity.get_me(), range(4)))
    assert answers == [{"user_id": "at1"}] * 4
    grant = {"client_id": "cli", "client_secret": "s", "brand_id": "loop", "scope": "admin:x"}
    assert platform.grants == [{"grant_type": "client_credentials", **grant}]


def test_a_refused_token_is_replaced_once_for_all_calls_that_met_the_refusal() -> None:
    platform = Platform()
    client = LoopClient(BASE, credentials=machine(), http=platform.stub.http())
    client.identity.get_me()
    platform.revoked.add("at1")
    met = threading.Barrier(3)
    answer = platform.answer

    def together(seen: Seen, at: int) -> Reply:
        if seen.headers.get("authorization") == "Bearer at1":
            met.wait(10)
        return answer(seen, at)

    platform.stub._answers = together
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: client.identity.get_me(), range(3)))
    assert answers == [{"user_id": "at2"}] * 3
    assert len(platform.grants) == 2


def test_a_second_refusal_is_an_error() -> None:
    def refuse(seen: Seen, _: int) -> Reply:
        if seen.url.path == "/v1/oauth/token":
            return {"body": {"access_token": "at", "expires_in": 900}}
        return {"status": 401, "body": worded("invalid_token", "TOKEN_INVALID")}

    stub = Stub(refuse)
    with pytest.raises(UnauthenticatedError):
        LoopClient(BASE, credentials=machine(), http=stub.http()).identity.get_me()
    assert len(stub.seen) == 4
    with pytest.raises(UnauthenticatedError):
        LoopClient(BASE, credentials=StaticToken("mine"), http=stub.http()).identity.get_me()
    assert len(stub.seen) == 5
    assert stub.seen[-1].headers["authorization"] == "Bearer mine"


def test_a_token_is_replaced_before_its_end() -> None:
    platform = Platform(expires=100)
    now = 0.0
    credentials = ClientCredentials("cli", "s", clock=lambda: now)
    client = LoopClient(BASE, credentials=credentials, http=platform.stub.http())
    used = []
    for now in [0.0, 89.0, 91.0]:
        used.append(client.identity.get_me().get("user_id"))
    assert used == ["at1", "at1", "at2"]


def test_refresh_tokens_rotate_and_each_new_one_is_handed_over_before_its_use() -> None:
    platform = Platform()
    kept: list[Any] = []

    def keep(tokens: TokenAnswer) -> None:
        used = [it for it in platform.stub.seen if "authorization" in it.headers]
        kept.append((tokens["refresh_token"], len(used)))

    credentials = RefreshToken("app", "rt0", access_token="old", on_rotate=keep)
    client = LoopClient(BASE, credentials=credentials, http=platform.stub.http())
    assert client.identity.get_me() == {"user_id": "at1"}
    platform.revoked.add("at1")
    assert client.identity.get_me() == {"user_id": "at2"}
    assert [it["refresh_token"] for it in platform.grants] == ["rt0", "rt1"]
    assert kept == [("rt1", 1), ("rt2", 3)]


def test_a_refresh_that_is_refused_fails_the_call_and_the_next_asks_again() -> None:
    refused = {"status": 400, "body": {"error": "invalid_grant", "error_description": "used"}}
    platform = Platform()
    stub = Stub(lambda seen, at: refused if at == 1 else platform.answer(seen, at))
    client = LoopClient(BASE, credentials=RefreshToken("a", "r"), http=stub.http())
    with pytest.raises(OAuthError) as caught:
        client.identity.get_me()
    assert caught.value.error == "invalid_grant"
    assert client.identity.get_me() == {"user_id": "at1"}


def test_a_lost_token_answer_is_asked_for_again_with_the_same_refresh_token() -> None:
    platform = Platform()

    def lose_the_first(seen: Seen, at: int) -> Reply:
        reply = platform.answer(seen, at)
        return "hang up" if at == 1 else reply

    client = LoopClient(BASE, credentials=RefreshToken("a", "rt0"), http=Stub(lose_the_first).http())
    client.identity.get_me()
    assert [it["refresh_token"] for it in platform.grants] == ["rt0", "rt0"]


def test_an_answer_without_a_token_is_an_error() -> None:
    stub = Stub(lambda *_: {"body": []})
    with pytest.raises(LoopError, match="no token"):
        LoopClient(BASE, credentials=machine(), http=stub.http()).identity.get_me()


@pytest.mark.anyio
async def test_awaited_calls_share_one_refresh_and_await_who_keeps_it() -> None:
    platform = Platform()
    kept: list[str] = []

    async def keep(tokens: TokenAnswer) -> None:
        await asyncio.sleep(0)
        kept.append(tokens["refresh_token"])

    credentials = RefreshToken("a", "rt0", on_rotate=keep)
    client = AsyncLoopClient(BASE, credentials=credentials, http=platform.stub.async_http())
    answers = await asyncio.gather(*(client.identity.get_me() for _ in range(5)))
    assert answers == [{"user_id": "at1"}] * 5
    assert kept == ["rt1"] and len(platform.grants) == 1
    found = [it async for it in client.identity.iterate_oauth_clients()]
    assert found == []


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_leaves_the_refresh_to_the_others() -> None:
    platform = Platform()
    asked, release = asyncio.Event(), asyncio.Event()

    async def keep(_: TokenAnswer) -> None:
        asked.set()
        await release.wait()

    credentials = RefreshToken("a", "rt0", on_rotate=keep)
    client = AsyncLoopClient(BASE, credentials=credentials, http=platform.stub.async_http())
    left = asyncio.create_task(client.identity.get_me())
    await asked.wait()
    stays = asyncio.create_task(client.identity.get_me())
    left.cancel()
    release.set()
    assert await stays == {"user_id": "at1"}
    assert left.cancelled() and len(platform.grants) == 1


@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_coroutine_that_nobody_would_await_is_refused() -> None:
    async def keep(_: TokenAnswer) -> None: ...

    credentials = RefreshToken("a", "rt0", on_rotate=keep)
    client = LoopClient(BASE, credentials=credentials, http=Platform().stub.http())
    with pytest.raises(TypeError, match="AsyncLoopClient"):
        client.identity.get_me()
