//! A call whose Idempotency-Key was answered before gets that answer again.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::{BufMut as _, BytesMut};
use contract::{Idempotency, Method};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt as _};

use super::{Answering, Refusal as _};
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

#[derive(Clone, Debug)]
pub struct Replays(pub Db);

impl<S> Layer<S> for Replays {
    type Service = Replaying<S>;

    fn layer(&self, inner: S) -> Replaying<S> {
        Replaying { db: self.0.clone(), inner }
    }
}

#[derive(Clone, Debug)]
pub struct Replaying<S> {
    db: Db,
    inner: S,
}

impl<S> Service<Request<Body>> for Replaying<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<Response<Body>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.extensions().get::<&'static Method>().copied();
        let inner = self.inner.clone();
        let Some(method) = method.filter(|it| it.idempotency != Idempotency::None) else {
            return Box::pin(inner.oneshot(request));
        };
        let db = self.db.clone();
        Box::pin(async move {
            match replay(&db, method, request).await {
                Ok(Keyed::Answered(response)) => Ok(response),
                Ok(Keyed::First(request)) => inner.oneshot(request).await,
                Err(error) => Ok(Response::refuse(error)),
            }
        })
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
    let caller = parts.extensions.get::<Caller>().expect("introspection runs first");
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
