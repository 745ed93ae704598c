"""Where access tokens come from, and what happens when one ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol, TypedDict

from ._operation import Body, Operation
from .errors import LoopError

ISSUE_TOKEN = Operation(
    name="IdentityService/IssueToken",
    verb="POST",
    path="/v1/oauth/token",
    body=Body("form"),
    public=True,
    repeatable=True,
)
"""The operation of the token endpoint: a lost answer may be asked for again."""

TOKEN_TIMEOUT = 20.0
"""A lost refresh may be asked for again for 30 seconds; this ends before."""

MARGIN = 10.0
"""Seconds before its end at which a token is given up."""


class TokenAnswer(TypedDict, total=False):
    """RFC 6749 section 5.1."""

    access_token: str
    expires_in: float
    """Seconds."""
    refresh_token: str
    scope: str


class Credentials(Protocol):
    """Gives a client its access tokens. The client asks from one thread or task at a time."""

    def held(self, rejected: str | None) -> str | None:
        """A token that can be sent now, and is not the one that the platform refused."""

    def parameters(self) -> dict[str, str] | None:
        """What to ask the token endpoint for; nothing where no other token can be had."""

    def keep(self, answer: TokenAnswer) -> Any:
        """Takes what the token endpoint gave. What can be awaited is awaited before its use."""


class StaticToken:
    """A token that somebody else looks after."""

    def __init__(self, token: str) -> None:
        self._token = token

    def held(self, rejected: str | None) -> str | None:
        return None if rejected == self._token else self._token

    def parameters(self) -> dict[str, str] | None:
        return None

    def keep(self, answer: TokenAnswer) -> None:
        raise LoopError("a static token cannot be replaced")


class _Renewed:
    """Keeps a token until shortly before its end."""

    def __init__(self, token: str | None, clock: Callable[[], float]) -> None:
        self._token = token
        self._until = math.inf
        self._clock = clock

    def held(self, rejected: str | None) -> str | None:
        if self._token is None or self._token == rejected or self._clock() >= self._until:
            return None
        return self._token

    def _keep(self, answer: TokenAnswer) -> None:
        self._token = answer["access_token"]
        seconds = answer.get("expires_in", math.inf)
        # Half of a short life is still of use.
        self._until = self._clock() + max(seconds - MARGIN, seconds / 2)


class ClientCredentials(_Renewed):
    """A machine's own tokens (RFC 6749 section 4.4).

    Without `scope` it asks for all that the client may have. `brand_id` is needed where the
    client may act in several brands.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        brand_id: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(None, clock)
        asked = {
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scope,
            "brand_id": brand_id,
        }
        self._asked = {name: value for name, value in asked.items() if value is not None}

    def parameters(self) -> dict[str, str]:
        return {"grant_type": "client_credentials", **self._asked}

    def keep(self, answer: TokenAnswer) -> None:
        self._keep(answer)


class RefreshToken(_Renewed):
    """A person's tokens, refreshed with rotation (RFC 9700 section 4.14).

    Each refresh token holds for one use: `on_rotate` is where the new one is kept. The new
    access token is not used before it has ended. With `AsyncLoopClient` it may be a coroutine
    function. `access_token` is one from before that still holds.
    """

    def __init__(
        self,
        client_id: str,
        refresh_token: str,
        *,
        client_secret: str | None = None,
        access_token: str | None = None,
        on_rotate: Callable[[TokenAnswer], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(access_token, clock)
        secret = {} if client_secret is None else {"client_secret": client_secret}
        self._client = {"client_id": client_id, **secret}
        self._refresh_token = refresh_token
        self._on_rotate = on_rotate

    def parameters(self) -> dict[str, str]:
        grant = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        return {**grant, **self._client}

    def keep(self, answer: TokenAnswer) -> Any:
        self._keep(answer)
        self._refresh_token = answer.get("refresh_token", self._refresh_token)
        return self._on_rotate(answer) if self._on_rotate else None
