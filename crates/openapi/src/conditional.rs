//! Entity tags: which answers have one, which requests take one, and how that is told.

use aide::openapi::Parameter;
use prost_reflect::{Kind, MessageDescriptor};
use registry::{Audit, Method};
use serde_json::json;

use crate::{
    binding::{Binding, Body},
    parameter,
};

pub(crate) const IF_MATCH: &str = "IfMatch";
pub(crate) const IF_NONE_MATCH: &str = "IfNoneMatch";

/// Whether a success may have an `ETag`. After a PUT nothing is said (RFC 9110 section 9.3.4).
pub(crate) fn has_tag(method: &Method, binding: &Binding) -> bool {
    is_unary(method)
        && match binding.verb.as_str() {
            "put" => false,
            "get" => answers_tag(method, binding) || is_hashed(method),
            _ => answers_tag(method, binding),
        }
}

/// Whether a caller who has the answer already may say so.
pub(crate) fn is_cached(method: &Method, binding: &Binding) -> bool {
    binding.verb == "get" && has_tag(method, binding)
}

/// Whether a change may be made to depend on an entity tag.
pub(crate) fn takes_tag(method: &Method, binding: &Binding) -> bool {
    let input = method.descriptor.input();
    let in_body = match &binding.body {
        Body::Field(field) => match field.kind() {
            Kind::Message(inner) => !field.is_list() && has_field(&inner),
            _ => false,
        },
        _ => false,
    };
    binding.verb != "get" && (has_field(&input) || in_body)
}

/// The component of a parameter's name.
pub(crate) fn component(name: &str) -> Parameter {
    match name {
        IF_MATCH => {
            let text = "The entity tag of what is to be changed, as `ETag` or `etag` had it. If it \
                        has changed since, the call fails with 412 and does nothing. Stands for \
                        `etag` in the request; both must be the same. `*` asks for nothing.";
            let pattern = "^(\\*|(W/)?\"[!#-~\\x80-\\xff]*\")$";
            let schema = json!({"type": "string", "pattern": pattern, "description": text});
            parameter::header("If-Match", false, schema)
        }
        _ => {
            let text = "The entity tags of the answers that the caller has, in a list, or `*`. If \
                        the present one is among them, the answer is 304 without a body.";
            let schema = json!({"type": "string", "description": text});
            parameter::header("If-None-Match", false, schema)
        }
    }
}

fn is_unary(method: &Method) -> bool {
    !method.descriptor.is_server_streaming()
}

/// Whether what the answer shows has a field `etag`.
fn answers_tag(method: &Method, binding: &Binding) -> bool {
    match binding.response_body.as_ref().map(|it| (it.kind(), it.is_list())) {
        None => has_field(&method.descriptor.output()),
        Some((Kind::Message(shown), false)) => has_field(&shown),
        Some(_) => false,
    }
}

/// Whether the edge makes a tag of a long answer. Not of one that nobody may keep.
fn is_hashed(method: &Method) -> bool {
    let is_secret = matches!(method.audit, Audit::Read(_)) || method.http.oauth_errors;
    !is_secret && method.descriptor.output().full_name() != "google.protobuf.Empty"
}

fn has_field(message: &MessageDescriptor) -> bool {
    let field = message.get_field_by_name("etag");
    field.is_some_and(|it| it.kind() == Kind::String && !it.is_list())
}
