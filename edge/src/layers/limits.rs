//! What is malformed, too large or too slow is refused before anybody looks at what it is for.

mod framing;

use std::{
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, Request, Version, header};
use kit::{BRAND_ID, Error, IDEMPOTENCY_KEY, Result};
use tokio::time::timeout_at;
use tonic::{Code, body::Body};

use super::{coding::Coding, refuse};
use crate::{Limits, Parts, record::Record};
use kit::layers::Next;

/// Headers that say one thing: two of them are a request that two readers read differently.
const SINGULAR: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::ORIGIN,
    BRAND_ID,
    IDEMPOTENCY_KEY,
];

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    began: Instant,
    /// What the caller asks for: it may be less than the gateway allows, not more.
    asked: Option<Duration>,
}

impl Allowance {
    /// When a request must have ended that may take so long.
    pub(crate) fn until(self, limit: Duration) -> Instant {
        self.began + self.within(limit)
    }

    fn within(self, limit: Duration) -> Duration {
        self.asked.map_or(limit, |it| it.min(limit))
    }
}

/// The layer above `next`.
pub(crate) fn limits(parts: &Arc<Parts>, next: Next) -> Next {
    Next::choice((parts.clone(), next), |(parts, next), request| {
        let allowance = match allow(parts, &request) {
            Ok(allowance) => allowance,
            Err(error) => return Box::pin(ready(Ok(refuse(error)))),
        };
        let limit = parts.config.limits.timeout;
        let late = move |_| Ok(refuse(too_slow(allowance.within(limit))));
        let answer = timeout_at(allowance.until(limit).into(), next.answer(request));
        Box::pin(answer.map(move |it| it.unwrap_or_else(late)))
    })
}

/// How long a request may take that is as it should be.
fn allow(parts: &Parts, request: &Request<Body>) -> Result<Allowance> {
    let limits = &parts.config.limits;
    check(limits, parts.largest_body, request)?;
    let record = Record::of(request.extensions());
    let allowance = Allowance { began: record.began, asked: asked(request.headers())? };
    let _ = record.allowance.set(allowance);
    Ok(allowance)
}

fn too_slow(within: Duration) -> Error {
    let message = format!("took longer than {}", seconds(within));
    Error::new(Code::DeadlineExceeded, "DEADLINE", message)
}

/// The time that the caller gives a request, in the words of any protocol.
fn asked(headers: &HeaderMap) -> Result<Option<Duration>> {
    for (name, parse) in TIMEOUTS {
        let Some(value) = headers.get(&name) else { continue };
        let asked = value.to_str().ok().and_then(parse);
        let rule = "must be a positive time, as the protocol writes it";
        return asked.map(Some).ok_or_else(|| malformed(name.as_str(), rule));
    }
    Ok(None)
}

/// How a header writes a time.
type Time = fn(&str) -> Option<Duration>;

/// The headers that give a request its time.
const TIMEOUTS: [(HeaderName, Time); 3] = [
    // gRPC over HTTP/2: at most eight digits and a unit.
    (HeaderName::from_static("grpc-timeout"), |text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let count = positive(digits, 8)?;
        Some(match unit {
            "H" => Duration::from_secs(3600 * count),
            "M" => Duration::from_secs(60 * count),
            "S" => Duration::from_secs(count),
            "m" => Duration::from_millis(count),
            "u" => Duration::from_micros(count),
            "n" => Duration::from_nanos(count),
            _ => return None,
        })
    }),
    (HeaderName::from_static("connect-timeout-ms"), |text| {
        positive(text, 10).map(Duration::from_millis)
    }),
    // Seconds, with a fraction or without.
    (HeaderName::from_static("request-timeout"), |text| {
        let seconds: f64 = text.parse().ok().filter(|it| *it > 0.0)?;
        Duration::try_from_secs_f64(seconds).ok()
    }),
];

fn positive(digits: &str, most: usize) -> Option<u64> {
    let is_number = digits.bytes().all(|it| it.is_ascii_digit()) && digits.len() <= most;
    digits.parse().ok().filter(|it| is_number && *it > 0)
}

fn check(limits: &Limits, largest_body: usize, request: &Request<Body>) -> Result<()> {
    if head(request) > limits.head {
        return Err(head_too_large(limits.head));
    }
    let headers = request.headers();
    let repeats = headers.len() > headers.keys_len();
    let repeated = |name: &&HeaderName| headers.get_all(*name).iter().nth(1).is_some();
    if let Some(name) = SINGULAR.iter().filter(|_| repeats).find(repeated) {
        return Err(malformed(name.as_str(), "must be sent once"));
    }
    // RFC 9112 section 3.2. HTTP/2 names the host in its target.
    if request.version() == Version::HTTP_11 && !headers.contains_key(header::HOST) {
        return Err(malformed("host", "must be sent once"));
    }
    Coding::of(headers)?;
    framing::check(request)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    match length {
        // A method may take less: it says so when it is known which one it is.
        Some(length) if largest_body < length => Err(body_too_large(largest_body)),
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
    fn a_caller_gives_a_request_its_time_in_the_words_of_any_protocol() {
        let asked = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            asked(&headers)
        };
        for (name, value, milliseconds) in [
            ("grpc-timeout", "2S", 2000),
            ("grpc-timeout", "99999999m", 99_999_999),
            ("grpc-timeout", "3000u", 3),
            ("connect-timeout-ms", "1500", 1500),
            ("request-timeout", "0.25", 250),
        ] {
            let expected = Some(Duration::from_millis(milliseconds));
            assert_eq!(asked(name, value).unwrap(), expected, "{name}: {value}");
        }
        for (name, value) in [
            ("grpc-timeout", ""),
            ("grpc-timeout", "5"),
            ("grpc-timeout", "0S"),
            ("grpc-timeout", "+1S"),
            ("grpc-timeout", "999999999S"),
            ("grpc-timeout", "1ü"),
            ("connect-timeout-ms", "-1"),
            ("request-timeout", "NaN"),
            ("request-timeout", "inf"),
        ] {
            assert!(asked(name, value).is_err(), "{name}: {value}");
        }
        assert_eq!(super::asked(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_caller_may_ask_for_less_than_is_allowed_not_for_more() {
        let began = Instant::now();
        let within = |asked| {
            let asked = Some(Duration::from_secs(asked));
            Allowance { began, asked }.within(Duration::from_secs(30)).as_secs()
        };
        assert_eq!((within(1), within(60)), (1, 30));
    }

    #[test]
    fn the_head_counts_target_and_headers() {
        let request = Request::get("/v1/x?a=b").header("host", "loop").body(Body::empty()).unwrap();
        assert_eq!(head(&request), "/v1/x?a=b".len() + "hostloop".len());
    }
}
