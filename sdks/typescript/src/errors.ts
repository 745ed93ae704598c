// What went wrong with a call, as types.

/** A field that breaks a rule. */
export interface FieldViolation {
  /** Such as `biomarkers[0].value`. */
  field: string;
  description: string;
  reason?: string;
}

/** What an error is made of. */
export interface Failure {
  /** The HTTP status; 0 where no answer came. */
  status: number;
  /** A code for programs, such as `validation_error`. */
  error: string;
  /** A sentence for developers. */
  message: string;
  requestId?: string | undefined;
  /** Messages of google.rpc. */
  details?: ReadonlyArray<Record<string, unknown>> | undefined;
  /** Milliseconds to wait before the next attempt. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A call that failed. Every error of this library is one. */
export class LoopError extends Error {
  /** The HTTP status; 0 where no answer came. */
  readonly status: number;
  /** A code for programs, such as `validation_error`. */
  readonly error: string;
  /** Why, as the method's contract names it, such as `BIOMARKER_NOT_FOUND`. */
  readonly reason: string | undefined;
  /** What to name when asking for help. */
  readonly requestId: string | undefined;
  /** Messages of google.rpc, as JSON. */
  readonly details: ReadonlyArray<Record<string, unknown>>;
  readonly fieldViolations: ReadonlyArray<FieldViolation>;
  /** Milliseconds to wait before the next attempt, where the platform says so. */
  readonly retryAfterMs: number | undefined;

  constructor(failure: Failure) {
    super(failure.message, { cause: failure.cause });
    this.name = new.target.name;
    this.status = failure.status;
    this.error = failure.error;
    this.requestId = failure.requestId;
    this.details = failure.details ?? [];
    this.retryAfterMs = failure.retryAfterMs;
    const reason = detail(this.details, "google.rpc.ErrorInfo")?.["reason"];
    this.reason = typeof reason === "string" ? reason : undefined;
    const violations = detail(this.details, "google.rpc.BadRequest")?.["field_violations"];
    this.fieldViolations = Array.isArray(violations) ? (violations as FieldViolation[]) : [];
  }
}

/** 400: a parameter or a field breaks a rule; `fieldViolations` name both. */
export class ValidationError extends LoopError {}
/** 400 or 401 of an OAuth endpoint; `error` is a code of RFC 6749, such as `invalid_grant`. */
export class OAuthError extends LoopError {}
/** 401: there is no valid access token. */
export class UnauthenticatedError extends LoopError {}
/** 403: the token does not allow this call. */
export class ForbiddenError extends LoopError {}
/** 403: the token lacks a scope. */
export class InsufficientScopeError extends ForbiddenError {}
/** 404: it does not exist, or not for this caller. */
export class NotFoundError extends LoopError {}
/** 409: it exists already, or somebody else is changing it. */
export class ConflictError extends LoopError {}
/** 412: its present state does not allow this. */
export class PreconditionFailedError extends LoopError {}
/** 413: the body is larger than the limit. */
export class TooLargeError extends LoopError {}
/** 415: the body's type is not one that the method takes. */
export class UnsupportedMediaTypeError extends LoopError {}
/** 422: the body is well formed and cannot be acted on. */
export class UnprocessableError extends LoopError {}
/** 429: too many calls; `retryAfterMs` says how long to wait. */
export class RateLimitedError extends LoopError {}
/** 500: a fault of the platform. */
export class InternalError extends LoopError {}
/** 502 or 503: a part of the platform does not answer. */
export class UnavailableError extends LoopError {}
/** 504, or the call's own time ran out. */
export class DeadlineExceededError extends LoopError {}
/** No answer came: the connection failed. */
export class ConnectionFailedError extends LoopError {}

const BY_STATUS: Record<number, new (failure: Failure) => LoopError> = {
  400: ValidationError,
  401: UnauthenticatedError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  412: PreconditionFailedError,
  413: TooLargeError,
  415: UnsupportedMediaTypeError,
  422: UnprocessableError,
  429: RateLimitedError,
  500: InternalError,
  502: UnavailableError,
  503: UnavailableError,
  504: DeadlineExceededError,
};

/** The error that an answer tells of. `text` may be of anybody: a proxy answers too. */
export function failed(
  status: number,
  text: string,
  retryAfterMs?: number,
  requestId?: string,
): LoopError {
  const body = parsed(text);
  const string = (name: string) => (typeof body[name] === "string" ? body[name] : undefined);
  const error = string("error") ?? "unknown";
  const isOAuth = string("error") !== undefined && string("message") === undefined;
  const kind = isOAuth && (status === 400 || status === 401) ? OAuthError : of(status, error);
  return new kind({
    status,
    error,
    message: string("message") ?? string("error_description") ?? `HTTP status ${status}`,
    requestId: string("request_id") ?? requestId,
    details: Array.isArray(body["details"]) ? body["details"] : [],
    retryAfterMs,
  });
}

function of(status: number, error: string): new (failure: Failure) => LoopError {
  if (status === 403 && error === "insufficient_scope") return InsufficientScopeError;
  return BY_STATUS[status] ?? LoopError;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? { ...json } : {};
  } catch {
    return {};
  }
}

function detail(details: ReadonlyArray<Record<string, unknown>>, type: string) {
  return details.find((it) => it?.["@type"] === `type.googleapis.com/${type}`);
}
