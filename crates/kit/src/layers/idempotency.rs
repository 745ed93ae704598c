//! A call whose Idempotency-Key was answered before gets that answer again.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use contract::{Idempotency, Method};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use tonic::body::Body;

use super::{Next, refuse};
use crate::{
    Brand, Caller, Db, Error, Result,
    call::IDEMPOTENCY_KEY,
    idempotency::{Claim, Stored, find},
    tx::RECEIPT,
};

/// The header that tells a replayed answer from a first one.
const REPLAYED: &str = "idempotent-replayed";

/// The largest keyed request: tonic's own limit of a message.
const LARGEST: usize = 4 << 20;

pub async fn idempotency(db: Db, request: Request<Body>, next: Next) -> Response<Body> {
    let method = request.extensions().get::<&'static Method>().copied();
    let Some(method) = method.filter(|it| it.idempotency != Idempotency::None) else {
        return next.run(request).await;
    };
    match replay(&db, method, request).await {
        Ok(Keyed::Answered(response)) => response,
        Ok(Keyed::First(request)) => next.run(request).await,
        Err(error) => refuse(error),
    }
}

enum Keyed {
    Answered(Response<Body>),
    First(Request<Body>),
}

async fn replay(db: &Db, method: &'static Method, request: Request<Body>) -> Result<Keyed> {
    let (mut parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await;
    let body =
        body.map_err(|_| Error::invalid("BODY_TOO_LARGE", "body", "must be at most 4 MiB"))?;
    let body = body.to_bytes();
    let header = parts.headers.get(IDEMPOTENCY_KEY).map(|it| it.to_str().unwrap_or_default());
    let caller = parts.extensions.get::<Arc<Caller>>().expect("introspection runs first");
    let brand = parts.extensions.get::<Brand>().expect("brand scoping runs first").clone();
    if let Some(claim) = Claim::new(method, &caller.client_id, header, &body)? {
        if let Some(stored) = find(db, &brand, &claim).await? {
            return Ok(Keyed::Answered(answer(&stored)));
        }
        parts.extensions.insert(claim);
    }
    Ok(Keyed::First(Request::from_parts(parts, Body::new(Full::new(body)))))
}

/// A unary gRPC answer: one length-prefixed message and the trailers of a success.
fn answer(stored: &Stored) -> Response<Body> {
    let mut frame = BytesMut::with_capacity(5 + stored.answer.len());
    frame.put_u8(0);
    frame.put_u32(stored.answer.len() as u32);
    frame.put_slice(&stored.answer);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    let receipt = HeaderValue::from_str(&stored.receipt.to_string()).expect("a UUID is ASCII");
    headers.insert(RECEIPT, receipt);
    response
}
