// The contract: an OpenAPI 3.1 document, read into what the page shows.

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

// What the page shows in its own place; every other extension is shown as it stands.
const PLACED = ["x-grpc-method", "x-callers", "x-audit", "x-rate", "x-emits", "x-reasons"];

export async function load(address) {
  let response;
  try {
    response = await fetch(address, { headers: { accept: "application/json" } });
  } catch {
    throw new Error("the server cannot be reached");
  }
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`);
  let document;
  try {
    document = await response.json();
  } catch {
    throw new Error("the answer is not JSON");
  }
  if (!/^3\.1\./.test(document?.openapi ?? "")) throw new Error("the answer is not OpenAPI 3.1");
  return new Api(document);
}

export class Api {
  constructor(document) {
    this.document = document;
    this.info = document.info ?? {};
    this.operations = this.#operations();
    this.groups = this.#groups();
    this.scopes = this.#scopes();
  }

  find(id) {
    return this.operations.find((it) => it.id === id);
  }

  // What a `$ref` stands for. Its siblings add to it, as OpenAPI 3.1 says of schemas.
  resolve(value) {
    const seen = new Set();
    let merged = value ?? {};
    while (merged.$ref && !seen.has(merged.$ref)) {
      const { $ref, ...siblings } = merged;
      seen.add($ref);
      merged = { ...this.#at($ref), ...siblings };
    }
    return merged;
  }

  // The address of an OAuth endpoint, such as `tokenUrl`, in whatever flow has it.
  oauth(name) {
    return this.#flows().map((it) => it[name]).find(Boolean);
  }

  #at(reference) {
    const steps = reference.replace(/^#\//, "").split("/");
    const unescaped = steps.map((it) => decodeURIComponent(it).replace(/~1/g, "/").replace(/~0/g, "~"));
    return unescaped.reduce((found, step) => found?.[step], this.document) ?? {};
  }

  #operations() {
    const paths = Object.entries(this.document.paths ?? {});
    return paths.flatMap(([path, item]) =>
      METHODS.filter((it) => item[it]).map((it) => this.#operation(path, item, it)));
  }

  #operation(path, item, method) {
    const it = item[method];
    const own = (it.parameters ?? []).map((one) => this.resolve(one));
    const shared = (item.parameters ?? []).map((one) => this.resolve(one));
    const overridden = (one) => own.some((mine) => mine.name === one.name && mine.in === one.in);
    return {
      id: it.operationId ?? `${method} ${path}`,
      method,
      path,
      tag: it.tags?.[0] ?? "Other",
      summary: it.summary ?? path,
      description: it.description,
      deprecated: it.deprecated === true,
      parameters: [...shared.filter((one) => !overridden(one)), ...own],
      body: this.#body(it.requestBody),
      responses: Object.entries(it.responses ?? {}).map(([status, one]) => this.#response(status, one)),
      // Each alternative is a list of scopes, all of which are needed. None: open to all.
      alternatives: (it.security ?? this.document.security ?? []).map((one) => Object.values(one).flat()),
      grpc: it["x-grpc-method"],
      callers: it["x-callers"] ?? [],
      audit: it["x-audit"],
      rate: it["x-rate"],
      emits: it["x-emits"] ?? [],
      reasons: it["x-reasons"] ?? [],
      extensions: Object.entries(it).filter(([key]) => key.startsWith("x-") && !PLACED.includes(key)),
    };
  }

  #body(reference) {
    if (!reference) return null;
    const body = this.resolve(reference);
    return { required: body.required === true, description: body.description, types: contents(body) };
  }

  #response(status, reference) {
    const response = this.resolve(reference);
    const headers = Object.entries(response.headers ?? {});
    return {
      status,
      description: response.description ?? "",
      headers: headers.map(([name, one]) => ({ name, ...this.resolve(one) })),
      types: contents(response),
    };
  }

  #groups() {
    const described = new Map((this.document.tags ?? []).map((it) => [it.name, it.description]));
    const names = new Set([...described.keys(), ...this.operations.map((it) => it.tag)]);
    const groups = [...names].map((name) => ({
      name,
      description: described.get(name),
      operations: this.operations.filter((it) => it.tag === name),
    }));
    return groups.filter((it) => it.operations.length > 0);
  }

  #scopes() {
    return Object.assign({}, ...this.#flows().map((it) => it.scopes ?? {}));
  }

  #flows() {
    const schemes = Object.values(this.document.components?.securitySchemes ?? {});
    return schemes.flatMap((it) => Object.values(this.resolve(it).flows ?? {}));
  }
}

// The example of a parameter or of a media type, in any of the ways it may be given.
export function exampleOf(it, schema = it.schema ?? {}) {
  const named = Object.values(it.examples ?? {})[0]?.value;
  return it.example ?? named ?? schema.examples?.[0] ?? schema.example ?? schema.default;
}

function contents(it) {
  const entries = Object.entries(it.content ?? {});
  return entries.map(([type, media]) => ({ type, schema: media.schema, example: exampleOf(media) }));
}
