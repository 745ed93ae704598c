// How requests are made of what a method takes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LoopClient } from "../dist/index.js";
import { draft } from "../dist/operation.js";
import { stub } from "./stub.mjs";

const made = (operation, request) =>
  draft("https://api.test/", { name: "S/M", verb: "GET", ...operation }, request);

test("fields go into the path, the query and the body, each into one", () => {
  const update = made({ verb: "PATCH", path: "/v1/brands/{id}", body: { as: "json" } }, { id: "a/b", name: "N" });
  assert.equal(update.url, "https://api.test/v1/brands/a%2Fb");
  assert.equal(update.body, '{"name":"N"}');
  const field = made({ path: "/v1/x/{a.id}", body: { as: "json", field: "it" } }, { a: { id: 7, z: 1 }, it: { n: 1 }, q: "?" });
  assert.equal(field.url, "https://api.test/v1/x/7?a.z=1&q=%3F");
  assert.equal(field.body, '{"n":1}');
  const form = made({ path: "/t", body: { as: "form" } }, { scope: "a b", none: undefined });
  assert.deepEqual([form.body, form.headers["content-type"]], ["scope=a+b", "application/x-www-form-urlencoded"]);
  const bytes = made({ path: "/t", body: { as: "bytes", field: "body" } }, { body: new Uint8Array([1]), n: 1 });
  assert.deepEqual([bytes.url, bytes.body], ["https://api.test/t?n=1", new Uint8Array([1])]);
});

test("a path of several segments keeps its slashes, and an empty segment is refused", () => {
  assert.equal(made({ path: "/v1/{+name}:stop" }, { name: "a/b c" }).url, "https://api.test/v1/a/b%20c:stop");
  for (const id of ["", undefined, null]) {
    assert.throws(() => made({ path: "/v1/{id}" }, { id }), /S\/M needs id/);
  }
});

test("lists repeat their name, and what is not set is not sent", () => {
  const { url } = made({ path: "/v1/x" }, { a: ["1", "2"], b: undefined, c: null, d: false, e: 0 });
  assert.equal(url, "https://api.test/v1/x?a=1&a=2&d=false&e=0");
});

test("a client without credentials sends no token, and an empty answer is nothing", async () => {
  const { baseUrl, requests } = await stub(() => ({ status: 204 }));
  const client = new LoopClient({ baseUrl, brandId: "loop" });
  const options = { requestId: "req-9", headers: { "x-more": "1" } };
  assert.equal(await client.identity.disconnectApp({ client_id: "c" }, options), undefined);
  const [{ headers, method, url }] = requests;
  assert.deepEqual([method, url], ["DELETE", "/v1/users/me/connected-apps/c"]);
  assert.equal(headers.authorization, undefined);
  assert.deepEqual([headers["x-brand-id"], headers["x-request-id"], headers["x-more"]], ["loop", "req-9", "1"]);
  assert.match(headers["idempotency-key"], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("every item of every page is given, by tokens and by offsets", async () => {
  const { baseUrl, requests } = await stub(({ url }) => {
    const query = new URL(url, "http://x").searchParams;
    if (url.startsWith("/v1/biomarkers")) {
      const token = Number(query.get("page_token") ?? 0);
      const more = token < 2 ? { next_page_token: String(token + 1) } : {};
      return { body: { biomarkers: token === 1 ? [] : [{ id: `b${token}` }], ...more } };
    }
    const offset = Number(query.get("offset") ?? 0);
    return { body: { events: [{ id: offset }, { id: offset + 1 }].slice(0, 3 - offset), total: 3 } };
  });
  const client = new LoopClient({ baseUrl });
  const ids = async (items) => {
    const found = [];
    for await (const it of items) found.push(it.id);
    return found;
  };
  assert.deepEqual(await ids(client.clinical.iterateMyBiomarkers({ biomarker_code: "albumin" })), ["b0", "b2"]);
  assert.ok(requests.every((it) => it.url.includes("biomarker_code=albumin")));
  assert.deepEqual(await ids(client.patientGraph.iterateTimeline({ patient_id: "pat_1" })), [0, 1, 2]);
  for await (const _ of client.clinical.iterateMyBiomarkers()) break;
  assert.equal(requests.length, 6, "a page nobody needs is not asked for");
});
