//! What can go wrong with a call, and the three forms in which it is told.

use registry::{Caller, Idempotency, Method};
use serde_json::{Value, json};

use crate::{
    binding::{Binding, Body},
    conditional,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};

/// One HTTP status of a failed call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub status: u16,
    /// The name of its component.
    pub name: &'static str,
    pub description: &'static str,
    /// A header of its own, besides those that every response has.
    pub header: Option<&'static str>,
}

/// Every failure, by status.
const FAILURES: [Failure; 13] = [
    failure(
        400,
        "Invalid",
        "`validation_error`: a parameter or a field breaks a rule; `details` name both.",
        None,
    ),
    failure(
        401,
        "Unauthenticated",
        "`invalid_token`: there is no valid access token.",
        Some(WWW_AUTHENTICATE),
    ),
    failure(
        403,
        "Forbidden",
        "`insufficient_scope` or `forbidden`: the token does not allow this call.",
        Some(WWW_AUTHENTICATE),
    ),
    failure(404, "NotFound", "`not_found`: it does not exist, or not for this caller.", None),
    failure(
        409,
        "Conflict",
        "`conflict`: it exists already, or somebody else is changing it.",
        Some(RETRY_AFTER),
    ),
    failure(
        412,
        "PreconditionFailed",
        "`precondition_failed`: its present state, or `If-Match`, does not allow this.",
        None,
    ),
    failure(413, "TooLarge", "`too_large`: the body is larger than the limit.", None),
    failure(
        415,
        "UnsupportedMediaType",
        "`unsupported_media_type`: the body's Content-Type is not one of those listed.",
        None,
    ),
    failure(
        422,
        "Unprocessable",
        "`unprocessable_entity`: the body is well formed and cannot be acted on.",
        None,
    ),
    failure(429, "RateLimited", "`rate_limited`: too many calls.", Some(RETRY_AFTER)),
    failure(500, "Internal", "`internal`: a fault of the platform.", None),
    failure(
        503,
        "Unavailable",
        "`unavailable`: a part of the platform does not answer; try again.",
        Some(RETRY_AFTER),
    ),
    failure(504, "DeadlineExceeded", "`deadline_exceeded`: the answer took too long.", None),
];

/// The failures that a call through this binding can meet, given the reasons its comment names.
pub(crate) fn of(method: &Method, binding: &Binding, reasons: &[&str]) -> Vec<&'static Failure> {
    let writes = method.writes() && !method.http.oauth_errors;
    let has_body = !matches!(binding.body, Body::None);
    let public = method.callers.iter().all(|it| *it == Caller::Public);
    let missing = |it: &&str| it.ends_with("_NOT_FOUND");
    let occurs = |failure: &&Failure| match failure.status {
        401 => !public || method.http.oauth_errors,
        403 => !public,
        404 => !binding.variables.is_empty() || reasons.iter().any(missing),
        409 => writes || method.idempotency != Idempotency::None,
        412 => writes || conditional::takes_tag(method, binding),
        413 | 415 => has_body,
        422 => writes && has_body,
        _ => true,
    };
    FAILURES.iter().filter(occurs).collect()
}

/// The platform's body of an error.
pub(crate) fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong. New members may be added.",
        "required": ["error", "message", "error_description", "request_id", "details"],
        "properties": {
            "error": {
                "type": "string",
                "description": "A code for programs, such as `validation_error`.",
            },
            "message": {"type": "string", "description": "A sentence for developers."},
            "error_description": {"type": "string", "description": "The same as `message`."},
            "error_uri": {"type": "string", "description": "Where to read more."},
            "request_id": {"type": "string", "description": "The value of `X-Request-Id`."},
            "retry_after_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "Milliseconds to wait before the next attempt.",
            },
            "details": {
                "type": "array",
                "description": "Messages of google.rpc, such as ErrorInfo with its `reason` and \
                                BadRequest with its `field_violations`.",
                "items": {
                    "type": "object",
                    "required": ["@type"],
                    "properties": {"@type": {"type": "string"}},
                    "additionalProperties": true,
                },
            },
        },
    })
}

/// RFC 9457, with the members of the platform's own body.
pub(crate) fn problem_schema(error: &Value) -> Value {
    json!({
        "description": "An error in the form of RFC 9457.",
        "allOf": [error, {
            "type": "object",
            "required": ["type", "title", "status", "detail", "instance"],
            "properties": {
                "type": {"type": "string", "description": "`about:blank`, or where to read more."},
                "title": {"type": "string", "description": "The name of the status."},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string", "description": "The same as `message`."},
                "instance": {"type": "string", "description": "The same as `request_id`."},
            },
        }],
    })
}

/// RFC 6749 section 5.2.
pub(crate) fn oauth_schema() -> Value {
    json!({
        "type": "object",
        "description": "An error in the form of RFC 6749 section 5.2.",
        "required": ["error", "error_description"],
        "properties": {
            "error": {"type": "string", "description": "A registered code, such as `invalid_grant`."},
            "error_description": {"type": "string", "description": "A sentence for developers."},
            "error_uri": {"type": "string", "description": "Where to read more."},
        },
    })
}

const fn failure(
    status: u16,
    name: &'static str,
    description: &'static str,
    header: Option<&'static str>,
) -> Failure {
    Failure { status, name, description, header }
}
