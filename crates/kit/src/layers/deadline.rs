//! No call outlives its caller's patience: `grpc-timeout`, or thirty seconds.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tonic::{Code, body::Body};

use super::{Next, refuse};
use crate::Error;

const LONGEST: Duration = Duration::from_secs(30);

pub async fn deadline((): (), request: Request<Body>, next: Next) -> Response<Body> {
    let limit = timeout(request.headers()).map_or(LONGEST, |it| it.min(LONGEST));
    let late =
        || Error::new(Code::DeadlineExceeded, "DEADLINE", "took longer than the caller waits");
    let answer = tokio::time::timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_| refuse(late()))
}

/// `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2, "Requests").
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_by_the_letter() {
        let parse = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        for bad in ["", "m", "1", "1x", "123456789S", "-1S", "é"] {
            if let Ok(value) = http::HeaderValue::from_str(bad) {
                let mut headers = HeaderMap::new();
                headers.insert("grpc-timeout", value);
                assert_eq!(timeout(&headers), None, "{bad}");
            }
        }
    }
}
