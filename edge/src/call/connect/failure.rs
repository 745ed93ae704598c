//! Failures in the words of Connect: a JSON object, alone or at the end of a stream.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use prost::Message as _;
use tonic::{Code, Status, body::Body};
use tonic_types::pb;
use transcode::{Metadata, Style};

use super::END;
use crate::{
    Parts,
    call::metadata,
    grpc,
    layers::wording,
    protocol::{Connect, Kind},
    record::Record,
};

/// What the transport itself refuses keeps its status, as the protocol asks for.
const OF_TRANSPORT: [StatusCode; 3] = [
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
];

/// The answer to a call that failed before any message.
pub(crate) fn failure(
    parts: &Parts,
    record: &Record,
    status: &Status,
    how: Connect,
) -> Response<Body> {
    let worded = wording::platform(parts, record, status);
    let (code, content_type, body) = match how.kind {
        _ if OF_TRANSPORT.contains(&worded.status) => (worded.status, JSON, object(parts, status)),
        Kind::Stream => {
            let content_type = how.codec.stream_content_type();
            let mut response = answer(StatusCode::OK, content_type, end(parts, status));
            // What the service tells of it, or what is read here if that is why it failed.
            response.headers_mut().extend(status.metadata().clone().into_headers());
            return response;
        }
        Kind::Post | Kind::Get => (http_status(status), JSON, object(parts, status)),
    };
    let mut response = answer(code, content_type, body.into());
    response.headers_mut().extend(worded.headers);
    response.headers_mut().extend(status.metadata().clone().into_headers());
    response
}

const JSON: &str = "application/json";

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The envelope that ends a stream that did not fail.
pub(super) fn success(metadata: &Metadata, trailers: &HeaderMap) -> Bytes {
    let told = told(metadata, trailers);
    grpc::flagged(END, format!("{{{told}}}").as_bytes())
}

/// The envelope that ends a stream with a failure.
pub(super) fn broken(
    parts: &Parts,
    status: &Status,
    metadata: &Metadata,
    trailers: &HeaderMap,
) -> Bytes {
    let told = told(metadata, trailers);
    let comma = if told.is_empty() { "" } else { "," };
    let object = object(parts, status);
    grpc::flagged(END, format!(r#"{{"error":{object}{comma}{told}}}"#).as_bytes())
}

/// What a stream tells in its trailers, as a member of an object; empty if it tells nothing.
fn told(metadata: &Metadata, trailers: &HeaderMap) -> String {
    if metadata.response.is_empty() {
        return String::new();
    }
    format!(r#""metadata":{}"#, metadata::object(metadata, trailers))
}

fn end(parts: &Parts, status: &Status) -> Bytes {
    broken(parts, status, &Metadata::default(), &HeaderMap::new())
}

fn object(parts: &Parts, status: &Status) -> String {
    let details = pb::Status::decode(status.details()).map(|it| it.details).unwrap_or_default();
    let details: Vec<_> = details.iter().map(|it| detail(parts, it)).collect();
    let code = name(status.code());
    let message = serde_json::Value::from(status.message());
    format!(r#"{{"code":"{code}","message":{message},"details":[{}]}}"#, details.join(","))
}

fn detail(parts: &Parts, detail: &prost_types::Any) -> String {
    let kind = detail.type_url.rsplit('/').next().unwrap_or_default();
    let value = STANDARD_NO_PAD.encode(&detail.value);
    let message = parts.api.message(kind);
    let debug = message.and_then(|it| it.to_json(&detail.value, Style::Canonical).ok());
    let debug = debug.and_then(|it| String::from_utf8(it).ok());
    let debug = debug.map(|it| format!(r#","debug":{it}"#)).unwrap_or_default();
    let kind = serde_json::Value::from(kind);
    format!(r#"{{"type":{kind},"value":"{value}"{debug}}}"#)
}

fn http_status(status: &Status) -> StatusCode {
    StatusCode::from_u16(match status.code() {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    })
    .expect("all of them are statuses")
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok | Code::Unknown => "unknown",
        Code::Cancelled => "canceled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
