// One call: its attempts, its token and its time.

import { ISSUE_TOKEN, type Credentials, type TokenAnswer, type TokenEndpoint } from "./credentials.js";
import { ConnectionFailedError, DeadlineExceededError, LoopError, failed } from "./errors.js";
import { draft, type CallOptions, type Draft, type Operation } from "./operation.js";
import { isRepeatable, pause, retryAfter } from "./retry.js";

/** What a client has settled for all its calls. */
export interface Settings {
  readonly baseUrl: string;
  readonly credentials?: Credentials | undefined;
  readonly brandId?: string | undefined;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly fetch: typeof fetch;
  readonly timing: Timing;
}

/** Time and chance, so that tests can choose them. */
export interface Timing {
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  /** Ends after so many milliseconds. Nobody waits for it any more once the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** A lost refresh may be asked for again for 30 seconds; this ends before. */
const TOKEN_TIMEOUT_MS = 20_000;

/** Makes a call, as often as it takes and its options allow. */
export async function call(
  settings: Settings,
  operation: Operation,
  request: object,
  options: CallOptions,
): Promise<unknown> {
  const time = new Time(settings, options);
  try {
    return await new Attempts(settings, operation, request, options, time).run();
  } finally {
    time.end();
  }
}

class Attempts {
  readonly #draft: Draft;
  readonly #repeatable: boolean;
  readonly #tokens: Credentials | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly operation: Operation,
    request: object,
    private readonly options: CallOptions,
    private readonly time: Time,
  ) {
    const key = options.idempotencyKey ?? (operation.keyed ? uuid() : undefined);
    const from = draft(settings.baseUrl, operation, request);
    this.#draft = { ...from, headers: { ...from.headers, ...headers(settings, options, key) } };
    this.#repeatable = operation.repeatable === true || isRepeatable(operation.verb, key);
    this.#tokens = operation.public ? undefined : settings.credentials;
  }

  async run(): Promise<unknown> {
    let token = await this.#token();
    let renewed = false;
    for (let attempt = 0; ; ) {
      try {
        return await this.#attempt(token);
      } catch (error) {
        if (!(error instanceof LoopError) || this.time.signal.aborted) throw error;
        if (token !== undefined && !renewed && error.error === "invalid_token") {
          renewed = true;
          const next = await this.#token(token);
          if (next === undefined) throw error;
          token = next;
          continue;
        }
        await this.#pause(error, attempt);
        attempt += 1;
      }
    }
  }

  /** Waits before the next attempt, or throws the error where there is none. */
  async #pause(error: LoopError, attempt: number): Promise<void> {
    const { timing } = this.settings;
    const left = (this.options.maxRetries ?? this.settings.maxRetries) - attempt;
    const ms = this.#repeatable && left > 0 ? pause(error, attempt, timing.random()) : undefined;
    if (ms === undefined || timing.now() + ms >= this.time.endsAt) throw error;
    await this.time.raced(timing.wait(ms, this.time.signal));
  }

  async #token(rejected?: string): Promise<string | undefined> {
    const asked = this.#tokens?.token(tokenEndpoint(this.settings), rejected);
    return asked && this.time.raced(asked);
  }

  async #attempt(token: string | undefined): Promise<unknown> {
    const { url, verb: method, body } = this.#draft;
    const headers = { ...this.#draft.headers };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    const { response, bytes } = await this.#exchange(url, {
      method,
      headers,
      signal: this.time.signal,
      // Who calls is told by the token alone.
      credentials: "omit",
      ...(body === undefined ? {} : { body: body as BodyInit }),
    });
    if (response.ok) return answer(this.operation, response.status, bytes);
    const after = retryAfter(
      response.headers.get("retry-after"),
      response.headers.get("date"),
      this.settings.timing.now(),
    );
    const requestId = response.headers.get("x-request-id") ?? undefined;
    throw failed(response.status, new TextDecoder().decode(bytes), after, requestId);
  }

  async #exchange(url: string, init: RequestInit) {
    try {
      const response = await this.time.raced(this.settings.fetch(url, init));
      return { response, bytes: new Uint8Array(await this.time.raced(response.arrayBuffer())) };
    } catch (cause) {
      if (this.time.signal.aborted) throw this.time.signal.reason;
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `${this.operation.name}: no answer: ${why}`;
      throw new ConnectionFailedError({ status: 0, error: "connection_failed", message, cause });
    }
  }
}

/** The time of one call, and the signal that ends it. */
class Time {
  readonly endsAt: number;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #caller: AbortSignal | undefined;
  readonly #aborted = () => this.#controller.abort(this.#caller?.reason);

  constructor(settings: Settings, options: CallOptions) {
    const ms = options.timeoutMs ?? settings.timeoutMs;
    this.endsAt = settings.timing.now() + ms;
    const message = `no answer within ${ms} ms`;
    const late = () =>
      this.#controller.abort(
        new DeadlineExceededError({ status: 0, error: "deadline_exceeded", message }),
      );
    this.#timer = setTimeout(late, ms);
    this.#caller = options.signal;
    if (this.#caller?.aborted) this.#aborted();
    this.#caller?.addEventListener("abort", this.#aborted, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The promise's outcome, or the signal's reason if that comes first. */
  async raced<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this;
    let stop = () => {};
    const ended = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
    try {
      return await Promise.race([promise, ended]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#aborted);
  }
}

/** Tokens are asked for outside of any call's time: other calls may wait for them too. */
function tokenEndpoint(settings: Settings): TokenEndpoint {
  const timed = { timeoutMs: TOKEN_TIMEOUT_MS };
  return async (parameters) =>
    (await call(settings, ISSUE_TOKEN, parameters, timed)) as TokenAnswer;
}

function headers(settings: Settings, options: CallOptions, key: string | undefined) {
  const brand = options.brandId ?? settings.brandId;
  return {
    accept: "application/json",
    ...(key === undefined ? {} : { "idempotency-key": key }),
    ...(brand === undefined ? {} : { "x-brand-id": brand }),
    ...(options.requestId === undefined ? {} : { "x-request-id": options.requestId }),
    ...options.headers,
  };
}

function answer(operation: Operation, status: number, bytes: Uint8Array): unknown {
  if (operation.answer === "bytes") return bytes;
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    const message = `${operation.name}: the answer is no JSON`;
    throw new LoopError({ status, error: "unknown", message, cause });
  }
}

/** RFC 9562 version 4. Node 18 has no global `crypto`; a key must be unlikely, not secret. */
function uuid(): string {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto) globalThis.crypto.getRandomValues(bytes);
  else bytes.forEach((_, at) => (bytes[at] = Math.floor(Math.random() * 256)));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (it) => it.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
