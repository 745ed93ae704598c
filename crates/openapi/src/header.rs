//! The headers of responses, each a component of its own.

use aide::openapi::{Header, HeaderStyle, ParameterSchemaOrContent, ReferenceOr};
use serde_json::{Value, json};

use crate::document::schema_object;

pub(crate) const ETAG: &str = "ETag";
pub(crate) const REQUEST_ID: &str = "X-Request-Id";
pub(crate) const REPLAYED: &str = "Idempotent-Replayed";
pub(crate) const RETRY_AFTER: &str = "Retry-After";
pub(crate) const WWW_AUTHENTICATE: &str = "WWW-Authenticate";

/// What a metered response says of the caller's quota.
pub(crate) const QUOTA: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

pub(crate) fn reference<T>(name: &str) -> ReferenceOr<T> {
    ReferenceOr::ref_(&format!("#/components/headers/{name}"))
}

/// The component of a header's name.
pub(crate) fn component(name: &str) -> ReferenceOr<Header> {
    let (description, schema) = match name {
        REPLAYED => (
            "`true` when this is the stored answer to an earlier call with the same key.",
            json!({"type": "string", "enum": ["true"]}),
        ),
        ETAG => (
            "The entity tag of the answer, for `If-None-Match`, and for `If-Match` where a method \
             takes it. Absent where the answer has no `etag` and is short.",
            json!({"type": "string"}),
        ),
        RETRY_AFTER => ("Seconds to wait before the next attempt.", count()),
        WWW_AUTHENTICATE => (
            "The challenge of RFC 6750 section 3; names the missing scope where one is missing.",
            json!({"type": "string"}),
        ),
        "RateLimit-Limit" => ("Calls allowed in the present window.", count()),
        "RateLimit-Remaining" => ("Calls left in the present window.", count()),
        "RateLimit-Reset" => ("Seconds until the window ends.", count()),
        _ => ("Names this call in logs and in the audit log.", json!({"type": "string"})),
    };
    described(Some(description.to_owned()), schema)
}

/// A header that one operation has.
pub(crate) fn inline(schema: Value) -> ReferenceOr<Header> {
    described(None, schema)
}

fn described(description: Option<String>, schema: Value) -> ReferenceOr<Header> {
    ReferenceOr::Item(Header {
        description,
        style: HeaderStyle::Simple,
        required: false,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(schema_object(schema)),
        example: None,
        examples: Default::default(),
        extensions: Default::default(),
    })
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}
