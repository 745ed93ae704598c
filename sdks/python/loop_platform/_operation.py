"""What a generated method says of itself, and how its request becomes HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class Body:
    """What of a request is the body: all that the path does not take, or one field."""

    form: Literal["json", "form", "bytes"]
    field: str | None = None


@dataclass(frozen=True)
class Pages:
    """How a list goes on, and which member of an answer holds its items."""

    by: Literal["token", "offset"]
    items: str


@dataclass(frozen=True)
class Operation:
    """One method over HTTP, as the generated files describe it."""

    name: str
    """`ClinicalService/GetBiomarker`."""
    verb: str
    path: str
    """With `{field}` for a segment and `{+field}` for what may hold slashes (RFC 6570)."""
    body: Body | None = None
    """What neither path nor body takes is the query."""
    answer: Literal["json", "bytes"] = "json"
    keyed: bool = False
    """Takes an Idempotency-Key."""
    public: bool = False
    """Takes no token."""
    repeatable: bool = False
    """May be sent again whatever its verb, without a key."""
    pages: Pages | None = None


@dataclass(frozen=True)
class CallOptions:
    """What a caller may choose for one call."""

    timeout: float | None = None
    """Seconds for the call with all its attempts. The client's if absent."""
    max_retries: int | None = None
    """How often a call that may be repeated is repeated. The client's if absent."""
    idempotency_key: str | None = None
    """Names this one act. A random UUID if absent, where the method takes one."""
    request_id: str | None = None
    """Names this call in logs and in the audit log. The platform chooses one if absent."""
    brand_id: str | None = None
    """The brand to act in, for machine clients. The client's if absent."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Caller(Protocol):
    """What generated classes call through."""

    def call(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> Any: ...

    def items(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> Iterator[Any]: ...


class AsyncCaller(Protocol):
    """What generated classes that are awaited call through."""

    async def call(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> Any: ...

    def items(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> AsyncIterator[Any]: ...


@dataclass(frozen=True)
class Draft:
    """A request as HTTP has it, without what depends on the attempt."""

    verb: str
    url: str
    headers: dict[str, str]
    content: bytes | None


def draft(base_url: str, operation: Operation, request: Mapping[str, Any]) -> Draft:
    """Says where each field of a request goes. What is `None` is not sent."""
    rest = {name: value for name, value in request.items() if value is not None}

    def place(match: re.Match[str]) -> str:
        value = _take(rest, match[2])
        if value is None or value == "":
            raise ValueError(f"{operation.name} needs {match[2]}")
        return quote(_text(value), safe="/" if match[1] else "")

    path = re.sub(r"\{(\+?)([^}]+)\}", place, operation.path)
    headers, content = _content(operation, rest)
    query = urlencode(_pairs(rest))
    url = base_url.rstrip("/") + path + (f"?{query}" if query else "")
    return Draft(operation.verb, url, headers, content)


def following(
    operation: Operation, request: Mapping[str, Any], page: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The request of the page after this one."""
    pages = operation.pages
    if pages is None:
        raise ValueError(f"{operation.name} has no pages")
    if pages.by == "token":
        token = page.get("next_page_token")
        return {**request, "page_token": token} if token else None
    items = page.get(pages.items, [])
    offset = int(request.get("offset") or 0) + len(items)
    return {**request, "offset": offset} if items and offset < page.get("total", 0) else None


def _content(operation: Operation, rest: dict[str, Any]) -> tuple[dict[str, str], bytes | None]:
    """Takes the body's part out of the fields."""
    body = operation.body
    if body is None:
        return {}, None
    if body.field is None:
        value: Any = dict(rest)
        rest.clear()
    else:
        value = _take(rest, body.field)
        if value is None:
            return {}, None
    if body.form == "bytes":
        return {"content-type": "application/octet-stream"}, value
    if body.form == "form":
        content = urlencode(_pairs(value)).encode()
        return {"content-type": "application/x-www-form-urlencoded"}, content
    text = json.dumps(value, default=_text, ensure_ascii=False, allow_nan=False)
    return {"content-type": "application/json"}, text.encode()


def _take(fields: dict[str, Any], name: str) -> Any:
    """The value at a dotted name, which is then gone from the fields."""
    if name in fields:
        return fields.pop(name)
    first, _, inner = name.partition(".")
    if not inner or not isinstance(fields.get(first), dict):
        return None
    fields[first] = dict(fields[first])
    return _take(fields[first], inner)


def _pairs(fields: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Fields as a query or a form has them: lists repeat their name, inner objects have dots."""
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            pairs += _pairs(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            pairs += [(prefix + name, _text(it)) for it in value]
        elif value is not None:
            pairs.append((prefix + name, _text(value)))
    return pairs


def _text(value: Any) -> str:
    """A value as text; also what JSON has no other form for."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (str, int, float, Decimal)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
