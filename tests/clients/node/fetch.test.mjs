// The platform through Node's fetch.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, test } from "node:test";

const { LOOP_API: api, LOOP_CLIENT_ID: id, LOOP_CLIENT_SECRET: secret } = process.env;
const { LOOP_USER_ID: user, LOOP_PATIENT_ID: patient } = process.env;

let token;

before(async () => {
  const grant = { grant_type: "client_credentials", client_id: id, client_secret: secret, brand_id: "loop" };
  const answer = await fetch(`${api}/v1/oauth/token`, { method: "POST", body: new URLSearchParams(grant) });
  assert.equal(answer.status, 200);
  token = (await answer.json()).access_token;
});

const get = (path) => fetch(api + path, { headers: { authorization: `Bearer ${token}` } });

const parse = (report, key) =>
  fetch(`${api}/v1/biomarkers/parse`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(report),
  });

function report(changes = {}) {
  const result = { code: "albumin", name: "Albumin", value: 4.2, unit: "g/dL", collected_at: "2026-04-28T09:30:00Z" };
  return { patient_id: patient, brand_id: "loop", source: "labcorp", biomarkers: [result], ...changes };
}

test("it reads", async () => {
  const answer = await get(`/v1/patients/${patient}/safe`);
  assert.deepEqual([answer.status, (await answer.json()).id], [200, patient]);
});

test("bad input names the field", async () => {
  const answer = await parse(report({ brand_id: "NO" }), randomUUID());
  const { error, details } = await answer.json();
  assert.deepEqual([answer.status, error], [400, "validation_error"]);
  assert.equal(details[1].field_violations[0].field, "brand_id");
});

test("a retry gets the first answer", async () => {
  const key = randomUUID();
  const [first, again] = [await parse(report(), key), await parse(report(), key)];
  assert.deepEqual([first.status, again.status], [200, 200]);
  assert.deepEqual(await again.json(), await first.json());
  assert.deepEqual([first, again].map((it) => it.headers.get("idempotent-replayed")), [null, "true"]);
});

test("calls that race with one key have one effect", async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 5 }, () => parse(report(), key)));
  const bodies = await Promise.all(answers.filter((it) => it.ok).map((it) => it.text()));
  assert.equal(new Set(bodies).size, 1);
  for (const late of answers.filter((it) => !it.ok)) {
    assert.deepEqual([late.status, late.headers.has("retry-after")], [409, true]);
  }
});

test("pages lead to the end", async () => {
  const { results } = await (await parse(report(), randomUUID())).json();
  const found = [];
  for (let next = ""; next !== undefined; ) {
    const page = await (await get(`/v1/biomarkers?user_id=${user}&page_size=2&page_token=${next}`)).json();
    found.push(...page.biomarkers.map((it) => it.id));
    next = page.next_page_token;
  }
  assert.equal(new Set(found).size, found.length);
  assert.ok(found.includes(results[0].id));
});
