"""A platform that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx

BASE = "https://api.test"

Reply = dict[str, Any] | str


@dataclass
class Seen:
    method: str
    url: httpx.URL
    headers: httpx.Headers
    body: str

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body))


class Stub:
    """`answers` gives for each request its status, headers and body, or "hang up"."""

    def __init__(self, answers: Callable[[Seen, int], Reply]) -> None:
        self.seen: list[Seen] = []
        self._answers = answers

    def http(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._handle))

    def async_http(self) -> httpx.AsyncClient:
        async def handle(request: httpx.Request) -> httpx.Response:
            return self._handle(request)

        return httpx.AsyncClient(transport=httpx.MockTransport(handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        body = request.read().decode()
        self.seen.append(Seen(request.method, request.url, request.headers, body))
        reply = self._answers(self.seen[-1], len(self.seen))
        if isinstance(reply, str):
            raise httpx.ReadError(reply, request=request)
        content = reply.get("body")
        content = content if isinstance(content, (str, type(None))) else json.dumps(content)
        return httpx.Response(reply.get("status", 200), headers=reply.get("headers"), text=content)


def worded(error: str, reason: str, *violations: dict[str, str]) -> dict[str, Any]:
    """The body of an error, as the platform words it."""
    details: list[Any] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    if violations:
        kind = "type.googleapis.com/google.rpc.BadRequest"
        details.append({"@type": kind, "field_violations": list(violations)})
    message = f"because of {reason}"
    return {
        "error": error,
        "message": message,
        "error_description": message,
        "request_id": "req-1",
        "details": details,
    }
