//! A gRPC status: code, message and `google.rpc.Status` details.

use http::Method;

use crate::fault::RequestError;
use crate::wire::LENGTH;
use crate::wire::{VARINT, close_length, open_length, put_bytes, put_tag, put_varint};
use crate::wire_to_json::ResponseError;

/// The domain of errors that the edge itself raises.
const DOMAIN: &str = "edge";

/// What a call failed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub code: Code,
    pub message: String,
    /// A serialized `google.rpc.Status`: the decoded bytes of `grpc-status-details-bin`.
    pub details: Vec<u8>,
}

/// The codes of gRPC. <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// The code with this number; a number that gRPC does not know is [`Code::Unknown`].
    pub fn from_number(number: i32) -> Code {
        use Code::*;
        let failures = [
            Cancelled,
            Unknown,
            InvalidArgument,
            DeadlineExceeded,
            NotFound,
            AlreadyExists,
            PermissionDenied,
            ResourceExhausted,
            FailedPrecondition,
            Aborted,
            OutOfRange,
            Unimplemented,
            Internal,
            Unavailable,
            DataLoss,
            Unauthenticated,
        ];
        failures.into_iter().find(|code| *code as i32 == number).unwrap_or(Unknown)
    }

    pub(crate) fn http_status(self) -> u16 {
        match self {
            Code::InvalidArgument | Code::OutOfRange => 400,
            Code::Unauthenticated => 401,
            Code::PermissionDenied => 403,
            Code::NotFound => 404,
            Code::AlreadyExists | Code::Aborted => 409,
            Code::FailedPrecondition => 412,
            Code::ResourceExhausted => 429,
            Code::Cancelled => 499,
            Code::Unknown | Code::Internal | Code::DataLoss => 500,
            Code::Unimplemented => 501,
            Code::Unavailable => 503,
            Code::DeadlineExceeded => 504,
        }
    }

    pub(crate) fn error(self) -> &'static str {
        match self {
            Code::InvalidArgument => "validation_error",
            Code::OutOfRange => "out_of_range",
            Code::Unauthenticated => "invalid_token",
            Code::PermissionDenied => "forbidden",
            Code::NotFound => "not_found",
            Code::AlreadyExists | Code::Aborted => "conflict",
            Code::FailedPrecondition => "precondition_failed",
            Code::ResourceExhausted => "rate_limited",
            Code::Cancelled => "cancelled",
            Code::Unknown | Code::Internal | Code::DataLoss => "internal",
            Code::Unimplemented => "unimplemented",
            Code::Unavailable => "unavailable",
            Code::DeadlineExceeded => "deadline_exceeded",
        }
    }
}

impl Status {
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        Status { code, message: message.into(), details: Vec::new() }
    }

    /// Adds an ErrorInfo. Its metadata decides the HTTP side, as [`crate::ErrorFormat`] says.
    pub fn with_info(mut self, reason: &str, domain: &str, metadata: &[(&str, &str)]) -> Status {
        self.add_detail("google.rpc.ErrorInfo", |out| {
            put_bytes(out, 1, reason.as_bytes());
            put_bytes(out, 2, domain.as_bytes());
            for (key, value) in metadata {
                nested(out, 3, |out| {
                    put_bytes(out, 1, key.as_bytes());
                    put_bytes(out, 2, value.as_bytes());
                });
            }
        });
        self
    }

    /// Adds a BadRequest with one violation.
    pub fn with_violation(mut self, field: &str, description: &str, reason: &str) -> Status {
        self.add_detail("google.rpc.BadRequest", |out| {
            nested(out, 1, |out| {
                put_bytes(out, 1, field.as_bytes());
                put_bytes(out, 2, description.as_bytes());
                put_bytes(out, 3, reason.as_bytes());
            });
        });
        self
    }

    /// Adds a RetryInfo: when to try again, in seconds.
    pub fn with_retry(mut self, seconds: u32) -> Status {
        self.add_detail("google.rpc.RetryInfo", |out| {
            nested(out, 1, |out| {
                put_tag(out, 1, VARINT);
                put_varint(out, seconds.into());
            });
        });
        self
    }

    /// No route has this path: 404.
    pub fn no_route() -> Status {
        let metadata = [("http_status", "404"), ("error", "not_found")];
        Status::new(Code::Unimplemented, "no such path").with_info("NO_ROUTE", DOMAIN, &metadata)
    }

    /// The path is served, under other methods: 405 with Allow.
    pub fn method_not_allowed(allowed: &[Method]) -> Status {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let allow = names.join(", ");
        let metadata = [("http_status", "405"), ("error", "method_not_allowed"), ("allow", &allow)];
        Status::new(Code::Unimplemented, format!("the path allows {allow}")).with_info(
            "METHOD_NOT_ALLOWED",
            DOMAIN,
            &metadata,
        )
    }

    fn add_detail(&mut self, name: &str, put: impl FnOnce(&mut Vec<u8>)) {
        nested(&mut self.details, 3, |out| {
            put_bytes(out, 1, format!("type.googleapis.com/{name}").as_bytes());
            nested(out, 2, put);
        });
    }
}

impl From<&RequestError> for Status {
    fn from(error: &RequestError) -> Status {
        let message = error.to_string();
        match error {
            RequestError::Malformed { .. } => {
                Status::new(Code::InvalidArgument, message).with_info("MALFORMED_JSON", DOMAIN, &[])
            }
            RequestError::Field { path, rule } => Status::new(Code::InvalidArgument, message)
                .with_info("INVALID_FIELD", DOMAIN, &[])
                .with_violation(path, rule, "INVALID_FIELD"),
            RequestError::UnsupportedMediaType { .. } => {
                let metadata = [("http_status", "415"), ("error", "unsupported_media_type")];
                Status::new(Code::InvalidArgument, message).with_info(
                    "UNSUPPORTED_MEDIA_TYPE",
                    DOMAIN,
                    &metadata,
                )
            }
            RequestError::DocumentTooLarge { .. } => {
                let metadata = [("http_status", "413"), ("error", "body_too_large")];
                Status::new(Code::InvalidArgument, message)
                    .with_info("BODY_TOO_LARGE", DOMAIN, &metadata)
                    .with_violation("body", "must have smaller documents", "BODY_TOO_LARGE")
            }
        }
    }
}

/// The client learns only that the answer could not be shown; the cause is for the log.
impl From<&ResponseError> for Status {
    fn from(_: &ResponseError) -> Status {
        Status::new(Code::Internal, "the answer could not be converted").with_info(
            "MALFORMED_ANSWER",
            DOMAIN,
            &[],
        )
    }
}

fn nested(out: &mut Vec<u8>, number: u32, put: impl FnOnce(&mut Vec<u8>)) {
    put_tag(out, number, LENGTH);
    let start = open_length(out);
    put(out);
    close_length(out, start);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_status_and_error() {
        for (number, status, error) in [
            (1, 499, "cancelled"),
            (2, 500, "internal"),
            (3, 400, "validation_error"),
            (4, 504, "deadline_exceeded"),
            (5, 404, "not_found"),
            (6, 409, "conflict"),
            (7, 403, "forbidden"),
            (8, 429, "rate_limited"),
            (9, 412, "precondition_failed"),
            (10, 409, "conflict"),
            (11, 400, "out_of_range"),
            (12, 501, "unimplemented"),
            (13, 500, "internal"),
            (14, 503, "unavailable"),
            (15, 500, "internal"),
            (16, 401, "invalid_token"),
            (0, 500, "internal"),
            (-7, 500, "internal"),
            (99, 500, "internal"),
        ] {
            let code = Code::from_number(number);
            assert_eq!((code.http_status(), code.error()), (status, error), "{number}");
        }
    }
}
