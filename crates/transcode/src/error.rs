//! A gRPC status to an HTTP error: the platform's body, RFC 9457 or RFC 6749 section 5.2.
//!
//! `ErrorInfo.metadata` may say what the code cannot: `http_status`, `error`, `error_uri`,
//! `oauth_error`, `www_authenticate` and `allow`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::json::write_string;
use crate::number::write_integer;
use crate::plan::{Plans, Style};
use crate::status::{Code, Status};
use crate::wire::{Reader, VARINT, last, payloads};
use crate::wire_to_json::write_message;

/// Which body an error gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `{error, message, error_description, error_uri, request_id, details}`.
    Platform,
    /// `application/problem+json` (RFC 9457) with the same members.
    Problem,
    /// `{error, error_description, error_uri}` and nothing more (RFC 6749 section 5.2).
    OAuth,
}

/// An HTTP error, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    pub status: StatusCode,
    /// Without Content-Type and Content-Length.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// Renders a status. Malformed details are left out: an error about an error helps nobody.
pub(crate) fn render(
    plans: &Plans,
    status: &Status,
    request_id: &str,
    format: ErrorFormat,
) -> ErrorResponse {
    let facts = Facts::gather(status);
    let http_status = facts.http_status();
    let mut body = Vec::with_capacity(256);
    match format {
        ErrorFormat::Platform => facts.platform(&mut body, plans, request_id),
        ErrorFormat::Problem => facts.problem(&mut body, plans, request_id),
        ErrorFormat::OAuth => facts.oauth(&mut body),
    }
    let content_type = match format {
        ErrorFormat::Problem => "application/problem+json",
        _ => "application/json",
    };
    ErrorResponse { status: http_status, headers: facts.headers(format), content_type, body }
}

/// What a status and its details say.
struct Facts<'a> {
    code: Code,
    message: &'a str,
    /// Type URL and value of each detail.
    details: Vec<(&'a str, &'a [u8])>,
    reason: &'a str,
    metadata: Vec<(&'a str, &'a str)>,
    help: Option<&'a str>,
    retry_after: Option<u64>,
}

impl<'a> Facts<'a> {
    fn gather(status: &'a Status) -> Facts<'a> {
        let mut facts = Facts {
            code: status.code,
            message: &status.message,
            details: Vec::new(),
            reason: "",
            metadata: Vec::new(),
            help: None,
            retry_after: None,
        };
        for detail in payloads(&status.details, 3).flatten() {
            let (url, value) = (text(detail, 1), last(detail, 2).unwrap_or_default());
            facts.details.push((url, value));
            facts.note(url.rsplit('/').next().unwrap_or_default(), value);
        }
        facts
    }

    fn note(&mut self, name: &str, value: &'a [u8]) {
        match name {
            "google.rpc.ErrorInfo" => {
                self.reason = text(value, 1);
                let entries = payloads(value, 3).flatten();
                self.metadata.extend(entries.map(|entry| (text(entry, 1), text(entry, 2))));
            }
            "google.rpc.Help" => {
                let link = payloads(value, 1).flatten().next();
                self.help = link.map(|link| text(link, 2)).filter(|url| !url.is_empty());
            }
            "google.rpc.RetryInfo" => {
                self.retry_after = Some(whole_seconds(last(value, 1).unwrap_or_default()));
            }
            _ => {}
        }
    }

    fn metadata(&self, key: &str) -> Option<&'a str> {
        self.metadata.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// The code, as HTTP has it: AIP-154 aborts a call whose `etag` is not the present one, RFC
    /// 9110 calls that a precondition that failed.
    fn code(&self) -> Code {
        match self.code {
            Code::Aborted if self.reason.starts_with("ETAG_") => Code::FailedPrecondition,
            code => code,
        }
    }

    fn http_status(&self) -> StatusCode {
        let given = self.metadata("http_status").and_then(|text| text.parse::<u16>().ok());
        let given = given.filter(|code| (400..600).contains(code));
        let code = given.unwrap_or(self.code().http_status());
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error(&self) -> &'a str {
        match (self.metadata("error"), self.code()) {
            (Some(error), _) => error,
            (None, Code::PermissionDenied) if self.reason == "INSUFFICIENT_SCOPE" => {
                "insufficient_scope"
            }
            (None, code) => code.error(),
        }
    }

    fn error_uri(&self) -> Option<&'a str> {
        self.metadata("error_uri").or(self.help)
    }

    fn platform(&self, out: &mut Vec<u8>, plans: &Plans, request_id: &str) {
        out.push(b'{');
        self.members(out, plans, request_id);
        out.push(b'}');
    }

    fn problem(&self, out: &mut Vec<u8>, plans: &Plans, request_id: &str) {
        let status = self.http_status();
        out.push(b'{');
        member(out, "type", self.error_uri().unwrap_or("about:blank"));
        member(out, ",title", status.canonical_reason().unwrap_or("Error"));
        out.extend_from_slice(b",\"status\":");
        write_integer(out, status.as_u16());
        member(out, ",detail", self.message);
        member(out, ",instance", request_id);
        out.push(b',');
        self.members(out, plans, request_id);
        out.push(b'}');
    }

    fn members(&self, out: &mut Vec<u8>, plans: &Plans, request_id: &str) {
        member(out, "error", self.error());
        member(out, ",message", self.message);
        member(out, ",error_description", self.message);
        if let Some(uri) = self.error_uri() {
            member(out, ",error_uri", uri);
        }
        member(out, ",request_id", request_id);
        out.extend_from_slice(b",\"details\":[");
        for (index, (url, value)) in self.details.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_detail(out, plans, url, value);
        }
        out.push(b']');
    }

    fn oauth(&self, out: &mut Vec<u8>) {
        let fallback = match self.http_status().as_u16() {
            401 => "invalid_client",
            503 => "temporarily_unavailable",
            500.. => "server_error",
            _ => "invalid_request",
        };
        out.push(b'{');
        member(out, "error", self.metadata("oauth_error").unwrap_or(fallback));
        member(out, ",error_description", self.message);
        if let Some(uri) = self.error_uri() {
            member(out, ",error_uri", uri);
        }
        out.push(b'}');
    }

    fn headers(&self, format: ErrorFormat) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        if let Some(seconds) = self.retry_after {
            headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        let mut from_metadata = |name: HeaderName, key: &str| {
            let value = self.metadata(key).and_then(|text| HeaderValue::from_str(text).ok());
            headers.extend(value.map(|value| (name, value)));
        };
        from_metadata(header::WWW_AUTHENTICATE, "www_authenticate");
        from_metadata(header::ALLOW, "allow");
        if format == ErrorFormat::OAuth {
            headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        }
        headers
    }
}

/// One member; a comma at the front of its name stands before it.
fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    let name = match name.strip_prefix(',') {
        Some(name) => {
            out.push(b',');
            name
        }
        None => name,
    };
    write_string(out, name);
    out.push(b':');
    write_string(out, value);
}

/// A detail with its `@type`; one that is unknown or malformed as base64.
fn write_detail(out: &mut Vec<u8>, plans: &Plans, url: &str, value: &[u8]) {
    out.push(b'{');
    member(out, "@type", url);
    let mut object = Vec::new();
    let id = plans.by_type_url(url);
    let known = id.map(|id| write_message(&mut object, plans, id, value, Style::Rest));
    if known != Some(Ok(())) {
        member(out, ",value", &STANDARD.encode(value));
        out.push(b'}');
    } else if let Some(members) = object.strip_prefix(b"{") {
        out.extend_from_slice(if members == b"}" { b"" } else { b"," });
        out.extend_from_slice(members);
    } else {
        out.extend_from_slice(b",\"value\":");
        out.extend_from_slice(&object);
        out.push(b'}');
    }
}

fn text(bytes: &[u8], number: u32) -> &str {
    std::str::from_utf8(last(bytes, number).unwrap_or_default()).unwrap_or_default()
}

/// A `google.protobuf.Duration` in seconds, rounded up.
fn whole_seconds(duration: &[u8]) -> u64 {
    let mut reader = Reader::new(duration);
    let (mut seconds, mut nanos) = (0, 0);
    while let Ok((number, wire_type)) = reader.tag() {
        let field = match (number, wire_type) {
            (1, VARINT) => &mut seconds,
            (2, VARINT) => &mut nanos,
            _ => break,
        };
        *field = reader.varint().unwrap_or_default() as i64;
    }
    u64::try_from(seconds).unwrap_or_default().saturating_add((nanos > 0).into())
}
