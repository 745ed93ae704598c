//! What is malformed, too large or too slow is refused before anybody looks at what it is for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderName, Request, Response, Version, header};
use kit::{BRAND_ID, Error, IDEMPOTENCY_KEY, Result};
use tonic::{Code, body::Body};

use super::refuse;
use crate::{Limits, Parts};
use kit::layers::Next;

/// Headers that say one thing: two of them are a request that two readers read differently.
const SINGULAR: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    BRAND_ID,
    IDEMPOTENCY_KEY,
];

/// When the answer must be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The time that is left, as `grpc-timeout` says it: at most eight digits and a unit.
    pub(crate) fn grpc_timeout(self) -> String {
        let left = self.0.saturating_duration_since(Instant::now()).as_millis();
        format!("{}m", left.clamp(1, 99_999_999))
    }
}

pub(crate) async fn limits(
    parts: Arc<Parts>,
    mut request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let limits = parts.config.limits;
    if let Err(error) = check(&limits, &request) {
        return refuse(error);
    }
    request.extensions_mut().insert(Deadline(Instant::now() + limits.timeout));
    match tokio::time::timeout(limits.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => refuse(Error::new(
            Code::DeadlineExceeded,
            "DEADLINE",
            format!("took longer than {}", seconds(limits.timeout)),
        )),
    }
}

fn check(limits: &Limits, request: &Request<Body>) -> Result<()> {
    if head(request) > limits.head {
        return Err(head_too_large(limits.head));
    }
    let headers = request.headers();
    for name in &SINGULAR {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(malformed(name.as_str(), "must be sent once"));
        }
    }
    // RFC 9112 section 3.2. HTTP/2 names the host in its target.
    if request.version() == Version::HTTP_11 && !headers.contains_key(header::HOST) {
        return Err(malformed("host", "must be sent once"));
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|it| it != "identity") {
        return Err(Error::invalid("CONTENT_ENCODING", "content-encoding", "must be identity")
            .with("http_status", "415")
            .with("error", "unsupported_media_type"));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    match length {
        Some(length) if limits.body < length => Err(body_too_large(limits.body)),
        _ => Ok(()),
    }
}

/// The size of target and headers, without the four bytes around each of these.
fn head(request: &Request<Body>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>()
}

fn malformed(header: &str, rule: &str) -> Error {
    Error::invalid("MALFORMED_REQUEST", header, rule)
}

fn head_too_large(most: usize) -> Error {
    Error::invalid("HEAD_TOO_LARGE", "headers", format!("must have at most {most} bytes"))
        .with("http_status", "431")
        .with("error", "headers_too_large")
}

/// The refusal of a body of more than `most` bytes: 413.
pub(crate) fn body_too_large(most: usize) -> Error {
    Error::invalid("BODY_TOO_LARGE", "body", format!("must have at most {most} bytes"))
        .with("http_status", "413")
        .with("error", "body_too_large")
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_always_leaves_a_millisecond() {
        assert_eq!(Deadline(Instant::now()).grpc_timeout(), "1m");
        let far = Deadline(Instant::now() + Duration::from_secs(1 << 30));
        assert_eq!(far.grpc_timeout(), "99999999m");
    }

    #[test]
    fn the_head_counts_target_and_headers() {
        let request = Request::get("/v1/x?a=b").header("host", "loop").body(Body::empty()).unwrap();
        assert_eq!(head(&request), "/v1/x?a=b".len() + "hostloop".len());
    }
}
