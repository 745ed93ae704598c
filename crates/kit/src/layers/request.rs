//! The outermost layer: a request id, a span, and one log line for every outcome.

use std::time::Instant;

use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Next;
use crate::{RequestId, call::REQUEST_ID};

pub async fn request((): (), mut request: Request<Body>, next: Next) -> Response<Body> {
    let id = request_id(request.headers().get(REQUEST_ID));
    request.extensions_mut().insert(id.clone());
    // The path of a page may hold anything; a gRPC path is checked against the methods below.
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("call", request_id = &*id.0);
    let answer = async {
        let began = Instant::now();
        let response = next.run(request).await;
        log(&path, &response, began);
        response
    };
    let mut response = answer.instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A caller's id is kept if it is harmless in a log.
fn request_id(header: Option<&HeaderValue>) -> RequestId {
    let harmless = |it: &&str| {
        (1..=64).contains(&it.len())
            && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    match header.and_then(|it| it.to_str().ok()).filter(harmless) {
        Some(id) => RequestId(id.into()),
        None => RequestId(Uuid::now_v7().to_string().into()),
    }
}

fn log(path: &str, response: &Response<Body>, began: Instant) {
    let status =
        response.headers().get("grpc-status").and_then(|it| it.to_str().ok()).unwrap_or("0");
    let duration_us = began.elapsed().as_micros() as u64;
    let known = if path.starts_with("/loop.") { path } else { "page" };
    tracing::info!(
        method = known,
        grpc_status = status,
        http_status = response.status().as_u16(),
        duration_us,
        "served"
    );
}
