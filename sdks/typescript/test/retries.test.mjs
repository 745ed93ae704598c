// What is tried again, when, and for how long.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConnectionFailedError, DeadlineExceededError, LoopClient, RateLimitedError } from "../dist/index.js";
import { BASE_MS, CAP_MS, isRepeatable, pause, retryAfter } from "../dist/retry.js";
import { hurried, stub, worded } from "./stub.mjs";

const REPORT = { patient_id: "p", brand_id: "loop", source: "manual", biomarkers: [] };
const rated = (headers) => ({ status: 429, headers, body: worded("rate_limited", "RATE_LIMITED") });

test("a failure that passes is met again, after as long as the platform asks", async () => {
  const answers = [
    rated({ "retry-after": "7" }),
    { status: 503, headers: { date: "Sat, 01 Jan 2000 00:00:00 GMT", "retry-after": "Sat, 01 Jan 2000 00:00:02 GMT" } },
    "hang up",
    { body: { id: "b" } },
  ];
  const { baseUrl, requests } = await stub((_, at) => answers[at - 1]);
  const { timing, pauses } = hurried(0.5);
  const client = new LoopClient({ baseUrl, timing });
  assert.deepEqual(await client.clinical.getBiomarker({ id: "b" }), { id: "b" });
  assert.deepEqual(pauses, [7000, 2000, 0.5 * BASE_MS * 4]);
  assert.equal(requests.length, 4);
});

test("all attempts of a write have one key, and other calls have others", async () => {
  const { baseUrl, requests } = await stub((_, at) => (at % 3 ? "hang up" : { body: { count: 0 } }));
  const client = new LoopClient({ baseUrl, timing: hurried().timing });
  await client.clinical.parseBiomarkers(REPORT);
  await client.clinical.parseBiomarkers(REPORT, { idempotencyKey: "mine" });
  const keys = requests.map((it) => it.headers["idempotency-key"]);
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.deepEqual(keys.slice(3), ["mine", "mine", "mine"]);
  assert.ok(requests.every((it) => it.body === requests[0].body));
});

test("a write without a key is sent once", async () => {
  const { baseUrl, requests } = await stub(() => "hang up");
  const client = new LoopClient({ baseUrl, timing: hurried().timing });
  const asked = client.identity.createOauthClient({ client_name: "n", redirect_uris: [], allowed_scopes: [] });
  await assert.rejects(asked, ConnectionFailedError);
  assert.equal(requests.length, 1);
});

test("what does not pass is not tried again", async () => {
  for (const status of [400, 401, 403, 404, 409, 412, 422, 500]) {
    const { baseUrl, requests } = await stub(() => ({ status, body: worded("x", "X") }));
    const client = new LoopClient({ baseUrl, timing: hurried().timing });
    await assert.rejects(client.identity.getMe(), { status });
    assert.equal(requests.length, 1, `${status}`);
  }
});

test("attempts are counted, and no pause is begun that outlives the call", async () => {
  const { baseUrl, requests } = await stub(() => rated({ "retry-after": "9" }));
  const { timing, pauses } = hurried();
  const client = new LoopClient({ baseUrl, timing, maxRetries: 2, timeoutMs: 10_000 });
  await assert.rejects(client.identity.getMe(), (it) => it instanceof RateLimitedError && it.retryAfterMs === 9000);
  assert.deepEqual([requests.length, pauses.length], [3, 2]);
  await assert.rejects(client.identity.getMe({}, { timeoutMs: 8_000 }), RateLimitedError);
  await assert.rejects(client.identity.getMe({}, { maxRetries: 0 }), RateLimitedError);
  assert.equal(requests.length, 5);
});

test("a call ends when its time is up, and when its caller says so", async () => {
  const { baseUrl } = await stub(() => new Promise(() => {}));
  const client = new LoopClient({ baseUrl, timeoutMs: 30 });
  await assert.rejects(client.identity.getMe(), (it) => it instanceof DeadlineExceededError && it.status === 0);
  const why = new Error("the page was left");
  const controller = new AbortController();
  const asked = client.identity.getMe({}, { signal: controller.signal, timeoutMs: 60_000 });
  controller.abort(why);
  await assert.rejects(asked, (it) => it === why);
  await assert.rejects(client.identity.getMe({}, { signal: AbortSignal.abort(why) }), (it) => it === why);
});

test("a pause ends with the call", async () => {
  const { baseUrl } = await stub(() => rated({ "retry-after": "20" }));
  const client = new LoopClient({ baseUrl });
  const controller = new AbortController();
  const asked = client.identity.getMe({}, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("left")), 50);
  await assert.rejects(asked, /left/);
});

test("pauses grow to a cap, anywhere below it", () => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const most = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
    assert.equal(pause({ status: 503 }, attempt, 1), most);
    assert.equal(pause({ status: 503 }, attempt, 0), 0);
  }
  assert.equal(pause({ status: 409 }, 0, 1), undefined);
  assert.equal(pause({ status: 409, retryAfterMs: 100 }, 0, 1), 100);
});

test("Retry-After is seconds or a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const read = (value, date = null) => retryAfter(value, date, now);
  assert.equal(read("3"), 3000);
  assert.equal(read("Thu, 01 Jan 2026 00:00:05 GMT"), 5000);
  assert.equal(read("Thu, 01 Jan 2026 00:00:05 GMT", "Thu, 01 Jan 2026 00:00:04 GMT"), 1000);
  assert.equal(read("Wed, 31 Dec 2025 00:00:00 GMT"), 0);
  for (const value of [null, "", "soon", "-1"]) {
    assert.equal(read(value), undefined, `${value}`);
  }
});

test("only what is safe or named may be repeated", () => {
  assert.ok(isRepeatable("GET", undefined) && isRepeatable("DELETE", undefined) && isRepeatable("POST", "k"));
  assert.ok(!isRepeatable("POST", undefined) && !isRepeatable("PATCH", undefined));
});
