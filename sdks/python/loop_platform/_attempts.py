"""The attempts of one call, without any I/O: what is to be done next, given what came of it."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ._operation import CallOptions, Draft, Operation, draft
from .errors import ConnectionFailedError, DeadlineExceededError, LoopError, failed

BASE = 0.2
"""The longest pause before the first retry, in seconds. It doubles with each."""
CAP = 8.0
"""The longest pause before any retry that the platform does not time, in seconds."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_PASSING = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Settings:
    """What a client has settled for all its calls."""

    base_url: str
    timeout: float = 30.0
    max_retries: int = 3
    brand_id: str | None = None
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    """From 0 to 1."""


@dataclass(frozen=True)
class Exchange:
    """Send this, and give back an `Answer` or what was in its way."""

    draft: Draft
    timeout: float


@dataclass(frozen=True)
class Wait:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Token:
    """Give a token; `rejected` is one that the platform has just refused."""

    rejected: str | None


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    content: bytes


Step = Exchange | Wait | Token
Steps = Generator[Step, Any, Any]


def attempts(
    settings: Settings, operation: Operation, request: Mapping[str, Any], options: CallOptions
) -> Steps:
    """The steps of a call. Its value is the answer; it raises what the call fails with."""
    timeout = settings.timeout if options.timeout is None else options.timeout
    retries = settings.max_retries if options.max_retries is None else options.max_retries
    ends_at = settings.clock() + timeout
    key = options.idempotency_key or (str(uuid.uuid4()) if operation.keyed else None)
    made = _dressed(settings, operation, request, options, key)
    repeatable = operation.repeatable or operation.verb in _SAFE or key is not None
    token: str | None = None if operation.public else (yield Token(None))
    renewed = False
    attempt = 0
    while True:
        left = ends_at - settings.clock()
        if left <= 0:
            raise _late(timeout)
        came = yield Exchange(_authorized(made, token), left)
        if isinstance(came, Answer) and 200 <= came.status < 300:
            return _read(operation, came)
        error = _error(operation, came)
        if isinstance(error, ConnectionFailedError) and settings.clock() >= ends_at:
            raise _late(timeout) from came
        if token is not None and not renewed and error.error == "invalid_token":
            renewed = True
            token = yield Token(token)
            if token is None:
                raise error
            continue
        may = repeatable and attempt < retries
        seconds = pause(error, attempt, settings.chance()) if may else None
        if seconds is None or settings.clock() + seconds >= ends_at:
            raise error
        yield Wait(seconds)
        attempt += 1


def pause(error: LoopError, attempt: int, chance: float) -> float | None:
    """Seconds until the next attempt, or nothing where the failure will not pass.

    `attempt` counts from 0. The platform's own word goes before full jitter.
    """
    # A conflict that passes says when: the first attempt is still at work, or somebody else is.
    timed = error.status == 409 and error.retry_after is not None
    if not (timed or error.status in _PASSING or isinstance(error, ConnectionFailedError)):
        return None
    if error.retry_after is not None:
        return error.retry_after
    # The exponent stays small: a float overflows long after the cap is reached.
    return chance * min(CAP, BASE * 2.0 ** min(attempt, 16))


def retry_after(value: str | None, date: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` asks for.

    It is seconds, or a date (RFC 9110 section 10.2.3) which is held against the answer's own
    `Date` where there is one. `now` is in seconds since 1970.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    until = _instant(value)
    return None if until is None else max(0.0, until - (_instant(date) or now))


def _instant(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except ValueError:
        return None


def _dressed(
    settings: Settings,
    operation: Operation,
    request: Mapping[str, Any],
    options: CallOptions,
    key: str | None,
) -> Draft:
    made = draft(settings.base_url, operation, request)
    given = {
        "idempotency-key": key,
        "x-brand-id": options.brand_id or settings.brand_id,
        "x-request-id": options.request_id,
    }
    headers = {"accept": "application/json", **made.headers}
    headers |= {name: value for name, value in given.items() if value is not None}
    return Draft(made.verb, made.url, headers | dict(options.headers), made.content)


def _authorized(made: Draft, token: str | None) -> Draft:
    if token is None:
        return made
    headers = {**made.headers, "authorization": f"Bearer {token}"}
    return Draft(made.verb, made.url, headers, made.content)


def _error(operation: Operation, came: Answer | Exception) -> LoopError:
    if isinstance(came, Answer):
        headers = came.headers
        after = retry_after(headers.get("retry-after"), headers.get("date"), time.time())
        return failed(came.status, came.content, after, headers.get("x-request-id"))
    why = str(came) or type(came).__name__
    error = ConnectionFailedError(
        f"{operation.name}: no answer: {why}", error="connection_failed"
    )
    error.__cause__ = came
    return error


def _late(timeout: float) -> LoopError:
    return DeadlineExceededError(f"no answer within {timeout} s", error="deadline_exceeded")


def _read(operation: Operation, answer: Answer) -> Any:
    if operation.answer == "bytes":
        return answer.content
    if not answer.content:
        return None
    try:
        return json.loads(answer.content)
    except ValueError as cause:
        message = f"{operation.name}: the answer is no JSON"
        raise LoopError(message, status=answer.status) from cause
