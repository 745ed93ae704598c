//! No call outlives its caller's patience: `grpc-timeout`, or thirty seconds.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request};
use tower::{Layer, Service, ServiceExt as _};

use super::{Answering, Refusal};
use crate::Error;

const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub struct Deadlines;

impl<S> Layer<S> for Deadlines {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner }
    }
}

#[derive(Clone, Debug)]
pub struct Limited<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Limited<S>
where
    S: Service<Request<B>, Error = Infallible> + Clone + Send + 'static,
    S::Response: Refusal + Send,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Answering<S::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let limit = timeout(request.headers()).map_or(LONGEST, |it| it.min(LONGEST));
        let inner = self.inner.clone();
        Box::pin(async move {
            match tokio::time::timeout(limit, inner.oneshot(request)).await {
                Ok(answer) => answer,
                Err(_) => Ok(S::Response::refuse(Error::new(
                    tonic::Code::DeadlineExceeded,
                    "DEADLINE",
                    "took longer than the caller waits",
                ))),
            }
        })
    }
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
