//! What came back from a call, in words that both surfaces share.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A door of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Surface {
    /// A service itself, as its peers call it.
    Grpc,
    /// The edge, as everybody calls it.
    Http,
}

/// How a call ended, as both surfaces say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// INVALID_ARGUMENT, 400.
    Invalid,
    /// UNAUTHENTICATED, 401.
    Unauthenticated,
    /// PERMISSION_DENIED, 403.
    Denied,
    /// NOT_FOUND, 404.
    NotFound,
    /// ALREADY_EXISTS, 409.
    Conflict,
    /// INTERNAL and UNAVAILABLE, 500 and 503.
    Failed,
    Other,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub surface: Surface,
    pub outcome: Outcome,
    /// The code or the status as the surface writes it.
    pub status: String,
    /// The reason of `google.rpc.ErrorInfo`.
    pub reason: String,
    /// The fields of `google.rpc.BadRequest`.
    pub fields: Vec<String>,
    pub headers: HeaderMap,
    /// The message, or the error, as bytes of the surface.
    pub body: Bytes,
    /// The message in JSON, or the error's text and all its details.
    pub text: String,
}

impl Surface {
    pub const BOTH: [Self; 2] = [Self::Grpc, Self::Http];
}

impl Answer {
    /// Reads the answer of a unary call: its message, or the status that stands for it.
    pub fn of_grpc(headers: HeaderMap, answered: Result<Bytes, Status>) -> Self {
        let surface = Surface::Grpc;
        match answered {
            Ok(body) => Self {
                surface,
                outcome: Outcome::Success,
                status: "OK".into(),
                reason: String::new(),
                fields: Vec::new(),
                headers,
                body,
                text: String::new(),
            },
            Err(status) => {
                let details = status.get_error_details();
                let fields = details.bad_request().map(|it| it.field_violations.clone());
                Self {
                    surface,
                    outcome: of_code(status.code()),
                    status: format!("{:?}", status.code()),
                    reason: details.error_info().map(|it| it.reason.clone()).unwrap_or_default(),
                    fields: fields.into_iter().flatten().map(|it| it.field).collect(),
                    text: format!("{} {details:?}", status.message()),
                    headers,
                    body: Bytes::copy_from_slice(status.details()),
                }
            }
        }
    }

    pub fn of_http(status: http::StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        let text = String::from_utf8_lossy(&body).into_owned();
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let details = json["details"].as_array().cloned().unwrap_or_default();
        let reason = details.iter().find_map(|it| it["reason"].as_str());
        let violations = details.iter().filter_map(|it| it["field_violations"].as_array());
        let fields = violations.flatten().filter_map(|it| Some(it["field"].as_str()?.to_owned()));
        Self {
            surface: Surface::Http,
            outcome: of_status(status.as_u16()),
            status: status.as_u16().to_string(),
            reason: reason.unwrap_or_default().to_owned(),
            fields: fields.collect(),
            headers,
            body,
            text,
        }
    }

    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// A header's text, empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The answer in one line: what a person needs to see what went wrong.
    pub fn brief(&self) -> String {
        let text: String = self.text.chars().take(400).collect();
        format!("{} {} {:?} {text}", self.status, self.reason, self.fields)
    }
}

fn of_code(code: Code) -> Outcome {
    match code {
        Code::Ok => Outcome::Success,
        Code::InvalidArgument => Outcome::Invalid,
        Code::Unauthenticated => Outcome::Unauthenticated,
        Code::PermissionDenied => Outcome::Denied,
        Code::NotFound => Outcome::NotFound,
        Code::AlreadyExists => Outcome::Conflict,
        Code::Internal | Code::Unavailable => Outcome::Failed,
        _ => Outcome::Other,
    }
}

fn of_status(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Success,
        400 => Outcome::Invalid,
        401 => Outcome::Unauthenticated,
        403 => Outcome::Denied,
        404 => Outcome::NotFound,
        409 => Outcome::Conflict,
        500 | 503 => Outcome::Failed,
        _ => Outcome::Other,
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "gRPC",
            Self::Http => "HTTP",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An answer of the edge.
    pub fn answer(status: u16, body: &str) -> Answer {
        let status = http::StatusCode::from_u16(status).unwrap();
        Answer::of_http(status, HeaderMap::new(), Bytes::copy_from_slice(body.as_bytes()))
    }

    pub fn success(body: &str) -> Answer {
        answer(200, body)
    }

    /// An error with a reason.
    pub fn failure(status: u16, reason: &str) -> Answer {
        answer(status, &format!(r#"{{"error":"x","details":[{{"reason":"{reason}"}}]}}"#))
    }

    #[test]
    fn an_error_tells_its_reason_and_its_fields() {
        let body = r#"{"details":[{"reason":"VALIDATION"},
            {"field_violations":[{"field":"biomarkers[0].code"}]}]}"#;
        let answer = answer(400, body);
        assert_eq!((answer.outcome, &*answer.reason), (Outcome::Invalid, "VALIDATION"));
        assert_eq!(answer.fields, ["biomarkers[0].code"]);
    }
}
