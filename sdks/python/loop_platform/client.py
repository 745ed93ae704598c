"""The clients: every service over one set of settings, blocking or awaited."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any

import httpx

from ._attempts import Answer, Exchange, Settings, Step, Steps, Token, Wait, attempts
from ._operation import CallOptions, Operation, following
from .credentials import ISSUE_TOKEN, TOKEN_TIMEOUT, Credentials
from .errors import LoopError
from .generated.services import AsyncServices, Services

_ORDINARY = CallOptions()
_TOKEN = CallOptions(timeout=TOKEN_TIMEOUT)
_AGENT = {"user-agent": "loop-platform-python/0.1.0"}


class LoopClient(Services):
    """A client of the platform. Make one, and share it among threads: its calls share tokens.

    `timeout` is in seconds, for a call with all its attempts. `http` is closed by whoever made
    it; without one the client makes its own.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        brand_id: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        http: httpx.Client | None = None,
    ) -> None:
        client = http or httpx.Client(headers=_AGENT)
        self._own = client if http is None else None
        settings = Settings(base_url, timeout, max_retries, brand_id)
        super().__init__(_Connection(settings, credentials, client))

    def close(self) -> None:
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> LoopClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncLoopClient(AsyncServices):
    """A client of the platform for asyncio. Make one, and share it: its calls share tokens.

    `timeout` is in seconds, for a call with all its attempts. `http` is closed by whoever made
    it; without one the client makes its own.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        brand_id: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        client = http or httpx.AsyncClient(headers=_AGENT)
        self._own = client if http is None else None
        settings = Settings(base_url, timeout, max_retries, brand_id)
        super().__init__(_AsyncConnection(settings, credentials, client))

    async def close(self) -> None:
        if self._own is not None:
            await self._own.aclose()

    async def __aenter__(self) -> AsyncLoopClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class _Connection:
    def __init__(
        self, settings: Settings, credentials: Credentials | None, http: httpx.Client
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._http = http
        self._one_asks = threading.Lock()

    def call(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> Any:
        return self._run(attempts(self._settings, operation, request, options or _ORDINARY))

    def items(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> Iterator[Any]:
        next_request: dict[str, Any] | None = request
        while next_request is not None:
            page = self.call(operation, next_request, options)
            next_request = following(operation, next_request, page)
            yield from _items(operation, page)

    def _run(self, steps: Steps) -> Any:
        came: Any = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                return end.value
            came = self._do(step)

    def _do(self, step: Step) -> Any:
        if isinstance(step, Token):
            return self._token(step.rejected)
        if isinstance(step, Wait):
            return time.sleep(step.seconds)
        try:
            return self._exchange(step)
        except httpx.TransportError as error:
            return error

    def _exchange(self, step: Exchange) -> Answer:
        made = step.draft
        ends_at = time.monotonic() + step.timeout
        sent = self._http.stream(
            made.verb, made.url, headers=made.headers, content=made.content, timeout=step.timeout
        )
        # httpx bounds each step of the network and not their sum.
        with sent as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > ends_at:
                    raise httpx.ReadTimeout("the answer takes too long", request=response.request)
            return Answer(response.status_code, response.headers, bytes(content))

    def _token(self, rejected: str | None) -> str | None:
        if self._credentials is None:
            return None
        with self._one_asks:
            held = self._credentials.held(rejected)
            parameters = None if held else self._credentials.parameters()
            if parameters is None:
                return held
            answer = self._run(attempts(self._settings, ISSUE_TOKEN, parameters, _TOKEN))
            token = _token_of(answer)
            if inspect.isawaitable(self._credentials.keep(answer)):
                raise TypeError("on_rotate is awaited by AsyncLoopClient only")
            return token


class _AsyncConnection:
    def __init__(
        self, settings: Settings, credentials: Credentials | None, http: httpx.AsyncClient
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._http = http
        self._asked: asyncio.Task[str] | None = None

    async def call(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> Any:
        return await self._run(attempts(self._settings, operation, request, options or _ORDINARY))

    async def items(
        self, operation: Operation, request: dict[str, Any], options: CallOptions | None
    ) -> AsyncIterator[Any]:
        next_request: dict[str, Any] | None = request
        while next_request is not None:
            page = await self.call(operation, next_request, options)
            next_request = following(operation, next_request, page)
            for item in _items(operation, page):
                yield item

    async def _run(self, steps: Steps) -> Any:
        came: Any = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                return end.value
            came = await self._do(step)

    async def _do(self, step: Step) -> Any:
        if isinstance(step, Token):
            return await self._token(step.rejected)
        if isinstance(step, Wait):
            return await asyncio.sleep(step.seconds)
        try:
            return await asyncio.wait_for(self._exchange(step), step.timeout)
        except (httpx.TransportError, asyncio.TimeoutError) as error:
            return error

    async def _exchange(self, step: Exchange) -> Answer:
        made = step.draft
        response = await self._http.request(
            made.verb, made.url, headers=made.headers, content=made.content, timeout=step.timeout
        )
        return Answer(response.status_code, response.headers, response.content)

    async def _token(self, rejected: str | None) -> str | None:
        if self._credentials is None:
            return None
        held = self._credentials.held(rejected)
        if held is not None:
            return held
        if self._asked is None or self._asked.done():
            parameters = self._credentials.parameters()
            if parameters is None:
                return None
            self._asked = asyncio.create_task(self._ask(self._credentials, parameters))
            # A refusal is told to whoever waits; there may be nobody left who does.
            self._asked.add_done_callback(lambda it: it.cancelled() or it.exception())
        # Whoever is cancelled must not take the next refresh token with them.
        return await asyncio.shield(self._asked)

    async def _ask(self, credentials: Credentials, parameters: dict[str, str]) -> str:
        answer = await self._run(attempts(self._settings, ISSUE_TOKEN, parameters, _TOKEN))
        token = _token_of(answer)
        kept = credentials.keep(answer)
        if inspect.isawaitable(kept):
            await kept
        return token


def _items(operation: Operation, page: dict[str, Any]) -> list[Any]:
    items: list[Any] = page.get(operation.pages.items, []) if operation.pages else []
    return items


def _token_of(answer: Any) -> str:
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise LoopError("the answer holds no token", status=200)
    return token
