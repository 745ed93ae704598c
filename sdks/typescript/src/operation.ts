// What a generated method says of itself, and how its request becomes HTTP.

/** One method over HTTP, as the generated files describe it. */
export interface Operation {
  /** `ClinicalService/GetBiomarker`. */
  readonly name: string;
  readonly verb: string;
  /** With `{field}` for a segment and `{+field}` for what may hold slashes (RFC 6570). */
  readonly path: string;
  /** What of the request is the body. What neither path nor body takes is the query. */
  readonly body?: { readonly as: "json" | "form" | "bytes"; readonly field?: string };
  /** JSON if absent. */
  readonly answer?: "bytes";
  /** Takes an Idempotency-Key. */
  readonly keyed?: boolean;
  /** Takes no token. */
  readonly public?: boolean;
  /** May be sent again whatever its verb, without a key. */
  readonly repeatable?: boolean;
  readonly pages?: { readonly by: "token" | "offset"; readonly items: string };
}

/** What a caller may choose for one call. */
export interface CallOptions {
  /** Ends the call; its promise fails with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds for the call with all its attempts. The client's if absent. */
  timeoutMs?: number;
  /** How often a call that may be repeated is repeated. The client's if absent. */
  maxRetries?: number;
  /** Names this one act. A random UUID if absent, where the method takes one. */
  idempotencyKey?: string;
  /** Names this call in logs and in the audit log. The platform chooses one if absent. */
  requestId?: string;
  /** The brand to act in, for machine clients. The client's if absent. */
  brandId?: string;
  headers?: Record<string, string>;
}

/** What generated classes call through. */
export interface Caller {
  call<Answer>(operation: Operation, request: object, options: CallOptions): Promise<Answer>;
  items<Item>(
    operation: Operation,
    request: object,
    options: CallOptions,
  ): AsyncGenerator<Item, void, undefined>;
}

/** A request as HTTP has it, without what depends on the attempt. */
export interface Draft {
  readonly url: string;
  readonly verb: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}

type Fields = Record<string, unknown>;

/** Says where each field of a request goes. */
export function draft(baseUrl: string, operation: Operation, request: object): Draft {
  const rest: Fields = { ...request };
  const path = operation.path.replace(/\{(\+?)([^}]+)\}/g, (_, plus: string, name: string) => {
    const value = take(rest, name);
    if (value === undefined || value === null || value === "") {
      throw new TypeError(`${operation.name} needs ${name}`);
    }
    const text = String(value);
    return plus ? text.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(text);
  });
  const { headers, body } = content(operation, rest);
  const query = new URLSearchParams(pairs(rest)).toString();
  const url = baseUrl.replace(/\/+$/, "") + path + (query && `?${query}`);
  return { url, verb: operation.verb, headers, ...(body === undefined ? {} : { body }) };
}

/** Takes the body's part out of the fields. */
function content(operation: Operation, rest: Fields): Pick<Draft, "headers" | "body"> {
  const { body } = operation;
  if (!body) return { headers: {} };
  const whole = body.field === undefined;
  const value = whole ? { ...rest } : take(rest, body.field ?? "");
  if (whole) for (const name of Object.keys(rest)) delete rest[name];
  if (value === undefined) return { headers: {} };
  switch (body.as) {
    case "bytes":
      return { headers: { "content-type": "application/octet-stream" }, body: value as Uint8Array };
    case "form":
      return {
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(pairs(value as Fields)).toString(),
      };
    case "json":
      return { headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
  }
}

/** The value at a dotted name, which is then gone from the fields. */
function take(fields: Fields, name: string): unknown {
  if (name in fields) {
    const value = fields[name];
    delete fields[name];
    return value;
  }
  const [first = "", ...inner] = name.split(".");
  const outer = fields[first];
  if (inner.length === 0 || typeof outer !== "object" || outer === null) return undefined;
  const copy: Fields = { ...outer };
  fields[first] = copy;
  return take(copy, inner.join("."));
}

/** Fields as a query or a form has them: lists repeat their name, inner objects have dots. */
function pairs(fields: Fields, prefix = ""): string[][] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.map((it) => [prefix + name, String(it)]);
    if (typeof value === "object") return pairs(value as Fields, `${prefix}${name}.`);
    return [[prefix + name, String(value)]];
  });
}
