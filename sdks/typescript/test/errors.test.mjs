// Errors as types.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as loop from "../dist/index.js";
import { failed } from "../dist/errors.js";
import { hurried, stub, worded } from "./stub.mjs";

test("an error says what, why, where and for which request", async () => {
  const violation = { field: "biomarkers[0].value", description: "must be a decimal" };
  const body = worded("validation_error", "VALUE_NOT_DECIMAL", [violation]);
  const { baseUrl } = await stub(() => ({ status: 400, body }));
  const client = new loop.LoopClient({ baseUrl });
  const error = await client.clinical.getBiomarker({ id: "x" }).catch((it) => it);
  assert.ok(error instanceof loop.ValidationError && error instanceof loop.LoopError);
  assert.deepEqual(
    [error.name, error.status, error.error, error.reason, error.requestId, error.message],
    ["ValidationError", 400, "validation_error", "VALUE_NOT_DECIMAL", "req-1", "because of VALUE_NOT_DECIMAL"],
  );
  assert.deepEqual(error.fieldViolations, [violation]);
  assert.equal(error.details.length, 2);
});

test("every failure that the platform documents has a type of its own", () => {
  const path = new URL("../../../edge/openapi.json", import.meta.url);
  const { paths } = JSON.parse(readFileSync(path, "utf8"));
  const operations = Object.values(paths).flatMap((it) => Object.values(it));
  const statuses = new Set(operations.flatMap((it) => Object.keys(it.responses)));
  const failures = [...statuses].map(Number).filter((it) => it >= 400);
  assert.ok(failures.length > 10, `${failures}`);
  for (const status of failures) {
    const error = failed(status, JSON.stringify(worded("x", "Y")));
    assert.notEqual(error.constructor, loop.LoopError, `${status}`);
  }
});

test("a missing scope and an OAuth error are told from others of their status", () => {
  assert.ok(failed(403, JSON.stringify(worded("insufficient_scope", "X"))) instanceof loop.InsufficientScopeError);
  const forbidden = failed(403, JSON.stringify(worded("forbidden", "X")));
  assert.ok(forbidden instanceof loop.ForbiddenError && !(forbidden instanceof loop.InsufficientScopeError));
  const oauth = failed(400, '{"error":"invalid_grant","error_description":"it is used"}');
  assert.ok(oauth instanceof loop.OAuthError);
  assert.deepEqual([oauth.error, oauth.message], ["invalid_grant", "it is used"]);
});

test("what a proxy says in words of its own is still an error of its status", () => {
  for (const text of ["<h1>Bad gateway</h1>", "", "[]", "null", '"x"', '{"error":7,"details":3}']) {
    const error = failed(502, text, undefined, "req-2");
    assert.ok(error instanceof loop.UnavailableError, text);
    assert.deepEqual([error.error, error.requestId, error.details.length], ["unknown", "req-2", 0]);
  }
  assert.equal(failed(418, "").constructor, loop.LoopError);
});

test("an answer that is no JSON is an error, and none comes twice", async () => {
  const { baseUrl, requests } = await stub(() => ({ body: "<html>" }));
  const client = new loop.LoopClient({ baseUrl, timing: hurried().timing });
  await assert.rejects(client.identity.getMe(), { name: "LoopError", status: 200 });
  assert.equal(requests.length, 1);
});
