// When a call is tried again, and how long after. Pure.

/** A failed attempt, as far as another one depends on it. */
export interface Outcome {
  /** 0 where no answer came. */
  readonly status: number;
  readonly retryAfterMs?: number | undefined;
}

/** The longest pause before the first retry, in milliseconds. It doubles with each. */
export const BASE_MS = 200;
/** The longest pause before any retry that the platform does not time, in milliseconds. */
export const CAP_MS = 8_000;

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
const PASSING = new Set([0, 429, 502, 503, 504]);

/** Whether a second call does what one does (RFC 9110 section 9.2.2, or by its key). */
export function isRepeatable(verb: string, key: string | undefined): boolean {
  return SAFE.has(verb) || key !== undefined;
}

/**
 * Milliseconds until the next attempt, or nothing where the failure will not pass. `attempt`
 * counts from 0; `random` is from 0 to 1. The platform's own word goes before full jitter.
 */
export function pause(outcome: Outcome, attempt: number, random: number): number | undefined {
  // A conflict that passes says when: the first attempt is still at work, or somebody else is.
  const passes =
    PASSING.has(outcome.status) || (outcome.status === 409 && outcome.retryAfterMs !== undefined);
  if (!passes) return undefined;
  return outcome.retryAfterMs ?? random * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
}

/**
 * Milliseconds that a `Retry-After` asks for: seconds, or a date (RFC 9110 section 10.2.3),
 * which is held against the answer's own `Date` where there is one.
 */
export function retryAfter(value: string | null, date: string | null, now: number) {
  if (value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  // A date begins with the name of its day; `Date.parse` would take much else for one.
  const until = /^[A-Za-z]+,? /.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(until)) return undefined;
  const from = Date.parse(date ?? "");
  return Math.max(0, until - (Number.isNaN(from) ? now : from));
}
