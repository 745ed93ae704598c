//! The form in which a caller sees an outcome. No layer below knows whether an error becomes
//! JSON, problem+json or an OAuth error; no layer above sees a gRPC status.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body as _;
use tonic::{Status, body::Body};
use transcode::{ErrorFormat, ErrorResponse};

use super::cors::{self, RequestOrigin};
use crate::{
    Parts,
    call::{connect_failure, web_failure},
    grpc,
    protocol::Protocol,
    record::{Rated, Record},
};
use kit::layers::{Outward, Passage};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Gives every answer its form.
#[derive(Clone)]
pub(crate) struct Wording(pub(crate) Arc<Parts>);

/// What a request says of the form of its answer.
pub(crate) struct Asked {
    parts: Arc<Parts>,
    record: Arc<Record>,
    is_head: bool,
    wants_problem: bool,
}

impl Passage for Wording {
    type Kept = Asked;

    fn inward(&self, request: &mut Request<Body>) -> Asked {
        let (parts, record) = (self.0.clone(), Record::of(request.extensions()).clone());
        if let Some(origin) = RequestOrigin::of(&parts, &record, request) {
            let _ = record.origin.set(origin);
        }
        let is_head = request.method() == Method::HEAD;
        Asked { parts, record, is_head, wants_problem: wants_problem(request.headers()) }
    }

    fn outward(asked: Asked, mut response: Response<Body>) -> Outward {
        let Asked { parts, record, is_head, wants_problem } = asked;
        if let Some(status) = response.extensions_mut().remove::<Status>() {
            response = failure(&parts, &record, &status, wants_problem);
        }
        dress(&parts, &record, response.headers_mut());
        Outward::Now(if is_head { without_body(response) } else { response })
    }
}

/// Chooses by what the method's contract says, then by what the caller accepts.
fn format(record: &Record, wants_problem: bool) -> ErrorFormat {
    match (record.speaks_oauth(), wants_problem) {
        (true, _) => ErrorFormat::OAuth,
        (false, true) => ErrorFormat::Problem,
        (false, false) => ErrorFormat::Platform,
    }
}

/// RFC 9457: whoever reads problem details says so.
fn wants_problem(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    accepted.flat_map(|it| it.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_problem =
            parts.next().is_some_and(|it| it.eq_ignore_ascii_case("application/problem+json"));
        let refused = parts.filter_map(|it| it.strip_prefix("q=")).any(|it| it.parse() == Ok(0.0));
        is_problem && !refused
    })
}

/// A failure in the words of the protocol that the caller speaks.
fn failure(parts: &Parts, record: &Record, status: &Status, wants_problem: bool) -> Response<Body> {
    match record.called().map(|it| &it.protocol) {
        Some(Protocol::Grpc) => status.clone().into_http(),
        Some(Protocol::GrpcWeb { text }) => web_failure(status, *text),
        Some(Protocol::Connect(how)) => connect_failure(parts, record, status, *how),
        _ => {
            let mut response =
                error(error_body(parts, record, status, format(record, wants_problem)));
            // What the service may tell besides.
            response.headers_mut().extend(status.metadata().clone().into_headers());
            response
        }
    }
}

/// A failure in the platform's own words, for where a status line cannot tell it any more.
pub(crate) fn platform(parts: &Parts, record: &Record, status: &Status) -> ErrorResponse {
    error_body(parts, record, status, ErrorFormat::Platform)
}

fn error_body(
    parts: &Parts,
    record: &Record,
    status: &Status,
    format: ErrorFormat,
) -> ErrorResponse {
    let mut worded = parts.api.error(&grpc::facts(status), &record.request_id.0, format);
    if let Some(Rated { verdict, .. }) = record.rate.get().filter(|it| !it.verdict.allowed) {
        add_delay(&mut worded.body, verdict.retry_after);
    }
    worded
}

fn error(worded: ErrorResponse) -> Response<Body> {
    let ErrorResponse { status, headers, content_type, body } = worded;
    let mut response = Response::new(Body::new(Full::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().extend(headers);
    response
}

/// The documented member of a 429 that no other error has.
fn add_delay(object: &mut Vec<u8>, delay: Duration) {
    if object.pop_if(|it| *it == b'}').is_some() {
        object.extend_from_slice(format!(",\"retry_after_ms\":{}}}", delay.as_millis()).as_bytes());
    }
}

/// What every answer says, unless it says otherwise itself.
fn dress(parts: &Parts, record: &Record, headers: &mut HeaderMap) {
    let caching = if record.is_secret() { "no-store" } else { "private, no-cache" };
    let caching = HeaderValue::from_static(caching);
    headers.entry(header::CACHE_CONTROL).or_insert(caching);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if parts.config.scheme() == "https" {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    cors::dress(record, headers);
    if let Some(Rated { limit, verdict }) = record.rate.get() {
        headers.insert(LIMIT, HeaderValue::from(*limit));
        headers.insert(REMAINING, HeaderValue::from(verdict.remaining));
        headers.insert(RESET, HeaderValue::from(whole_seconds(verdict.reset_after)));
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// RFC 9110 section 9.3.2: what GET would have said, without saying it.
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    // RFC 9110 section 8.6: a 204 has no length, and that of a 304 is not that of its own body.
    let has_length = !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = body.size_hint().exact().filter(|_| has_length) {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(head, Body::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_details_are_for_those_who_ask() {
        let wants = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            wants_problem(&headers)
        };
        assert!(wants("application/problem+json"));
        assert!(wants("application/json, Application/Problem+JSON;q=0.5"));
        assert!(!wants("application/problem+json;q=0"));
        assert!(!wants("application/json, */*"));
        assert!(!wants_problem(&HeaderMap::new()));
    }

    #[test]
    fn a_delay_is_a_member_of_the_object() {
        let mut body = br#"{"error":"rate_limited"}"#.to_vec();
        add_delay(&mut body, Duration::from_millis(1500));
        assert_eq!(body, br#"{"error":"rate_limited","retry_after_ms":1500}"#);
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(3)), 3);
    }
}
