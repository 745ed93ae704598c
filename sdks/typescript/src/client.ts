// The client: every service over one set of settings.

import { call, type Settings, type Timing } from "./attempts.js";
import type { Credentials } from "./credentials.js";
import { Services } from "./generated/services.js";
import type { Caller, CallOptions, Operation } from "./operation.js";

export interface ClientOptions {
  /** Where the platform is, such as `https://api.example.com`. */
  baseUrl: string;
  /** Absent: only what is public can be called. */
  credentials?: Credentials;
  /** The brand to act in, for machine clients. */
  brandId?: string;
  /** Milliseconds for a call with all its attempts. 30000 if absent. */
  timeoutMs?: number;
  /** How often a call that may be repeated is repeated. 3 if absent. */
  maxRetries?: number;
  /** The global one if absent. */
  fetch?: typeof fetch;
  timing?: Timing;
}

/** A client of the platform. Make one, and share it: its calls share tokens. */
export class LoopClient extends Services {
  constructor(options: ClientOptions) {
    super(new Connection(options));
  }
}

const REAL: Timing = {
  now: () => Date.now(),
  random: () => Math.random(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    }),
};

class Connection implements Caller {
  readonly #settings: Settings;

  constructor(options: ClientOptions) {
    this.#settings = {
      baseUrl: options.baseUrl,
      credentials: options.credentials,
      brandId: options.brandId,
      timeoutMs: options.timeoutMs ?? 30_000,
      maxRetries: options.maxRetries ?? 3,
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
      timing: options.timing ?? REAL,
    };
  }

  async call<Answer>(operation: Operation, request: object, options: CallOptions): Promise<Answer> {
    return (await call(this.#settings, operation, request, options)) as Answer;
  }

  async *items<Item>(
    operation: Operation,
    request: object,
    options: CallOptions,
  ): AsyncGenerator<Item, void, undefined> {
    const { pages } = operation;
    if (!pages) throw new TypeError(`${operation.name} has no pages`);
    let next: Record<string, unknown> = { ...request };
    for (;;) {
      const page = await this.call<Record<string, unknown>>(operation, next, options);
      const items = (page[pages.items] ?? []) as Item[];
      yield* items;
      if (pages.by === "token") {
        if (!page["next_page_token"]) return;
        next = { ...next, page_token: page["next_page_token"] };
      } else {
        const offset = Number(next["offset"] ?? 0) + items.length;
        if (items.length === 0 || offset >= Number(page["total"])) return;
        next = { ...next, offset };
      }
    }
  }
}
