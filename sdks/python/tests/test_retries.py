"""What is tried again, when, and for how long."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from loop_platform import (
    AsyncLoopClient,
    CallOptions,
    ConnectionFailedError,
    DeadlineExceededError,
    LoopClient,
    LoopError,
    RateLimitedError,
)
from loop_platform._attempts import BASE as FIRST
from loop_platform._attempts import CAP, Answer, Exchange, Settings, Wait, attempts, pause, retry_after
from loop_platform._operation import Operation

from .stub import BASE, Stub, worded

READ = Operation("S/Read", "GET", "/r", public=True)
KEYED = Operation("S/Write", "POST", "/w", public=True, keyed=True)
BARE = Operation("S/Bare", "POST", "/b", public=True)

OK = Answer(200, {}, b"{}")


def answer(status: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, b"")


class Played:
    """A call whose network, clock and chance are the test's."""

    def __init__(
        self, operation: Operation, *came: Answer | Exception, options: CallOptions = CallOptions()
    ) -> None:
        self.now = 0.0
        self.sent: list[Exchange] = []
        self.pauses: list[float] = []
        settings = Settings(BASE, clock=lambda: self.now, chance=lambda: 0.5)
        steps = attempts(settings, operation, {}, options)
        answers = iter(came)
        last: Any = None
        try:
            while True:
                step = steps.send(last)
                if isinstance(step, Wait):
                    self.now += step.seconds
                    self.pauses.append(step.seconds)
                    last = None
                else:
                    assert isinstance(step, Exchange)
                    self.sent.append(step)
                    last = next(answers)
        except StopIteration as end:
            self.outcome = end.value
        except LoopError as error:
            self.outcome = error


LOST = httpx.ReadError("lost")


def test_a_failure_that_passes_is_met_again_after_as_long_as_the_platform_asks() -> None:
    dated = answer(
        503, date="Sat, 01 Jan 2000 00:00:00 GMT", retry_after="Sat, 01 Jan 2000 00:00:02 GMT"
    )
    played = Played(READ, answer(429, retry_after="7"), dated, LOST, OK)
    assert (played.outcome, played.pauses) == ({}, [7.0, 2.0, 0.5 * FIRST * 4])


def test_all_attempts_of_a_write_have_one_key_and_other_calls_have_others() -> None:
    def key(it: Exchange) -> str:
        return it.draft.headers["idempotency-key"]

    one, other = Played(KEYED, LOST, answer(502), OK), Played(KEYED, OK)
    assert len(one.sent) == 3 and len({key(it) for it in one.sent}) == 1
    assert key(one.sent[0]) != key(other.sent[0])
    mine = Played(BARE, LOST, OK, options=CallOptions(idempotency_key="mine"))
    assert [key(it) for it in mine.sent] == ["mine", "mine"]


def test_a_write_without_a_key_is_sent_once() -> None:
    played = Played(BARE, LOST)
    assert isinstance(played.outcome, ConnectionFailedError) and played.outcome.__cause__ is LOST


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 500])
def test_what_does_not_pass_is_not_tried_again(status: int) -> None:
    played = Played(READ, answer(status))
    assert isinstance(played.outcome, LoopError) and played.outcome.status == status


def test_attempts_are_counted_and_no_pause_is_begun_that_outlives_the_call() -> None:
    rated = [answer(429, retry_after="9")] * 9
    assert len(Played(READ, *rated).sent) == 4
    assert len(Played(READ, *rated, options=CallOptions(max_retries=0)).sent) == 1
    short = Played(READ, *rated, options=CallOptions(timeout=10.0))
    assert (short.pauses, len(short.sent)) == ([9.0], 2)
    assert isinstance(short.outcome, RateLimitedError) and short.outcome.retry_after == 9.0
    assert [it.timeout for it in short.sent] == [10.0, 1.0]


def test_a_conflict_is_met_again_where_it_says_when() -> None:
    assert Played(KEYED, answer(409, retry_after="1"), OK).outcome == {}


def test_pauses_grow_to_a_cap_anywhere_below_it() -> None:
    unavailable = LoopError("x", status=503)
    for attempt in [0, 1, 5, 50, 10_000]:
        most = CAP if attempt > 5 else min(CAP, FIRST * 2**attempt)
        assert pause(unavailable, attempt, 1.0) == most
        assert pause(unavailable, attempt, 0.0) == 0.0


def test_retry_after_is_seconds_or_a_date() -> None:
    now = 1_767_225_600.0  # 2026-01-01
    assert retry_after("3", None, now) == 3.0
    assert retry_after("Thu, 01 Jan 2026 00:00:05 GMT", None, now) == 5.0
    since = "Thu, 01 Jan 2026 00:00:04 GMT"
    assert retry_after("Thu, 01 Jan 2026 00:00:05 GMT", since, now) == 1.0
    assert retry_after("Wed, 31 Dec 2025 00:00:00 GMT", None, now) == 0.0
    for wrong in [None, "", "soon", "-1", "²"]:
        assert retry_after(wrong, None, now) is None


class _Slow(BaseHTTPRequestHandler):
    """Sends a byte now and then, so that no single read takes long."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        over: threading.Event = getattr(self.server, "over")
        try:
            while not over.wait(0.02):
                self.wfile.write(b" ")
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow() -> Any:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    over = threading.Event()
    setattr(server, "over", over)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_that_drips_ends_with_the_time_of_the_call(slow: str) -> None:
    began = time.monotonic()
    with LoopClient(slow, timeout=0.2) as client, pytest.raises(DeadlineExceededError):
        client.identity.get_me()
    assert time.monotonic() - began < 5


@pytest.mark.anyio
async def test_an_awaited_answer_that_drips_ends_with_the_time_of_the_call(slow: str) -> None:
    async with AsyncLoopClient(slow, timeout=0.2) as client:
        with pytest.raises(DeadlineExceededError):
            await client.identity.get_me()


@pytest.mark.anyio
async def test_an_awaited_call_is_tried_again_too() -> None:
    stub = Stub(lambda _, at: {"body": {"user_id": "u"}} if at > 1 else "hang up")
    client = AsyncLoopClient(BASE, http=stub.async_http())
    assert await client.identity.get_me() == {"user_id": "u"}
    stub = Stub(lambda *_: {"status": 429, "body": worded("rate_limited", "X")})
    client = AsyncLoopClient(BASE, http=stub.async_http(), max_retries=0)
    with pytest.raises(RateLimitedError):
        await client.identity.get_me()
