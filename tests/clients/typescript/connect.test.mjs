// The platform through Connect's own library, by each of its protocols and codecs. It knows the
// contract as a file of descriptors.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";

import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
  file_google_protobuf_descriptor,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

const { LOOP_API: baseUrl, LOOP_CLIENT_ID: id, LOOP_CLIENT_SECRET: secret } = process.env;
const { LOOP_PATIENT_ID: patient } = process.env;

const descriptors = new URL("../../../crates/contracts/clinical/src/descriptors.binpb", import.meta.url);
const set = fromBinary(FileDescriptorSetSchema, readFileSync(descriptors));
const file = (name) => set.file.find((it) => it.name === name) ?? file_google_protobuf_descriptor;
// The library reads by GET what has no side effects, and the contract does not say so.
for (const { options } of set.file.flatMap((it) => it.service).flatMap((it) => it.method)) {
  options.idempotencyLevel = MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}
const contract = createFileRegistry(file("loop/clinical/v1/biomarker.proto"), file);
const clinical = contract.getService("loop.clinical.v1.ClinicalService");

let token;

const authorize = (next) => (request) => {
  if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
  return next(request);
};

const common = { baseUrl, interceptors: [authorize] };
const transports = {
  "Connect, JSON, HTTP/1.1": createConnectTransport({ ...common, httpVersion: "1.1" }),
  "Connect, Protobuf, HTTP/2": createConnectTransport({ ...common, httpVersion: "2", useBinaryFormat: true }),
  "Connect by GET, JSON": createConnectTransport({ ...common, httpVersion: "1.1", useHttpGet: true }),
  "Connect by GET, Protobuf": createConnectTransport({
    ...common,
    httpVersion: "2",
    useHttpGet: true,
    useBinaryFormat: true,
  }),
  "gRPC-Web": createGrpcWebTransport({ ...common, httpVersion: "1.1" }),
  "gRPC-Web, HTTP/2": createGrpcWebTransport({ ...common, httpVersion: "2" }),
  gRPC: createGrpcTransport(common),
};

const report = () => {
  const result = { code: "albumin", name: "Albumin", value: "4.2", unit: "g/dL" };
  const biomarkers = [{ ...result, collectedAt: { seconds: 1777368600n, nanos: 0 } }];
  return { patientId: patient, brandId: "loop", source: "labcorp", biomarkers };
};

/** What a call fails with: its code, the type of its first detail and the text in that. */
async function failure(call) {
  const error = ConnectError.from(await call.then(() => assert.fail("it succeeded"), (it) => it));
  assert.notEqual(error.details.length, 0, error.toString());
  const [{ type, value }] = error.details;
  return [error.code, type, new TextDecoder().decode(value)];
}

let written;

before(async () => {
  const grant = { grant_type: "client_credentials", client_id: id, client_secret: secret, brand_id: "loop" };
  const answer = await fetch(`${baseUrl}/v1/oauth/token`, { method: "POST", body: new URLSearchParams(grant) });
  assert.equal(answer.status, 200);
  token = (await answer.json()).access_token;
  const { results } = await createClient(clinical, transports.gRPC).parseBiomarkers(report());
  written = results[0].id;
});

for (const [name, transport] of Object.entries(transports)) {
  const client = createClient(clinical, transport);

  test(`${name}: it reads`, async () => {
    const { biomarker } = await client.getBiomarker({ id: written });
    assert.deepEqual([biomarker.id, biomarker.value], [written, "4.2"]);
  });

  test(`${name}: an error says why`, async () => {
    const [code, type, text] = await failure(client.getBiomarker({ id: `bio_${"0".repeat(26)}` }));
    assert.deepEqual([code, type], [Code.NotFound, "google.rpc.ErrorInfo"]);
    assert.match(text, /BIOMARKER_NOT_FOUND/);
    const [refused] = await failure(client.listBiomarkers({ userId: "x", pageSize: 101 }));
    assert.equal(refused, Code.InvalidArgument);
  });

  test(`${name}: a stranger may call nothing`, async () => {
    const own = token;
    token = "wrong";
    const [code] = await failure(client.getBiomarker({ id: written })).finally(() => (token = own));
    assert.equal(code, Code.Unauthenticated);
  });

  test(`${name}: a write is by POST`, async () => {
    if (!name.includes("GET")) return assert.equal((await client.parseBiomarkers(report())).count, 1);
    const [code] = await failure(client.parseBiomarkers(report()));
    assert.equal(code, Code.InvalidArgument);
  });
}
