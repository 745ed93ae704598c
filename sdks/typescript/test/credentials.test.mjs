// Tokens: asked for once, refreshed once, rotated.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LoopClient, OAuthError, UnauthenticatedError, clientCredentials, refreshToken, staticToken } from "../dist/index.js";
import { hurried, stub, worded } from "./stub.mjs";

/** Takes the newest token and no other. */
function platform({ expires = 900 } = {}) {
  let issued = 0;
  const state = { revoked: new Set(), grants: [] };
  const answer = ({ url, body, headers }) => {
    if (url === "/v1/oauth/token") {
      state.grants.push(Object.fromEntries(new URLSearchParams(body)));
      issued += 1;
      return { body: { access_token: `at${issued}`, expires_in: expires, refresh_token: `rt${issued}` } };
    }
    const token = headers.authorization?.slice("Bearer ".length);
    const good = token === `at${issued}` && !state.revoked.has(token);
    return good ? { body: { user_id: token } } : { status: 401, body: worded("invalid_token", "TOKEN_INVALID") };
  };
  return { state, answer };
}

const MACHINE = { clientId: "cli", clientSecret: "s", brandId: "loop", scope: "admin:x" };

test("a machine's token is asked for once, however many calls begin together", async () => {
  const { state, answer } = platform();
  const { baseUrl } = await stub(answer);
  const client = new LoopClient({ baseUrl, credentials: clientCredentials(MACHINE) });
  const answers = await Promise.all([1, 2, 3, 4].map(() => client.identity.getMe()));
  assert.deepEqual(answers.map((it) => it.user_id), ["at1", "at1", "at1", "at1"]);
  assert.deepEqual(state.grants, [
    { grant_type: "client_credentials", client_id: "cli", client_secret: "s", brand_id: "loop", scope: "admin:x" },
  ]);
});

test("a refused token is replaced once, for all calls that met the refusal", async () => {
  const { state, answer } = platform();
  const { baseUrl } = await stub(answer);
  const client = new LoopClient({ baseUrl, credentials: clientCredentials(MACHINE) });
  await client.identity.getMe();
  state.revoked.add("at1");
  const answers = await Promise.all([1, 2, 3].map(() => client.identity.getMe()));
  assert.deepEqual(answers.map((it) => it.user_id), ["at2", "at2", "at2"]);
  assert.equal(state.grants.length, 2);
});

test("a second refusal is an error", async () => {
  const { baseUrl, requests } = await stub(({ url }) =>
    url === "/v1/oauth/token"
      ? { body: { access_token: "at", expires_in: 900 } }
      : { status: 401, body: worded("invalid_token", "TOKEN_INVALID") },
  );
  const client = new LoopClient({ baseUrl, credentials: clientCredentials(MACHINE) });
  await assert.rejects(client.identity.getMe(), UnauthenticatedError);
  assert.equal(requests.length, 4);
  const fixed = new LoopClient({ baseUrl, credentials: staticToken("mine") });
  await assert.rejects(fixed.identity.getMe(), UnauthenticatedError);
  assert.equal(requests.at(-1).headers.authorization, "Bearer mine");
  assert.equal(requests.length, 5);
});

test("a token is replaced before its end", async () => {
  const { state, answer } = platform({ expires: 0 });
  const { baseUrl } = await stub(answer);
  const client = new LoopClient({ baseUrl, credentials: clientCredentials(MACHINE) });
  assert.equal((await client.identity.getMe()).user_id, "at1");
  assert.equal((await client.identity.getMe()).user_id, "at2");
  assert.equal(state.grants.length, 2);
});

test("refresh tokens rotate, and each new one is handed over before its use", async () => {
  const { state, answer } = platform();
  const { baseUrl, requests } = await stub(answer);
  const kept = [];
  const onRotate = async (tokens) => {
    kept.push([tokens.refresh_token, requests.filter((it) => it.headers.authorization).length]);
  };
  const grant = { clientId: "app", refreshToken: "rt0", accessToken: "old", onRotate };
  const client = new LoopClient({ baseUrl, credentials: refreshToken(grant) });
  assert.equal((await client.identity.getMe()).user_id, "at1");
  state.revoked.add("at1");
  assert.equal((await client.identity.getMe()).user_id, "at2");
  assert.deepEqual(state.grants.map((it) => it.refresh_token), ["rt0", "rt1"]);
  assert.deepEqual(kept, [["rt1", 1], ["rt2", 3]]);
});

test("a refresh that is refused fails the calls that wait for it, and the next asks again", async () => {
  let refuse = true;
  const { baseUrl, requests } = await stub(({ url }) => {
    if (url !== "/v1/oauth/token") return { body: {} };
    if (refuse) return { status: 400, body: { error: "invalid_grant", error_description: "used" } };
    return { body: { access_token: "at", expires_in: 900 } };
  });
  const client = new LoopClient({ baseUrl, credentials: refreshToken({ clientId: "a", refreshToken: "r" }) });
  const outcomes = await Promise.allSettled([client.identity.getMe(), client.identity.getMe()]);
  assert.ok(outcomes.every((it) => it.reason instanceof OAuthError && it.reason.error === "invalid_grant"));
  assert.equal(requests.length, 1);
  refuse = false;
  await client.identity.getMe();
});

test("a lost token answer is asked for again with the same refresh token", async () => {
  const { state, answer } = platform();
  let lost = false;
  const { baseUrl } = await stub((request) => {
    const answered = answer(request);
    if (lost) return answered;
    lost = true;
    return "hang up";
  });
  const credentials = refreshToken({ clientId: "a", refreshToken: "rt0" });
  const client = new LoopClient({ baseUrl, credentials, timing: hurried().timing });
  await client.identity.getMe();
  assert.deepEqual(state.grants.map((it) => it.refresh_token), ["rt0", "rt0"]);
});

test("a call that is given up leaves the refresh to the others", async () => {
  const { answer } = platform();
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const { baseUrl } = await stub(async (request) => {
    if (request.url === "/v1/oauth/token") await gate;
    return answer(request);
  });
  const client = new LoopClient({ baseUrl, credentials: clientCredentials(MACHINE) });
  const controller = new AbortController();
  const left = client.identity.getMe({}, { signal: controller.signal });
  const stays = client.identity.getMe();
  controller.abort(new Error("left"));
  await assert.rejects(left, /left/);
  release();
  assert.equal((await stays).user_id, "at1");
});
