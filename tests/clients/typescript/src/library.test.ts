// The platform through its own TypeScript library.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ConflictError,
  ForbiddenError,
  InsufficientScopeError,
  LoopClient,
  NotFoundError,
  OAuthError,
  ValidationError,
  clientCredentials,
  refreshToken,
  type TokenAnswer,
  type clinical,
} from "@loop/platform";

const { LOOP_API: baseUrl = "", LOOP_USER_ID: user_id = "", LOOP_PATIENT_ID: patient_id = "" } = process.env;
const { LOOP_CLIENT_ID: clientId = "", LOOP_CLIENT_SECRET: clientSecret = "" } = process.env;

/** A network that loses the first answers to come, and remembers the others. */
class Network {
  lose = 0;
  answers: Array<{ response: Response; authorization: string }> = [];

  fetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (this.lose > 0) {
      this.lose -= 1;
      throw new TypeError("the answer was lost");
    }
    const authorization = new Headers(init?.headers).get("authorization") ?? "";
    this.answers.push({ response, authorization });
    return response;
  };
}

function machine(network = new Network(), scope?: string): LoopClient {
  const narrowed = scope === undefined ? {} : { scope };
  const credentials = clientCredentials({ clientId, clientSecret, brandId: "loop", ...narrowed });
  return new LoopClient({ baseUrl, credentials, fetch: network.fetch });
}

function report(value: number | string = 4.2): clinical.ParseBiomarkersRequest {
  const collected_at = "2026-04-28T09:30:00Z";
  const biomarkers = [
    { code: "albumin", name: "Albumin", value, unit: "g/dL", collected_at },
    { code: "glucose", name: "Glucose", value: "91.25", unit: "mg/dL", collected_at },
  ];
  return { patient_id, brand_id: "loop", source: "labcorp", biomarkers };
}

async function ids(items: AsyncIterable<{ id?: string }>): Promise<Array<string | undefined>> {
  const found = [];
  for await (const it of items) found.push(it.id);
  return found;
}

test("it reads one", async () => {
  const loop = machine();
  const { results, count } = await loop.clinical.parseBiomarkers(report());
  assert.equal(count, 2);
  const biomarker = await loop.clinical.getBiomarker({ id: results[0]?.id ?? "" });
  const status: clinical.BiomarkerStatus | undefined = biomarker.status;
  assert.deepEqual([biomarker.biomarker_code, biomarker.value, status], ["albumin", 4.2, "normal"]);
  assert.equal(biomarker.collected_at, "2026-04-28T09:30:00Z");
});

test("bad input is a type that names the field", async () => {
  const asked = machine().clinical.parseBiomarkers(report("much"), { requestId: "req-wrong" });
  await assert.rejects(asked, (error) => {
    assert(error instanceof ValidationError);
    assert.deepEqual(error.fieldViolations.map((it) => it.field), ["biomarkers[0].value"]);
    assert.equal(error.requestId, "req-wrong");
    return true;
  });
});

test("each refusal has its type", async () => {
  const loop = machine();
  await assert.rejects(
    loop.clinical.getBiomarker({ id: "bio_none" }),
    (it) => it instanceof NotFoundError && it.reason === "BIOMARKER_NOT_FOUND",
  );
  await assert.rejects(loop.identity.getMe(), (it) => it instanceof ForbiddenError);
  await assert.rejects(
    machine(new Network(), "admin:identity").patientGraph.getPatientSafe({ id: patient_id }),
    (it) => it instanceof InsufficientScopeError,
  );
  const options = { idempotencyKey: `ts-${Date.now()}` };
  await loop.clinical.parseBiomarkers(report(), options);
  await assert.rejects(
    loop.clinical.parseBiomarkers(report(4.3), options),
    (it) => it instanceof ConflictError,
  );
  const nobody = clientCredentials({ clientId: "cli_none", clientSecret: "x" });
  await assert.rejects(
    new LoopClient({ baseUrl, credentials: nobody }).identity.getMe(),
    (it) => it instanceof OAuthError && it.error === "invalid_client",
  );
});

test("pages lead to the end", async () => {
  const loop = machine();
  const { results } = await loop.clinical.parseBiomarkers(report());
  const found = await ids(loop.clinical.iterateBiomarkers({ user_id, page_size: 1 }));
  assert.equal(new Set(found).size, found.length);
  assert(results.every((it) => found.includes(it.id)));
  // Offsets shift when others write meanwhile: an event may be met twice, and none is missed.
  const { events } = await loop.patientGraph.listTimeline({ patient_id, limit: 100 });
  const met = await ids(loop.patientGraph.iterateTimeline({ patient_id, limit: 3 }));
  assert(events.every((it) => met.includes(it.id)));
});

test("a write whose answer is lost is done once", async () => {
  const network = new Network();
  const loop = machine(network);
  await loop.clinical.parseBiomarkers(report());
  network.lose = 2;
  const { results } = await loop.clinical.parseBiomarkers(report());
  assert.equal(network.answers.at(-1)?.response.headers.get("idempotent-replayed"), "true");
  const found = await ids(loop.clinical.iterateBiomarkers({ user_id }));
  assert(results.every((it) => found.filter((id) => id === it.id).length === 1));
});

test("a revoked token is replaced within the call", async () => {
  const network = new Network();
  const loop = machine(network);
  await loop.patientGraph.getPatientSafe({ id: patient_id });
  const token = network.answers.at(-1)?.authorization.replace("Bearer ", "") ?? "";
  await loop.identity.revokeToken({ token, client_id: clientId, client_secret: clientSecret });
  network.answers = [];
  assert.equal((await loop.patientGraph.getPatientSafe({ id: patient_id })).id, patient_id);
  assert.deepEqual(network.answers.map((it) => it.response.status), [401, 200, 200]);
});

test("a person's refresh token rotates", async () => {
  const kept: TokenAnswer[] = [];
  const grant = { clientId: "cli_loop_app", onRotate: (it: TokenAnswer) => void kept.push(it) };
  const first = process.env["LOOP_REFRESH_TOKEN"] ?? "";
  const network = new Network();
  network.lose = 1;
  const credentials = refreshToken({ ...grant, refreshToken: first, accessToken: "lph_at_old" });
  const me = await new LoopClient({ baseUrl, credentials, fetch: network.fetch }).identity.getMe();
  assert.equal(me.user_id, user_id);
  const second = kept[0]?.refresh_token ?? first;
  assert(second !== first);
  const again = refreshToken({ ...grant, refreshToken: second });
  assert.equal((await new LoopClient({ baseUrl, credentials: again }).identity.getMe()).user_id, user_id);
});
